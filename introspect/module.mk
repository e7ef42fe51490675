# See README.md in this folder.
noinst_LIBRARIES += introspect/libintrospect.a
introspect_libintrospect_a_SOURCES = %reldir%/introspector.h %reldir%/introspector.cc
EXTRA_DIST += %reldir%/README.md

INTROSPECT_LIBS = introspect/libintrospect.a lib/net/libnet.a $(SERVICE_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
daemonexec_PROGRAMS += introspect/introspect
introspect_introspect_SOURCES = %reldir%/main.cc
introspect_introspect_LDADD = $(INTROSPECT_LIBS)

check_PROGRAMS += introspect/introspect_test
introspect_introspect_test_SOURCES = %reldir%/introspect_test.cc
introspect_introspect_test_CXXFLAGS = $(TEST_CXXFLAGS)
introspect_introspect_test_LDADD = $(INTROSPECT_LIBS) $(TEST_LIBS)
