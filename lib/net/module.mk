noinst_LIBRARIES += lib/net/libnet.a
lib_net_libnet_a_SOURCES = %reldir%/stream.h %reldir%/stream.cc %reldir%/http.h %reldir%/http.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/net/net_test
lib_net_net_test_SOURCES = %reldir%/net_test.cc %reldir%/http_test.cc
lib_net_net_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_net_net_test_LDADD = lib/net/libnet.a lib/tls/libtls.a lib/crypto/libpcrypto.a lib/sys/libsys.a lib/base/libbase.a \
	$(SSL_LIBS) $(CRYPTO_LIBS) $(TEST_LIBS)
