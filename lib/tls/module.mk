noinst_LIBRARIES += lib/tls/libtls.a
lib_tls_libtls_a_SOURCES = \
	%reldir%/context.h %reldir%/context.cc %reldir%/server_names.cc %reldir%/channel_binding.cc %reldir%/engine.h %reldir%/engine.cc \
	%reldir%/certificate.h %reldir%/certificate.cc %reldir%/openssl.h
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/tls/tls_test
lib_tls_tls_test_SOURCES = %reldir%/adversary_test.cc %reldir%/server_names_test.cc %reldir%/dane_test.cc %reldir%/tls_test.cc
lib_tls_tls_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_tls_tls_test_LDADD = lib/tls/libtls.a lib/base/libbase.a $(SSL_LIBS) $(CRYPTO_LIBS) $(TEST_LIBS)
