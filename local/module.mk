noinst_LIBRARIES += local/liblocal.a
local_liblocal_a_SOURCES = \
	%reldir%/options.h %reldir%/options.cc %reldir%/messages.h %reldir%/planner.h %reldir%/planner.cc \
	%reldir%/mailbox_worker.h %reldir%/mailbox_worker.cc %reldir%/forward_worker.h %reldir%/forward_worker.cc \
	%reldir%/user_facts.h %reldir%/user_facts.cc %reldir%/forward_file.h %reldir%/forward_file.cc \
	%reldir%/mbox_file.h %reldir%/mbox_file.cc %reldir%/intention.h %reldir%/intention.cc %reldir%/mailbox_text.h %reldir%/mailbox_text.cc \
	%reldir%/runner.h %reldir%/runner.cc \
	%reldir%/quota_probe.h %reldir%/quota_probe.cc %reldir%/processes.h %reldir%/processes.cc %reldir%/accounts.h %reldir%/accounts.cc \
	%reldir%/dispatcher.h %reldir%/dispatcher.cc %reldir%/dispatch_work.h %reldir%/dispatcher_quota.cc
EXTRA_DIST += %reldir%/README.md

LOCAL_LIBS = local/liblocal.a lib/mailbox/libmailbox.a lib/imap/libimap.a lib/mail/libmail.a lib/queue/libqueue.a lib/table/libtable.a $(SERVICE_LIBS) \
	$(DB_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS)
# Installed under both names; the program looks at its own.
daemonexec_PROGRAMS += local/local local/virtual
local_local_SOURCES = %reldir%/main.cc
local_local_LDADD = $(LOCAL_LIBS)
local_virtual_SOURCES = %reldir%/main.cc
local_virtual_LDADD = $(LOCAL_LIBS)

check_PROGRAMS += local/local_test
local_local_test_SOURCES = %reldir%/intention_test.cc %reldir%/quota_probe_test.cc %reldir%/planner_test.cc %reldir%/delivery_test.cc %reldir%/user_facts_test.cc \
	%reldir%/forward_file_test.cc %reldir%/mbox_file_test.cc %reldir%/runner_test.cc
local_local_test_CXXFLAGS = $(TEST_CXXFLAGS)
local_local_test_LDADD = tests/support/libsupport.a $(LOCAL_LIBS) $(TEST_LIBS)
