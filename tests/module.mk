# What several test programs share; see support/README.md.
check_LIBRARIES += tests/support/libsupport.a
tests_support_libsupport_a_SOURCES = \
	%reldir%/support/fake_clock.h %reldir%/support/fake_cleanup.h %reldir%/support/promises.h %reldir%/support/temp_folder.h %reldir%/support/temp_folder.cc \
	%reldir%/support/rooted_fs.h %reldir%/support/rooted_fs.cc %reldir%/support/faulty_fs.h %reldir%/support/faulty_fs.cc \
	%reldir%/support/crash_fs.h %reldir%/support/crash_fs.cc \
	%reldir%/support/dialogue.h %reldir%/support/dialogue.cc
EXTRA_DIST += %reldir%/support/README.md %reldir%/power-cut

check_PROGRAMS += tests/support/support_test
tests_support_support_test_SOURCES = %reldir%/support/support_test.cc
tests_support_support_test_CXXFLAGS = $(TEST_CXXFLAGS)
tests_support_support_test_LDADD = tests/support/libsupport.a lib/sys/libsys.a lib/base/libbase.a $(TEST_LIBS)
