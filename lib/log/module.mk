noinst_LIBRARIES += lib/log/liblog.a
lib_log_liblog_a_SOURCES = %reldir%/log.h %reldir%/log.cc %reldir%/address_form.h %reldir%/address_form.cc %reldir%/delay_digits.h %reldir%/delay_digits.cc \
	%reldir%/record.h %reldir%/record.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/log/log_test
lib_log_log_test_SOURCES = %reldir%/log_test.cc %reldir%/record_test.cc
lib_log_log_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_log_log_test_LDADD = lib/log/liblog.a lib/base/libbase.a $(TEST_LIBS)
