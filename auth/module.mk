# See README.md in this folder.
noinst_LIBRARIES += auth/libauth.a
auth_libauth_a_SOURCES = \
	%reldir%/resume.h %reldir%/resume.cc %reldir%/users.h %reldir%/users.cc %reldir%/tokens.h %reldir%/tokens.cc \
	%reldir%/exchange.h %reldir%/exchange.cc %reldir%/scram_exchange.cc %reldir%/oauth_exchange.cc \
	%reldir%/token_checker.h %reldir%/token_checker.cc \
	%reldir%/failures.h %reldir%/failures.cc %reldir%/hash_pool.h %reldir%/hash_pool.cc %reldir%/auth_service.h %reldir%/auth_service.cc
EXTRA_DIST += %reldir%/README.md

AUTH_LIBS = auth/libauth.a lib/sasl/libsasl.a $(SERVICE_LIBS) lib/mail/libmail.a lib/crypto/libpcrypto.a lib/base/libbase.a \
	$(SSL_LIBS) $(CRYPTO_LIBS) $(CRYPT_LIBS) $(ARGON2_LIBS)

daemonexec_PROGRAMS += auth/auth
auth_auth_SOURCES = %reldir%/main.cc
auth_auth_LDADD = $(AUTH_LIBS)

check_PROGRAMS += auth/auth_test
auth_auth_test_SOURCES = %reldir%/failures_test.cc %reldir%/auth_test.cc %reldir%/users_test.cc %reldir%/bearer_test.cc %reldir%/auth_fixture.h
auth_auth_test_CXXFLAGS = $(TEST_CXXFLAGS)
auth_auth_test_LDADD = $(AUTH_LIBS) tests/support/libsupport.a $(AUTH_LIBS) $(TEST_LIBS)
