noinst_LIBRARIES += limits/liblimits.a
limits_liblimits_a_SOURCES = %reldir%/counts.h %reldir%/counts.cc %reldir%/service.h %reldir%/service.cc \
	%reldir%/sessions.h %reldir%/sessions.cc %reldir%/login_times.h %reldir%/login_times.cc
EXTRA_DIST += %reldir%/README.md

LIMITS_LIBS = limits/liblimits.a $(SERVICE_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
daemonexec_PROGRAMS += limits/anvil
limits_anvil_SOURCES = %reldir%/main.cc
limits_anvil_LDADD = $(LIMITS_LIBS)

check_PROGRAMS += limits/limits_test
limits_limits_test_SOURCES = %reldir%/counts_test.cc %reldir%/service_test.cc %reldir%/sessions_test.cc
limits_limits_test_CXXFLAGS = $(TEST_CXXFLAGS)
limits_limits_test_LDADD = $(LIMITS_LIBS) $(TEST_LIBS)
