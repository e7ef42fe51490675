# All but main.cc is an archive, so that the test program links what the daemon links.
noinst_LIBRARIES += cleanup/libcleanup.a
cleanup_libcleanup_a_SOURCES = \
	%reldir%/options.h %reldir%/options.cc %reldir%/service.h %reldir%/service.cc %reldir%/header_addresses.h %reldir%/header_addresses.cc \
	%reldir%/text_cleaner.h %reldir%/text_cleaner.cc %reldir%/message_filter.h %reldir%/message_filter.cc %reldir%/envelope.h %reldir%/envelope.cc \
	%reldir%/committer.h %reldir%/committer.cc %reldir%/spare_files.h %reldir%/spare_files.cc %reldir%/nudger.h %reldir%/nudger.cc \
	%reldir%/milter_settings.h %reldir%/milter_settings.cc %reldir%/milters.h %reldir%/milters.cc \
	%reldir%/transaction.h %reldir%/transaction.cc %reldir%/transaction_filters.cc %reldir%/content.h %reldir%/content.cc %reldir%/conversation.h %reldir%/conversation.cc
daemonexec_PROGRAMS += cleanup/cleanup
cleanup_cleanup_SOURCES = %reldir%/main.cc
cleanup_cleanup_LDADD = cleanup/libcleanup.a lib/queue/libqueue.a lib/content/libcontent.a lib/table/libtable.a lib/net/libnet.a lib/milter/libmilter.a lib/mail/libmail.a $(SERVICE_LIBS) $(DB_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += cleanup/cleanup_test
cleanup_cleanup_test_SOURCES = %reldir%/message_filter_test.cc %reldir%/text_cleaner_test.cc %reldir%/body_filter_test.cc %reldir%/committer_test.cc %reldir%/transaction_test.cc %reldir%/conversation_test.cc %reldir%/actions_test.cc %reldir%/transaction_fixture.h %reldir%/milter_settings_test.cc
cleanup_cleanup_test_CXXFLAGS = $(TEST_CXXFLAGS)
cleanup_cleanup_test_LDADD = tests/support/libsupport.a cleanup/libcleanup.a lib/queue/libqueue.a lib/content/libcontent.a lib/table/libtable.a lib/ipc/libipc.a \
	lib/loop/libloop.a lib/net/libnet.a lib/tls/libtls.a lib/config/libconfig.a lib/milter/libmilter.a lib/sys/libsys.a lib/mail/libmail.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS) $(EVENT_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(TEST_LIBS)
