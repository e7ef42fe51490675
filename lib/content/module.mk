noinst_LIBRARIES += lib/content/libcontent.a
lib_content_libcontent_a_SOURCES = %reldir%/rules.h %reldir%/rules.cc %reldir%/body_filter.h %reldir%/body_filter.cc \
	%reldir%/part_scanner.h %reldir%/part_scanner.cc %reldir%/seven_bit.h %reldir%/seven_bit.cc \
	%reldir%/address_map.h %reldir%/address_map.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/content/content_test
lib_content_content_test_SOURCES = %reldir%/rules_test.cc %reldir%/seven_bit_test.cc %reldir%/address_map_test.cc
lib_content_content_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_content_content_test_LDADD = lib/content/libcontent.a lib/table/libtable.a lib/config/libconfig.a lib/sys/libsys.a lib/mail/libmail.a \
	lib/log/liblog.a lib/base/libbase.a $(DB_LIBS) $(TEST_LIBS)
