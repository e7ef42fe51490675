noinst_LIBRARIES += verify/libverify.a
verify_libverify_a_SOURCES = %reldir%/entry.h %reldir%/entry.cc %reldir%/verifier.h %reldir%/verifier.cc \
	%reldir%/prober.h %reldir%/prober.cc %reldir%/worker.h %reldir%/worker.cc
EXTRA_DIST += %reldir%/README.md

VERIFY_LIBS = verify/libverify.a lib/table/libtable.a $(SERVICE_LIBS) $(DB_LIBS)
daemonexec_PROGRAMS += verify/verify
verify_verify_SOURCES = %reldir%/main.cc
verify_verify_LDADD = $(VERIFY_LIBS)

check_PROGRAMS += verify/verify_test
verify_verify_test_SOURCES = %reldir%/entry_test.cc %reldir%/verifier_test.cc %reldir%/prober_test.cc
verify_verify_test_CXXFLAGS = $(TEST_CXXFLAGS)
verify_verify_test_LDADD = tests/support/libsupport.a $(VERIFY_LIBS) $(TEST_LIBS)
