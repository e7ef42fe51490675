# See README.md in this folder. Link with $(CRYPTO_LIBS).
noinst_LIBRARIES += lib/crypto/libpcrypto.a
lib_crypto_libpcrypto_a_SOURCES = \
	%reldir%/library.h %reldir%/library.cc %reldir%/digest.h %reldir%/digest.cc %reldir%/secret.h %reldir%/secret.cc \
	%reldir%/seal.h %reldir%/seal.cc %reldir%/verifying_key.h %reldir%/verifying_key.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/crypto/crypto_test
lib_crypto_crypto_test_SOURCES = %reldir%/crypto_test.cc
lib_crypto_crypto_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_crypto_crypto_test_LDADD = lib/crypto/libpcrypto.a lib/base/libbase.a $(CRYPTO_LIBS) $(TEST_LIBS)
