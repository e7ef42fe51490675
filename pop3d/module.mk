# See README.md in this folder.
noinst_LIBRARIES += pop3d/libpop3d.a
pop3d_libpop3d_a_SOURCES = %reldir%/client_stream.h %reldir%/client_stream.cc %reldir%/mail_session.h %reldir%/mail_session.cc
EXTRA_DIST += %reldir%/README.md

POP3D_LIBS = pop3d/libpop3d.a lib/service/libservice.a lib/sasl/libsasl.a lib/mailbox/libmailbox.a lib/imap/libimap.a lib/mail/libmail.a lib/pop3/libpop3.a $(SERVICE_LIBS) $(ZLIB_LIBS)

daemonexec_PROGRAMS += pop3d/pop3d
pop3d_pop3d_SOURCES = %reldir%/main.cc
pop3d_pop3d_LDADD = $(POP3D_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += pop3d/pop3d_test
pop3d_pop3d_test_SOURCES = %reldir%/pop3d_test.cc %reldir%/rfc1939_test.cc
pop3d_pop3d_test_CXXFLAGS = $(TEST_CXXFLAGS)
pop3d_pop3d_test_LDADD = $(POP3D_LIBS) lib/net/libnet.a lib/tls/libtls.a tests/support/libsupport.a $(POP3D_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(TEST_LIBS)
