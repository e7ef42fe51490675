# See README.md in this folder.
noinst_LIBRARIES += lib/milter/libmilter.a
lib_milter_libmilter_a_SOURCES = %reldir%/text.h %reldir%/text.cc %reldir%/dialogue.h %reldir%/dialogue.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/milter/milter_test
lib_milter_milter_test_SOURCES = %reldir%/dialogue_test.cc
lib_milter_milter_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_milter_milter_test_LDADD = lib/milter/libmilter.a lib/base/libbase.a $(TEST_LIBS)
