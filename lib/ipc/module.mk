noinst_LIBRARIES += lib/ipc/libipc.a
lib_ipc_libipc_a_SOURCES = \
	%reldir%/codec.h %reldir%/codec.cc %reldir%/packet.h %reldir%/packet.cc %reldir%/channel.h %reldir%/channel.cc %reldir%/call_again.h \
	%reldir%/loop_channel.h %reldir%/loop_channel.cc %reldir%/client.h %reldir%/client.cc %reldir%/descriptors.h \
	%reldir%/submission.h %reldir%/submission.cc %reldir%/auth_dialogue.h %reldir%/auth_dialogue.cc \
	%reldir%/messages/limits.h %reldir%/messages/control.h %reldir%/messages/policy.h %reldir%/messages/route.h %reldir%/messages/cleanup.h \
	%reldir%/messages/queue.h %reldir%/messages/quota.h %reldir%/messages/deliver.h %reldir%/messages/bounce.h %reldir%/messages/auth.h \
	%reldir%/messages/login.h %reldir%/messages/milter.h %reldir%/messages/peername.h %reldir%/messages/verify.h \
	%reldir%/messages/sessions.h %reldir%/messages/token.h %reldir%/session_ledger.h %reldir%/session_ledger.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/ipc/ipc_test
lib_ipc_ipc_test_SOURCES = %reldir%/ipc_test.cc %reldir%/hostile_test.cc %reldir%/loop_hostile_test.cc %reldir%/client_test.cc %reldir%/session_ledger_test.cc %reldir%/test_messages.h
lib_ipc_ipc_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_ipc_ipc_test_LDADD = tests/support/libsupport.a lib/ipc/libipc.a lib/loop/libloop.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a $(EVENT_LIBS) $(TEST_LIBS)
