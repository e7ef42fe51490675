# The program and its test share everything but main.cc.
noinst_LIBRARIES += smtpd/libsmtpd.a
smtpd_libsmtpd_a_SOURCES = \
	%reldir%/dovecot_auth.h %reldir%/dovecot_auth.cc %reldir%/options.h %reldir%/options.cc %reldir%/sasl_options.h %reldir%/sasl_options.cc %reldir%/message_target.h %reldir%/submission.h %reldir%/submission.cc %reldir%/proxy_delivery.h %reldir%/proxy_delivery.cc %reldir%/cleanup_links.h %reldir%/cleanup_links.cc \
	%reldir%/transcript.h %reldir%/transcript.cc %reldir%/notices.h %reldir%/notices.cc \
	%reldir%/rule_note.h %reldir%/session_driver.h %reldir%/session_driver.cc %reldir%/session_filters.cc %reldir%/session_auth.cc %reldir%/session_tls.cc %reldir%/session_client.cc %reldir%/anvil_link.h %reldir%/anvil_link.cc \
	%reldir%/upstream_proxy.h %reldir%/upstream_proxy.cc %reldir%/smtpd_service.h %reldir%/smtpd_service.cc
daemonexec_PROGRAMS += smtpd/smtpd
smtpd_smtpd_SOURCES = %reldir%/main.cc
smtpd_smtpd_LDADD = smtpd/libsmtpd.a $(SMTPD_LIBS)
SMTPD_LIBS = lib/queue/libqueue.a lib/net/libnet.a lib/smtp/libsmtp.a lib/mail/libmail.a lib/service/libservice.a lib/sasl/libsasl.a lib/table/libtable.a \
	$(SERVICE_LIBS) lib/crypto/libpcrypto.a $(DB_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += smtpd/smtpd_test
smtpd_smtpd_test_SOURCES = %reldir%/smtpd_test.cc %reldir%/client_test.cc %reldir%/dovecot_auth_test.cc %reldir%/milter_test.cc %reldir%/submission_test.cc %reldir%/proxy_test.cc %reldir%/tls_test.cc %reldir%/transcript_test.cc %reldir%/upstream_proxy_test.cc %reldir%/smtpd_fixture.h
smtpd_smtpd_test_CXXFLAGS = $(TEST_CXXFLAGS)
smtpd_smtpd_test_LDADD = smtpd/libsmtpd.a tests/support/libsupport.a $(SMTPD_LIBS) $(TEST_LIBS)
