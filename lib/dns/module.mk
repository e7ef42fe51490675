# See README.md in this folder.
noinst_LIBRARIES += lib/dns/libdns.a
lib_dns_libdns_a_SOURCES = \
	%reldir%/resolver.h %reldir%/resolver.cc %reldir%/rdata.h %reldir%/rdata.cc \
	%reldir%/unbound_resolver.h %reldir%/unbound_resolver.cc \
	%reldir%/resolver_wrappers.h %reldir%/resolver_wrappers.cc
EXTRA_DIST += %reldir%/README.md

check_LIBRARIES += tests/support/libfakedns.a
tests_support_libfakedns_a_SOURCES = tests/support/fake_dns.h tests/support/fake_dns.cc

check_PROGRAMS += lib/dns/dns_test
lib_dns_dns_test_SOURCES = %reldir%/dns_test.cc %reldir%/resolver_wrappers_test.cc
lib_dns_dns_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_dns_dns_test_LDADD = tests/support/libfakedns.a lib/dns/libdns.a lib/loop/libloop.a lib/base/libbase.a \
	$(UNBOUND_LIBS) $(EVENT_LIBS) $(TEST_LIBS)
