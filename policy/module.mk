noinst_LIBRARIES += policy/libpolicy.a
policy_libpolicy_a_SOURCES = \
	%reldir%/options.h %reldir%/options.cc %reldir%/reply.h %reldir%/restriction.h %reldir%/restriction.cc \
	%reldir%/unlisted.h %reldir%/unlisted.cc %reldir%/engine.h %reldir%/engine.cc \
	%reldir%/evaluation.h %reldir%/evaluation.cc %reldir%/checks.cc %reldir%/access.cc \
	%reldir%/users.h %reldir%/users.cc %reldir%/worker.h %reldir%/worker.cc
EXTRA_DIST += %reldir%/README.md

daemon_PROGRAMS += policy/policy
policy_policy_SOURCES = %reldir%/main.cc
policy_policy_LDADD = policy/libpolicy.a lib/table/libtable.a $(SERVICE_LIBS) $(DB_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += policy/policy_test
policy_policy_test_SOURCES = %reldir%/policy_test.cc %reldir%/worker_test.cc
policy_policy_test_CXXFLAGS = $(TEST_CXXFLAGS)
policy_policy_test_LDADD = policy/libpolicy.a lib/ipc/libipc.a lib/table/libtable.a lib/config/libconfig.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS) $(TEST_LIBS)
