noinst_LIBRARIES += lib/base/libbase.a
lib_base_libbase_a_SOURCES = \
	%reldir%/check.h %reldir%/check.cc %reldir%/result.h %reldir%/lookup.h %reldir%/verdict.h \
	%reldir%/fd.h %reldir%/fd.cc %reldir%/unicode.h %reldir%/unicode.cc %reldir%/shared_library.h %reldir%/shared_library.cc %reldir%/strings.h %reldir%/strings.cc %reldir%/encode.h %reldir%/encode.cc \
	%reldir%/crc32c.h %reldir%/crc32c.cc %reldir%/clock.h %reldir%/clock.cc %reldir%/date_time.h %reldir%/date_time.cc %reldir%/random.h %reldir%/random.cc \
	%reldir%/ids.h %reldir%/ids.cc %reldir%/json.h %reldir%/json.cc %reldir%/ip_address.h %reldir%/ip_address.cc %reldir%/client_range.h %reldir%/client_range.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/base/base_test
lib_base_base_test_SOURCES = %reldir%/base_test.cc %reldir%/ip_address_test.cc \
	%reldir%/strings_test.cc %reldir%/unicode_test.cc %reldir%/encode_test.cc %reldir%/json_test.cc %reldir%/date_time_test.cc %reldir%/values_test.cc
lib_base_base_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_base_base_test_LDADD = lib/base/libbase.a $(TEST_LIBS)
