# See README.md in this folder.
noinst_LIBRARIES += login/liblogin.a
login_liblogin_a_SOURCES = \
	%reldir%/login_engine.h %reldir%/line_cutter.cc %reldir%/imap_login.cc %reldir%/pop3_login.cc \
	%reldir%/options.h %reldir%/options.cc %reldir%/relay.h %reldir%/relay.cc \
	%reldir%/client_session.h %reldir%/client_session.cc %reldir%/client_limits.cc %reldir%/logged_in.h %reldir%/wake_slots.h %reldir%/worker_link.h %reldir%/worker_link.cc \
	%reldir%/login_service.h %reldir%/login_service.cc
EXTRA_DIST += %reldir%/README.md

LOGIN_LIBS = login/liblogin.a lib/service/libservice.a lib/table/libtable.a $(SERVICE_LIBS) lib/tls/libtls.a lib/sasl/libsasl.a lib/pop3/libpop3.a lib/imap/libimap.a \
	lib/mail/libmail.a lib/crypto/libpcrypto.a lib/sys/libsys.a lib/base/libbase.a $(EVENT_LIBS) $(DB_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

daemonexec_PROGRAMS += login/login
login_login_SOURCES = %reldir%/main.cc
login_login_LDADD = $(LOGIN_LIBS)

check_PROGRAMS += login/login_test
login_login_test_SOURCES = %reldir%/engine_test.cc %reldir%/rfc_examples_test.cc %reldir%/session_test.cc %reldir%/limits_test.cc %reldir%/login_fixture.h
login_login_test_CXXFLAGS = $(TEST_CXXFLAGS)
login_login_test_LDADD = $(LOGIN_LIBS) lib/net/libnet.a tests/support/libsupport.a $(LOGIN_LIBS) $(TEST_LIBS)
