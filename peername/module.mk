noinst_LIBRARIES += peername/libpeername.a
peername_libpeername_a_SOURCES = %reldir%/hosts_file.h %reldir%/hosts_file.cc %reldir%/name_finder.h %reldir%/name_finder.cc \
	%reldir%/service.h %reldir%/service.cc
EXTRA_DIST += %reldir%/README.md

PEERNAME_LIBS = peername/libpeername.a lib/dns/libdns.a $(SERVICE_LIBS) $(UNBOUND_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
daemonexec_PROGRAMS += peername/peername
peername_peername_SOURCES = %reldir%/main.cc
peername_peername_LDADD = $(PEERNAME_LIBS)

check_PROGRAMS += peername/peername_test
peername_peername_test_SOURCES = %reldir%/name_finder_test.cc %reldir%/service_test.cc
peername_peername_test_CXXFLAGS = $(TEST_CXXFLAGS)
peername_peername_test_LDADD = tests/support/libfakedns.a $(PEERNAME_LIBS) $(TEST_LIBS)
