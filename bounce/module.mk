noinst_LIBRARIES += bounce/libbounce.a
bounce_libbounce_a_SOURCES = %reldir%/dsn.h %reldir%/dsn.cc

check_PROGRAMS += bounce/bounce_test
bounce_bounce_test_SOURCES = %reldir%/dsn_test.cc
bounce_bounce_test_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_TESTDATA='"$(abs_top_srcdir)/bounce/testdata"'
bounce_bounce_test_CXXFLAGS = $(TEST_CXXFLAGS)
bounce_bounce_test_LDADD = bounce/libbounce.a lib/queue/libqueue.a lib/sys/libsys.a lib/base/libbase.a $(TEST_LIBS)
EXTRA_DIST += %reldir%/testdata/failure.txt %reldir%/testdata/delay.txt %reldir%/testdata/success.txt
