# See README.md in this folder.
noinst_LIBRARIES += lib/imap/libimap.a
lib_imap_libimap_a_SOURCES = \
	%reldir%/acl_arguments.h %reldir%/acl_arguments.cc \
	%reldir%/base_subject.h %reldir%/base_subject.cc \
	%reldir%/binary_append.h %reldir%/binary_append.cc \
	%reldir%/client_response.h %reldir%/client_response.cc \
	%reldir%/command.h %reldir%/command.cc \
	%reldir%/command_reader.h %reldir%/command_reader.cc \
	%reldir%/fetch_item.h %reldir%/fetch_item.cc \
	%reldir%/list_arguments.h %reldir%/list_arguments.cc \
	%reldir%/mailbox_filter.h %reldir%/mailbox_filter.cc \
	%reldir%/mailbox_name.h %reldir%/mailbox_name.cc \
	%reldir%/message_url.h %reldir%/message_url.cc \
	%reldir%/metadata_arguments.h %reldir%/metadata_arguments.cc \
	%reldir%/notify_arguments.h %reldir%/notify_arguments.cc \
	%reldir%/parser.h %reldir%/parser.cc \
	%reldir%/response.h %reldir%/response.cc \
	%reldir%/search_arguments.h %reldir%/search_arguments.cc \
	%reldir%/search_key.h %reldir%/search_key.cc \
	%reldir%/sequence_set.h %reldir%/sequence_set.cc \
	%reldir%/thread.h %reldir%/thread.cc \
	%reldir%/url_arguments.h %reldir%/url_arguments.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/imap/imap_test
lib_imap_imap_test_SOURCES = \
	%reldir%/client_response_test.cc %reldir%/command_test.cc \
	%reldir%/extensions_test.cc \
	%reldir%/message_url_test.cc \
	%reldir%/reader_test.cc \
	%reldir%/response_test.cc \
	%reldir%/thread_test.cc
lib_imap_imap_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_imap_imap_test_LDADD = lib/imap/libimap.a lib/mail/libmail.a lib/base/libbase.a $(TEST_LIBS)
