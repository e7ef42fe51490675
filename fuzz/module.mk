# One target per parser (see README.md). By default each is linked with replay_main.cc and runs its seed
# corpus in `make check`; with --enable-fuzzers (CXX=clang++) it becomes a libFuzzer program instead.
if FUZZERS
FUZZ_MAIN =
else
FUZZ_MAIN = %reldir%/replay_main.cc
endif
EXTRA_DIST += %reldir%/README.md %reldir%/corpus %reldir%/replay_main.cc

check_PROGRAMS += fuzz/smtp_reply
fuzz_smtp_reply_SOURCES = %reldir%/smtp_reply_fuzz.cc $(FUZZ_MAIN)
fuzz_smtp_reply_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/smtp_reply"'
fuzz_smtp_reply_LDADD = lib/smtp/libsmtp.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/address
fuzz_address_SOURCES = %reldir%/address_fuzz.cc $(FUZZ_MAIN)
fuzz_address_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/address"'
fuzz_address_LDADD = lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/smtp_command
fuzz_smtp_command_SOURCES = %reldir%/smtp_command_fuzz.cc $(FUZZ_MAIN)
fuzz_smtp_command_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/smtp_command"'
fuzz_smtp_command_LDADD = lib/smtp/libsmtp.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/main_cf
fuzz_main_cf_SOURCES = %reldir%/main_cf_fuzz.cc $(FUZZ_MAIN)
fuzz_main_cf_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/main_cf"'
fuzz_main_cf_LDADD = lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/master_cf
fuzz_master_cf_SOURCES = %reldir%/master_cf_fuzz.cc $(FUZZ_MAIN)
fuzz_master_cf_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/master_cf"'
fuzz_master_cf_LDADD = lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/imap_command
fuzz_imap_command_SOURCES = %reldir%/imap_command_fuzz.cc $(FUZZ_MAIN)
fuzz_imap_command_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/imap_command"'
fuzz_imap_command_LDADD = lib/imap/libimap.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/header
fuzz_header_SOURCES = %reldir%/header_fuzz.cc $(FUZZ_MAIN)
fuzz_header_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/header"'
fuzz_header_LDADD = lib/imap/libimap.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mime
fuzz_mime_SOURCES = %reldir%/mime_fuzz.cc $(FUZZ_MAIN)
fuzz_mime_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/mime"'
fuzz_mime_LDADD = lib/imap/libimap.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)
check_PROGRAMS += fuzz/queue_file
fuzz_queue_file_SOURCES = %reldir%/queue_file_fuzz.cc $(FUZZ_MAIN)
fuzz_queue_file_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/queue_file"'
fuzz_queue_file_LDADD = lib/queue/libqueue.a lib/sys/libsys.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/message_header
fuzz_message_header_SOURCES = %reldir%/message_header_fuzz.cc $(FUZZ_MAIN)
fuzz_message_header_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/message_header"'
fuzz_message_header_LDADD = $(fuzz_content_checks_LDADD)

check_PROGRAMS += fuzz/pop3_command
fuzz_pop3_command_SOURCES = %reldir%/pop3_command_fuzz.cc $(FUZZ_MAIN)
fuzz_pop3_command_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/pop3_command"'
fuzz_pop3_command_LDADD = lib/pop3/libpop3.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/imap_login
fuzz_imap_login_SOURCES = %reldir%/imap_login_fuzz.cc $(FUZZ_MAIN)
fuzz_imap_login_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/imap_login"'
fuzz_imap_login_LDADD = $(LOGIN_LIBS) $(FUZZ_LIBS)
check_PROGRAMS += fuzz/dns_rdata
fuzz_dns_rdata_SOURCES = %reldir%/dns_rdata_fuzz.cc $(FUZZ_MAIN)
fuzz_dns_rdata_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/dns_rdata"'
fuzz_dns_rdata_LDADD = lib/dns/libdns.a lib/loop/libloop.a lib/base/libbase.a $(UNBOUND_LIBS) $(EVENT_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/bounce_log
fuzz_bounce_log_SOURCES = %reldir%/bounce_log_fuzz.cc $(FUZZ_MAIN)
fuzz_bounce_log_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/bounce_log"'
fuzz_bounce_log_LDADD = lib/queue/libqueue.a lib/sys/libsys.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/ipc_message
fuzz_ipc_message_SOURCES = %reldir%/ipc_message_fuzz.cc $(FUZZ_MAIN)
fuzz_ipc_message_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/ipc_message"'
fuzz_ipc_message_LDADD = lib/ipc/libipc.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/forward_file
fuzz_forward_file_SOURCES = %reldir%/forward_file_fuzz.cc $(FUZZ_MAIN)
fuzz_forward_file_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/forward_file"'
fuzz_forward_file_LDADD = $(LOCAL_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/table_text
fuzz_table_text_SOURCES = %reldir%/table_text_fuzz.cc $(FUZZ_MAIN)
fuzz_table_text_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/table_text"'
fuzz_table_text_LDADD = lib/table/libtable.a lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a $(DB_LIBS) $(FUZZ_LIBS)

FUZZ_MAILBOX_LIBS = lib/mailbox/libmailbox.a lib/imap/libimap.a lib/sys/libsys.a lib/mail/libmail.a lib/base/libbase.a
check_PROGRAMS += fuzz/mailbox_log
fuzz_mailbox_log_SOURCES = %reldir%/mailbox_log_fuzz.cc $(FUZZ_MAIN)
fuzz_mailbox_log_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/mailbox_log"'
fuzz_mailbox_log_LDADD = $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mailbox_index
fuzz_mailbox_index_SOURCES = %reldir%/mailbox_index_fuzz.cc $(FUZZ_MAIN)
fuzz_mailbox_index_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/mailbox_index"'
fuzz_mailbox_index_LDADD = $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mailbox_cache
fuzz_mailbox_cache_SOURCES = %reldir%/mailbox_cache_fuzz.cc $(FUZZ_MAIN)
fuzz_mailbox_cache_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/mailbox_cache"'
fuzz_mailbox_cache_LDADD = $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mailbox_uids
fuzz_mailbox_uids_SOURCES = %reldir%/mailbox_uids_fuzz.cc $(FUZZ_MAIN)
fuzz_mailbox_uids_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/mailbox_uids"'
fuzz_mailbox_uids_LDADD = $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/content_checks
fuzz_content_checks_SOURCES = %reldir%/content_checks_fuzz.cc $(FUZZ_MAIN)
fuzz_content_checks_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPUS='"$(abs_top_srcdir)/fuzz/corpus/content_checks"'
fuzz_content_checks_LDADD = cleanup/libcleanup.a lib/queue/libqueue.a lib/table/libtable.a lib/config/libconfig.a lib/sys/libsys.a \
	lib/mail/libmail.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS) $(FUZZ_LIBS)
