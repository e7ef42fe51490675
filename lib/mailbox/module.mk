# See README.md in this folder.
noinst_LIBRARIES += lib/mailbox/libmailbox.a
lib_mailbox_libmailbox_a_SOURCES = \
	%reldir%/flags.h %reldir%/flags.cc %reldir%/message_name.h %reldir%/message_name.cc \
	%reldir%/maildir_delivery.h %reldir%/maildir_delivery.cc %reldir%/folder_lock.h %reldir%/folder_lock.cc \
	%reldir%/line_log.h %reldir%/line_log.cc %reldir%/uid_list.h %reldir%/uid_list.cc \
	%reldir%/folder_scan.h %reldir%/folder_scan.cc \
	%reldir%/index_format.h %reldir%/changes.h %reldir%/changes.cc %reldir%/change_log.h %reldir%/change_log.cc \
	%reldir%/folder_index.h %reldir%/folder_index.cc %reldir%/snapshot.cc %reldir%/reconcile.cc \
	%reldir%/appender.h %reldir%/appender.cc %reldir%/mbox_lock.h %reldir%/mbox_lock.cc \
	%reldir%/metadata.h %reldir%/metadata.cc \
	%reldir%/expunge_history.h %reldir%/expunge_history.cc %reldir%/expunged_files.h %reldir%/expunged_files.cc \
	%reldir%/compressed.h %reldir%/compressed.cc %reldir%/summary.h %reldir%/summary.cc %reldir%/message_cache.h %reldir%/message_cache.cc \
	%reldir%/read_ahead.h %reldir%/read_ahead.cc %reldir%/view.h %reldir%/view.cc %reldir%/view_write.cc %reldir%/mailbox.h %reldir%/mailbox.cc \
	%reldir%/acl.h %reldir%/acl.cc %reldir%/folder_watch.h %reldir%/folder_watch.cc %reldir%/foreign.h %reldir%/foreign.cc %reldir%/mbox_text.h %reldir%/mbox_text.cc \
	%reldir%/prepare_new.h %reldir%/prepare_new.cc %reldir%/mbox_file.h %reldir%/mbox_file.cc %reldir%/mbox_inbox.h %reldir%/mbox_inbox.cc \
	%reldir%/transfer.h %reldir%/transfer.cc \
	%reldir%/quota.h %reldir%/quota.cc %reldir%/group_fs.h %reldir%/group_fs.cc \
	%reldir%/private_seen.h %reldir%/private_seen.cc %reldir%/shared_view.h %reldir%/shared_view.cc \
	%reldir%/private_place.h %reldir%/private_place.cc %reldir%/remove_tree.h %reldir%/remove_tree.cc \
	%reldir%/shared_dict.h %reldir%/shared_dict.cc \
	%reldir%/store.h %reldir%/store.cc %reldir%/mounts.cc
EXTRA_DIST += %reldir%/README.md

EXTRA_DIST += %reldir%/test_folder.h
check_PROGRAMS += lib/mailbox/mailbox_test
lib_mailbox_mailbox_test_SOURCES = %reldir%/message_name_test.cc %reldir%/compressed_test.cc %reldir%/read_ahead_test.cc %reldir%/delivery_test.cc %reldir%/view_test.cc %reldir%/quota_test.cc %reldir%/store_test.cc \
	%reldir%/crash_test.cc %reldir%/change_log_test.cc %reldir%/index_test.cc %reldir%/cache_test.cc \
	%reldir%/history_test.cc %reldir%/acl_test.cc %reldir%/shared_test.cc %reldir%/private_place_test.cc %reldir%/hostile_folder_test.cc %reldir%/foreign_test.cc %reldir%/transfer_test.cc \
	%reldir%/mbox_file_test.cc %reldir%/mbox_inbox_test.cc
lib_mailbox_mailbox_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_mailbox_mailbox_test_LDADD = lib/mailbox/libmailbox.a tests/support/libsupport.a lib/imap/libimap.a lib/sys/libsys.a \
	lib/mail/libmail.a lib/crypto/libpcrypto.a lib/log/liblog.a lib/base/libbase.a $(CRYPTO_LIBS) $(ZLIB_LIBS) $(TEST_LIBS)
