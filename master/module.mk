noinst_LIBRARIES += master/libmaster.a
master_libmaster_a_SOURCES = \
	%reldir%/start.h %reldir%/start.cc %reldir%/supervisor.h %reldir%/supervisor.cc \
	%reldir%/service.h %reldir%/service.cc %reldir%/population.h %reldir%/population.cc \
	%reldir%/difference.h %reldir%/difference.cc %reldir%/endpoints.h %reldir%/endpoints.cc \
	%reldir%/process.h %reldir%/process.cc %reldir%/log_file.h %reldir%/log_file.cc %reldir%/notify.h %reldir%/notify.cc \
	%reldir%/records_file.h %reldir%/records_file.cc
daemonexec_PROGRAMS += master/master
master_master_SOURCES = %reldir%/main.cc
master_master_LDADD = master/libmaster.a $(SERVICE_LIBS)
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += master/master_test
master_master_test_SOURCES = %reldir%/population_test.cc %reldir%/difference_test.cc %reldir%/parts_test.cc %reldir%/service_test.cc %reldir%/records_file_test.cc
master_master_test_CXXFLAGS = $(TEST_CXXFLAGS)
master_master_test_LDADD = tests/support/libsupport.a master/libmaster.a $(SERVICE_LIBS) $(TEST_LIBS)
