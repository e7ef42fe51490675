# The parts as an archive, so that the tests link them too.
noinst_LIBRARIES += forwarder/libforwarder.a
forwarder_libforwarder_a_SOURCES = \
	%reldir%/options.h %reldir%/options.cc %reldir%/tls_policy.h %reldir%/tls_policy.cc \
	%reldir%/server_rules.h %reldir%/server_rules.cc %reldir%/passwords.h %reldir%/passwords.cc %reldir%/next_hop.h %reldir%/next_hop.cc \
	%reldir%/target_finder.h %reldir%/target_finder.cc %reldir%/body_source.h %reldir%/body_source.cc \
	%reldir%/transcript.h %reldir%/transcript.cc %reldir%/connection.h %reldir%/connection.cc %reldir%/connection_pool.h %reldir%/connection_pool.cc \
	%reldir%/outgoing.h %reldir%/outgoing.cc %reldir%/attempts.h %reldir%/attempts.cc \
	%reldir%/tls_report.h %reldir%/tls_report.cc %reldir%/delivery.h %reldir%/delivery.cc
FORWARDER_LIBS = forwarder/libforwarder.a lib/queue/libqueue.a lib/dns/libdns.a lib/smtp/libsmtp.a lib/sasl/libsasl.a lib/content/libcontent.a lib/table/libtable.a lib/mail/libmail.a \
	$(SERVICE_LIBS) lib/crypto/libpcrypto.a lib/base/libbase.a $(DB_LIBS) $(UNBOUND_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
EXTRA_DIST += %reldir%/README.md

# One program under its two master.cf names.
daemonexec_PROGRAMS += forwarder/smtp forwarder/lmtp
forwarder_smtp_SOURCES = %reldir%/main.cc %reldir%/service.h %reldir%/service.cc
forwarder_smtp_LDADD = $(FORWARDER_LIBS)
forwarder_lmtp_SOURCES = %reldir%/main.cc %reldir%/service.h %reldir%/service.cc
forwarder_lmtp_LDADD = $(FORWARDER_LIBS)

check_PROGRAMS += forwarder/forwarder_test
forwarder_forwarder_test_SOURCES = %reldir%/delivery_fixture.h %reldir%/next_hop_test.cc %reldir%/transcript_test.cc %reldir%/target_finder_test.cc \
	%reldir%/attempts_test.cc %reldir%/delivery_test.cc %reldir%/tls_policy_test.cc %reldir%/passwords_test.cc %reldir%/outgoing_test.cc %reldir%/dane_test.cc %reldir%/workarounds_test.cc %reldir%/target_rules_test.cc %reldir%/secure_delivery_test.cc \
	%reldir%/tls_report_test.cc
forwarder_forwarder_test_CXXFLAGS = $(TEST_CXXFLAGS)
forwarder_forwarder_test_LDADD = tests/support/libfakedns.a tests/support/libsupport.a $(FORWARDER_LIBS) $(TEST_LIBS)
