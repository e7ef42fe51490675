noinst_LIBRARIES += postscreen/libpostscreen.a
postscreen_libpostscreen_a_SOURCES = \
	%reldir%/options.h %reldir%/options.cc %reldir%/dns_lists.h %reldir%/dns_lists.cc %reldir%/cache.h %reldir%/cache.cc \
	%reldir%/access.h %reldir%/access.cc \
	%reldir%/test_session.h %reldir%/test_session.cc %reldir%/client.h %reldir%/client.cc %reldir%/service.h %reldir%/service.cc
EXTRA_DIST += %reldir%/README.md

POSTSCREEN_LIBS = postscreen/libpostscreen.a lib/dns/libdns.a lib/net/libnet.a lib/table/libtable.a lib/smtp/libsmtp.a lib/mail/libmail.a $(SERVICE_LIBS) $(DB_LIBS) $(UNBOUND_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
daemonexec_PROGRAMS += postscreen/postscreen
postscreen_postscreen_SOURCES = %reldir%/main.cc
postscreen_postscreen_LDADD = $(POSTSCREEN_LIBS)

check_PROGRAMS += postscreen/postscreen_test
postscreen_postscreen_test_SOURCES = %reldir%/dns_lists_test.cc %reldir%/cache_test.cc %reldir%/test_session_test.cc
postscreen_postscreen_test_CXXFLAGS = $(TEST_CXXFLAGS)
postscreen_postscreen_test_LDADD = tests/support/libsupport.a $(POSTSCREEN_LIBS) $(TEST_LIBS)
