noinst_LIBRARIES += pickup/libpickup.a
pickup_libpickup_a_SOURCES = \
	%reldir%/pickup.h %reldir%/pickup.cc %reldir%/submitter.h %reldir%/submitter.cc %reldir%/notice.h %reldir%/notice.cc
daemonexec_PROGRAMS += pickup/pickup
pickup_pickup_SOURCES = %reldir%/main.cc
pickup_pickup_LDADD = pickup/libpickup.a lib/queue/libqueue.a $(SERVICE_LIBS)
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += pickup/pickup_test
pickup_pickup_test_SOURCES = %reldir%/pickup_test.cc
pickup_pickup_test_CXXFLAGS = $(TEST_CXXFLAGS)
pickup_pickup_test_LDADD = tests/support/libsupport.a pickup/libpickup.a lib/queue/libqueue.a $(SERVICE_LIBS) $(TEST_LIBS)
