noinst_LIBRARIES += policy/libpolicy.a
policy_libpolicy_a_SOURCES = \
	%reldir%/options.h %reldir%/options.cc %reldir%/reply.h %reldir%/restriction.h %reldir%/restriction.cc \
	%reldir%/unlisted.h %reldir%/unlisted.cc %reldir%/engine.h %reldir%/engine.cc \
	%reldir%/evaluation.h %reldir%/evaluation.cc %reldir%/checks.cc %reldir%/servers.cc %reldir%/access.cc \
	%reldir%/delegation.h %reldir%/delegation.cc %reldir%/users.h %reldir%/users.cc %reldir%/verify_client.h %reldir%/verify_client.cc %reldir%/dns_names.h %reldir%/dns_names.cc %reldir%/client_rules.h %reldir%/client_rules.cc %reldir%/worker.h %reldir%/worker.cc
EXTRA_DIST += %reldir%/README.md

POLICY_LIBS = policy/libpolicy.a lib/dns/libdns.a lib/table/libtable.a lib/mail/libmail.a $(SERVICE_LIBS) $(DB_LIBS) $(UNBOUND_LIBS) \
	$(SSL_LIBS) $(CRYPTO_LIBS)
daemonexec_PROGRAMS += policy/policy
policy_policy_SOURCES = %reldir%/main.cc
policy_policy_LDADD = $(POLICY_LIBS)

check_PROGRAMS += policy/policy_test
policy_policy_test_SOURCES = %reldir%/policy_test.cc %reldir%/rule_test.cc %reldir%/unverified_test.cc %reldir%/delegation_test.cc %reldir%/worker_test.cc %reldir%/client_rules_test.cc %reldir%/dns_names_test.cc %reldir%/servers_test.cc
policy_policy_test_CXXFLAGS = $(TEST_CXXFLAGS)
policy_policy_test_LDADD = tests/support/libfakedns.a $(POLICY_LIBS) $(TEST_LIBS)
