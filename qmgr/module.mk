# The parts of qmgr as an archive, so that its tests link them too.
noinst_LIBRARIES += qmgr/libqmgr.a
qmgr_libqmgr_a_SOURCES = \
	%reldir%/scheduler.h %reldir%/scheduler.cc %reldir%/retry.h %reldir%/retry.cc \
	%reldir%/store.h %reldir%/store.cc %reldir%/options.h %reldir%/resolver.h %reldir%/resolver.cc \
	%reldir%/scanner.h %reldir%/scanner.cc %reldir%/bouncer.h %reldir%/bouncer.cc %reldir%/verifications.h %reldir%/verifications.cc %reldir%/message.h \
	%reldir%/agents.h %reldir%/agents.cc %reldir%/manager.h %reldir%/manager.cc %reldir%/routes.h \
	%reldir%/name_sync.h %reldir%/name_sync.cc %reldir%/fate.cc %reldir%/control.cc %reldir%/drain.cc %reldir%/site_logs.h %reldir%/site_logs.cc

check_PROGRAMS += qmgr/qmgr_test
qmgr_qmgr_test_SOURCES = %reldir%/scheduler_test.cc %reldir%/slots_test.cc %reldir%/manager_test.cc %reldir%/manager_notices_test.cc %reldir%/manager_probes_test.cc \
	%reldir%/manager_trouble_test.cc %reldir%/manager_orders_test.cc %reldir%/successor_test.cc %reldir%/site_logs_test.cc %reldir%/manager_fixture.h %reldir%/scheduler_fixture.h %reldir%/agents_test.cc \
	%reldir%/name_sync_test.cc %reldir%/options_test.cc %reldir%/store_test.cc %reldir%/options.cc
qmgr_qmgr_test_CXXFLAGS = $(TEST_CXXFLAGS)
qmgr_qmgr_test_LDADD = qmgr/libqmgr.a tests/support/libsupport.a lib/queue/libqueue.a lib/ipc/libipc.a lib/loop/libloop.a lib/mail/libmail.a \
	lib/config/libconfig.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a $(EVENT_LIBS) $(TEST_LIBS)

daemonexec_PROGRAMS += qmgr/qmgr qmgr/showq
qmgr_qmgr_SOURCES = %reldir%/main.cc %reldir%/service.h %reldir%/service.cc %reldir%/options.cc
qmgr_qmgr_LDADD = qmgr/libqmgr.a lib/queue/libqueue.a lib/mail/libmail.a $(SERVICE_LIBS)
qmgr_showq_SOURCES = %reldir%/showq_main.cc
qmgr_showq_LDADD = lib/queue/libqueue.a $(SERVICE_LIBS)
EXTRA_DIST += %reldir%/README.md
