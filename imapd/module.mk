# See README.md in this folder. The archive is for the test, which drives Session over a socketpair.
noinst_LIBRARIES += imapd/libimapd.a
imapd_libimapd_a_SOURCES = \
	%reldir%/acl_commands.cc \
	%reldir%/append.cc \
	%reldir%/metadata_commands.cc \
	%reldir%/deflate.h %reldir%/deflate.cc \
	%reldir%/enable.cc \
	%reldir%/header_source.h %reldir%/header_source.cc \
	%reldir%/quota_commands.cc \
	%reldir%/preview.h %reldir%/preview.cc \
	%reldir%/sort.h %reldir%/sort.cc \
	%reldir%/resync.h %reldir%/resync.cc \
	%reldir%/search_command.cc \
	%reldir%/selection.cc \
	%reldir%/namespaces.h %reldir%/namespaces.cc \
	%reldir%/notify.h %reldir%/notify.cc %reldir%/notify_commands.cc \
	%reldir%/contexts.h %reldir%/contexts.cc \
	%reldir%/connection.h %reldir%/connection.cc \
	%reldir%/fetch.h %reldir%/fetch.cc \
	%reldir%/flag_names.h %reldir%/flag_names.cc \
	%reldir%/folder_commands.cc \
	%reldir%/folder_names.h %reldir%/folder_names.cc \
	%reldir%/hibernation.h %reldir%/hibernation.cc \
	%reldir%/idle.cc \
	%reldir%/listing.h %reldir%/listing.cc \
	%reldir%/message_commands.cc \
	%reldir%/message_limit.cc \
	%reldir%/indexer.h %reldir%/indexer.cc \
	%reldir%/message_text.h %reldir%/message_text.cc \
	%reldir%/message_source.h %reldir%/message_source.cc \
	%reldir%/message_urls.h %reldir%/message_urls.cc \
	%reldir%/thread_id.h %reldir%/thread_id.cc \
	%reldir%/url_commands.cc \
	%reldir%/search.h %reldir%/search.cc \
	%reldir%/session.h %reldir%/session.cc
EXTRA_DIST += %reldir%/README.md

daemonexec_PROGRAMS += imapd/imapd
imapd_imapd_SOURCES = %reldir%/main.cc
imapd_imapd_LDADD = imapd/libimapd.a lib/fulltext/libfulltext.a lib/mailbox/libmailbox.a lib/imap/libimap.a lib/mail/libmail.a $(SERVICE_LIBS) \
	lib/crypto/libpcrypto.a lib/base/libbase.a $(SSL_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS) $(XAPIAN_LIBS)

check_PROGRAMS += imapd/imapd_test
imapd_imapd_test_SOURCES = %reldir%/session_test.cc %reldir%/cache_session_test.cc %reldir%/list_test.cc \
	%reldir%/rfc7162_test.cc %reldir%/rfc7162_qresync_test.cc %reldir%/rfc_search_test.cc %reldir%/rfc_sort_test.cc %reldir%/rfc5465_test.cc %reldir%/rfc_messages_test.cc %reldir%/histories_test.cc \
	%reldir%/hibernation_test.cc %reldir%/indexer_test.cc %reldir%/quota_session_test.cc %reldir%/resync_test.cc %reldir%/rev2_test.cc %reldir%/sort_test.cc %reldir%/deflate_test.cc %reldir%/message_limit_test.cc %reldir%/rfc_examples_test.cc %reldir%/rfc9051_test.cc %reldir%/rfc5258_test.cc %reldir%/rfc9051_messages_test.cc %reldir%/metadata_test.cc %reldir%/contexts_test.cc %reldir%/extensions_test.cc %reldir%/acl_test.cc %reldir%/shared_session_test.cc %reldir%/notify_test.cc %reldir%/url_test.cc %reldir%/rfc7162_fixture.h %reldir%/test_client.h %reldir%/units_test.cc
imapd_imapd_test_SOURCES += %reldir%/rfc_append_test.cc %reldir%/rfc_urlauth_test.cc %reldir%/rfc_folders_test.cc
imapd_imapd_test_CXXFLAGS = $(TEST_CXXFLAGS)
imapd_imapd_test_LDADD = imapd/libimapd.a tests/support/libsupport.a lib/fulltext/libfulltext.a lib/mailbox/libmailbox.a lib/imap/libimap.a lib/mail/libmail.a \
	lib/ipc/libipc.a lib/sys/libsys.a lib/crypto/libpcrypto.a lib/log/liblog.a lib/base/libbase.a $(CRYPTO_LIBS) $(TEST_LIBS) $(ZLIB_LIBS) $(XAPIAN_LIBS)
