# See README.md in this folder. Link with lib/crypto/libpcrypto.a $(CRYPTO_LIBS); passwords also need
# lib/mail/libmail.a $(CRYPT_LIBS) $(ARGON2_LIBS), which a program that only gathers exchanges does not pull in.
noinst_LIBRARIES += lib/sasl/libsasl.a
lib_sasl_libsasl_a_SOURCES = \
	%reldir%/passwd_file.h %reldir%/passwd_file.cc %reldir%/login_fields.h %reldir%/login_fields.cc %reldir%/password.h %reldir%/password.cc %reldir%/server_exchange.h %reldir%/server_exchange.cc \
	%reldir%/mechanisms.h %reldir%/mechanisms.cc %reldir%/scram.h %reldir%/scram.cc %reldir%/jwt.h %reldir%/jwt.cc %reldir%/oauth.h %reldir%/oauth.cc \
	%reldir%/client_exchange.h %reldir%/client_exchange.cc %reldir%/dovecot_client.h %reldir%/dovecot_client.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/sasl/sasl_test
lib_sasl_sasl_test_SOURCES = %reldir%/sasl_test.cc %reldir%/edges_test.cc %reldir%/client_exchange_test.cc %reldir%/dovecot_client_test.cc \
	%reldir%/scram_test.cc %reldir%/login_fields_test.cc %reldir%/oauth_test.cc
lib_sasl_sasl_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_sasl_sasl_test_LDADD = lib/sasl/libsasl.a lib/mail/libmail.a lib/crypto/libpcrypto.a lib/base/libbase.a \
	$(CRYPTO_LIBS) $(CRYPT_LIBS) $(ARGON2_LIBS) $(TEST_LIBS)
