# See README.md in this folder.
noinst_LIBRARIES += lib/fulltext/libfulltext.a
lib_fulltext_libfulltext_a_SOURCES = %reldir%/index.h %reldir%/index.cc %reldir%/words.h %reldir%/words.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/fulltext/fulltext_test
lib_fulltext_fulltext_test_SOURCES = %reldir%/index_test.cc %reldir%/words_test.cc
lib_fulltext_fulltext_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_fulltext_fulltext_test_LDADD = lib/fulltext/libfulltext.a tests/support/libsupport.a lib/sys/libsys.a lib/mail/libmail.a lib/log/liblog.a lib/base/libbase.a \
	$(XAPIAN_LIBS) $(TEST_LIBS)
