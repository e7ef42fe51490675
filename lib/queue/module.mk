noinst_LIBRARIES += lib/queue/libqueue.a
lib_queue_libqueue_a_SOURCES = \
	%reldir%/envelope.h %reldir%/envelope.cc %reldir%/format.h %reldir%/format.cc %reldir%/reader.h %reldir%/reader.cc \
	%reldir%/writer.h %reldir%/writer.cc %reldir%/directories.h %reldir%/directories.cc \
	%reldir%/delivery_log.h %reldir%/delivery_log.cc %reldir%/maildrop.h %reldir%/maildrop.cc %reldir%/bounce_log.h %reldir%/bounce_log.cc %reldir%/admin.h %reldir%/admin.cc %reldir%/lister.h %reldir%/lister.cc \
	%reldir%/bounce_template.h %reldir%/bounce_template.cc %reldir%/message_text.h %reldir%/message_text.cc %reldir%/agent_report.h %reldir%/agent_report.cc \
	%reldir%/command_verdict.h %reldir%/command_verdict.cc %reldir%/received.h %reldir%/received.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/queue/queue_test
lib_queue_queue_test_SOURCES = %reldir%/format_test.cc %reldir%/delivery_log_test.cc %reldir%/bounce_log_test.cc %reldir%/admin_test.cc %reldir%/crash_test.cc %reldir%/maildrop_test.cc \
	%reldir%/bounce_template_test.cc %reldir%/message_text_test.cc %reldir%/command_verdict_test.cc
lib_queue_queue_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_queue_queue_test_LDADD = tests/support/libsupport.a lib/queue/libqueue.a lib/log/liblog.a lib/sys/libsys.a lib/base/libbase.a $(TEST_LIBS)
