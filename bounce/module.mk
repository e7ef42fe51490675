noinst_LIBRARIES += bounce/libbounce.a
bounce_libbounce_a_SOURCES = %reldir%/dsn.h %reldir%/dsn.cc %reldir%/threading.h %reldir%/threading.cc %reldir%/options.h \
	%reldir%/records.h %reldir%/records.cc \
	%reldir%/notifier.h %reldir%/notifier.cc %reldir%/worker.h %reldir%/worker.cc \
	%reldir%/error_agent.h %reldir%/error_agent.cc

check_PROGRAMS += bounce/bounce_test
bounce_bounce_test_SOURCES = %reldir%/dsn_test.cc %reldir%/threading_test.cc %reldir%/worker_test.cc %reldir%/records_test.cc
bounce_bounce_test_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_TESTDATA='"$(abs_top_srcdir)/bounce/testdata"'
bounce_bounce_test_CXXFLAGS = $(TEST_CXXFLAGS)
bounce_bounce_test_LDADD = bounce/libbounce.a tests/support/libsupport.a lib/queue/libqueue.a lib/ipc/libipc.a \
	lib/sys/libsys.a lib/mail/libmail.a lib/log/liblog.a lib/base/libbase.a -lpthread $(TEST_LIBS)
EXTRA_DIST += %reldir%/testdata/failure.txt %reldir%/testdata/delay.txt %reldir%/testdata/success.txt

daemonexec_PROGRAMS += bounce/bounce bounce/error bounce/discard
bounce_bounce_SOURCES = %reldir%/main.cc %reldir%/options.cc
bounce_bounce_LDADD = bounce/libbounce.a lib/queue/libqueue.a lib/mail/libmail.a $(SERVICE_LIBS)
bounce_error_SOURCES = %reldir%/error_main.cc
bounce_error_LDADD = bounce/libbounce.a lib/queue/libqueue.a lib/mail/libmail.a $(SERVICE_LIBS)
bounce_discard_SOURCES = %reldir%/error_main.cc
bounce_discard_LDADD = $(bounce_error_LDADD)
EXTRA_DIST += %reldir%/README.md
