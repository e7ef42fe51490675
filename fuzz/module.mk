# One target per parser (see README.md). By default each is linked with replay_main.cc and runs its seed
# corpus in `make check`; with --enable-fuzzers (CXX=clang++) it becomes a libFuzzer program instead.
if FUZZERS
FUZZ_MAIN =
else
check_LIBRARIES += fuzz/libreplay.a
fuzz_libreplay_a_SOURCES = %reldir%/replay_main.cc
fuzz_libreplay_a_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_CORPORA='"$(abs_top_srcdir)/fuzz/corpus"'
FUZZ_MAIN = fuzz/libreplay.a
endif
EXTRA_DIST += %reldir%/README.md %reldir%/corpus %reldir%/replay_main.cc

check_PROGRAMS += fuzz/smtp_reply
fuzz_smtp_reply_SOURCES = %reldir%/smtp_reply_fuzz.cc
fuzz_smtp_reply_LDADD = $(FUZZ_MAIN) lib/smtp/libsmtp.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/address
fuzz_address_SOURCES = %reldir%/address_fuzz.cc
fuzz_address_LDADD = $(FUZZ_MAIN) lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/internationalised
fuzz_internationalised_SOURCES = %reldir%/internationalised_fuzz.cc
fuzz_internationalised_LDADD = $(FUZZ_MAIN) lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/smtp_command
fuzz_smtp_command_SOURCES = %reldir%/smtp_command_fuzz.cc
fuzz_smtp_command_LDADD = $(FUZZ_MAIN) lib/smtp/libsmtp.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/main_cf
fuzz_main_cf_SOURCES = %reldir%/main_cf_fuzz.cc
fuzz_main_cf_LDADD = $(FUZZ_MAIN) lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/master_cf
fuzz_master_cf_SOURCES = %reldir%/master_cf_fuzz.cc
fuzz_master_cf_LDADD = $(FUZZ_MAIN) lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/restrictions
fuzz_restrictions_SOURCES = %reldir%/restrictions_fuzz.cc
fuzz_restrictions_LDADD = $(FUZZ_MAIN) lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/imap_command
fuzz_imap_command_SOURCES = %reldir%/imap_command_fuzz.cc
fuzz_imap_command_LDADD = $(FUZZ_MAIN) lib/imap/libimap.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/client_response
fuzz_client_response_SOURCES = %reldir%/client_response_fuzz.cc
fuzz_client_response_LDADD = $(FUZZ_MAIN) lib/imap/libimap.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/header
fuzz_header_SOURCES = %reldir%/header_fuzz.cc
fuzz_header_LDADD = $(FUZZ_MAIN) lib/imap/libimap.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mime
fuzz_mime_SOURCES = %reldir%/mime_fuzz.cc
fuzz_mime_LDADD = $(FUZZ_MAIN) lib/imap/libimap.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)
check_PROGRAMS += fuzz/queue_file
fuzz_queue_file_SOURCES = %reldir%/queue_file_fuzz.cc
fuzz_queue_file_LDADD = $(FUZZ_MAIN) lib/queue/libqueue.a lib/log/liblog.a lib/sys/libsys.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/message_header
fuzz_message_header_SOURCES = %reldir%/message_header_fuzz.cc
fuzz_message_header_LDADD = $(FUZZ_MAIN) $(fuzz_content_checks_LDADD)

check_PROGRAMS += fuzz/pop3_command
fuzz_pop3_command_SOURCES = %reldir%/pop3_command_fuzz.cc
fuzz_pop3_command_LDADD = $(FUZZ_MAIN) lib/pop3/libpop3.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/imap_login
fuzz_imap_login_SOURCES = %reldir%/imap_login_fuzz.cc
fuzz_imap_login_LDADD = $(FUZZ_MAIN) $(LOGIN_LIBS) $(FUZZ_LIBS)
check_PROGRAMS += fuzz/dns_rdata
fuzz_dns_rdata_SOURCES = %reldir%/dns_rdata_fuzz.cc
fuzz_dns_rdata_LDADD = $(FUZZ_MAIN) lib/dns/libdns.a lib/loop/libloop.a lib/base/libbase.a $(UNBOUND_LIBS) $(EVENT_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/bounce_log
fuzz_bounce_log_SOURCES = %reldir%/bounce_log_fuzz.cc
fuzz_bounce_log_LDADD = $(FUZZ_MAIN) lib/queue/libqueue.a lib/log/liblog.a lib/sys/libsys.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/ipc_message
fuzz_ipc_message_SOURCES = %reldir%/ipc_message_fuzz.cc
fuzz_ipc_message_LDADD = $(FUZZ_MAIN) lib/ipc/libipc.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/forward_file
fuzz_forward_file_SOURCES = %reldir%/forward_file_fuzz.cc
fuzz_forward_file_LDADD = $(FUZZ_MAIN) $(LOCAL_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/table_text
fuzz_table_text_SOURCES = %reldir%/table_text_fuzz.cc
fuzz_table_text_LDADD = $(FUZZ_MAIN) lib/table/libtable.a lib/config/libconfig.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS) $(FUZZ_LIBS)

FUZZ_MAILBOX_LIBS = lib/mailbox/libmailbox.a lib/imap/libimap.a lib/sys/libsys.a lib/mail/libmail.a lib/crypto/libpcrypto.a lib/log/liblog.a lib/base/libbase.a $(CRYPTO_LIBS) $(ZLIB_LIBS)
check_PROGRAMS += fuzz/mailbox_log
fuzz_mailbox_log_SOURCES = %reldir%/mailbox_log_fuzz.cc
fuzz_mailbox_log_LDADD = $(FUZZ_MAIN) $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mailbox_index
fuzz_mailbox_index_SOURCES = %reldir%/mailbox_index_fuzz.cc
fuzz_mailbox_index_LDADD = $(FUZZ_MAIN) $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mailbox_cache
fuzz_mailbox_cache_SOURCES = %reldir%/mailbox_cache_fuzz.cc
fuzz_mailbox_cache_LDADD = $(FUZZ_MAIN) $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mailbox_uids
fuzz_mailbox_uids_SOURCES = %reldir%/mailbox_uids_fuzz.cc
fuzz_mailbox_uids_LDADD = $(FUZZ_MAIN) $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mailbox_seen
fuzz_mailbox_seen_SOURCES = %reldir%/mailbox_seen_fuzz.cc
fuzz_mailbox_seen_LDADD = $(FUZZ_MAIN) $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mailbox_quota
fuzz_mailbox_quota_SOURCES = %reldir%/mailbox_quota_fuzz.cc
fuzz_mailbox_quota_LDADD = $(FUZZ_MAIN) $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/shared_dict
fuzz_shared_dict_SOURCES = %reldir%/shared_dict_fuzz.cc
fuzz_shared_dict_LDADD = $(FUZZ_MAIN) $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/mailbox_foreign
fuzz_mailbox_foreign_SOURCES = %reldir%/mailbox_foreign_fuzz.cc
fuzz_mailbox_foreign_LDADD = $(FUZZ_MAIN) $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/content_checks
fuzz_content_checks_SOURCES = %reldir%/content_checks_fuzz.cc
fuzz_content_checks_LDADD = $(FUZZ_MAIN) cleanup/libcleanup.a lib/queue/libqueue.a lib/content/libcontent.a lib/table/libtable.a lib/config/libconfig.a lib/sys/libsys.a \
	lib/mail/libmail.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/seven_bit
fuzz_seven_bit_SOURCES = %reldir%/seven_bit_fuzz.cc
fuzz_seven_bit_LDADD = $(FUZZ_MAIN) $(fuzz_content_checks_LDADD)

check_PROGRAMS += fuzz/trace_record
fuzz_trace_record_SOURCES = %reldir%/trace_record_fuzz.cc
fuzz_trace_record_LDADD = $(FUZZ_MAIN) lib/log/liblog.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/milter
fuzz_milter_SOURCES = %reldir%/milter_fuzz.cc
fuzz_milter_LDADD = $(FUZZ_MAIN) lib/milter/libmilter.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/words
fuzz_words_SOURCES = %reldir%/words_fuzz.cc
fuzz_words_LDADD = $(FUZZ_MAIN) lib/fulltext/libfulltext.a lib/sys/libsys.a lib/mail/libmail.a lib/base/libbase.a $(XAPIAN_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/scram
fuzz_scram_SOURCES = %reldir%/scram_fuzz.cc
fuzz_scram_LDADD = $(FUZZ_MAIN) lib/sasl/libsasl.a lib/mail/libmail.a lib/crypto/libpcrypto.a lib/base/libbase.a $(CRYPTO_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/passwd_file
fuzz_passwd_file_SOURCES = %reldir%/passwd_file_fuzz.cc
fuzz_passwd_file_LDADD = $(FUZZ_MAIN) lib/sasl/libsasl.a lib/mail/libmail.a lib/crypto/libpcrypto.a lib/base/libbase.a $(CRYPTO_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/bearer_token
fuzz_bearer_token_SOURCES = %reldir%/bearer_token_fuzz.cc
fuzz_bearer_token_LDADD = $(FUZZ_MAIN) lib/sasl/libsasl.a lib/mail/libmail.a lib/crypto/libpcrypto.a lib/base/libbase.a $(CRYPTO_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/http_response
fuzz_http_response_SOURCES = %reldir%/http_response_fuzz.cc
fuzz_http_response_LDADD = $(FUZZ_MAIN) lib/net/libnet.a lib/tls/libtls.a lib/crypto/libpcrypto.a lib/sys/libsys.a lib/base/libbase.a $(SSL_LIBS) $(CRYPTO_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/compressed
fuzz_compressed_SOURCES = %reldir%/compressed_fuzz.cc
fuzz_compressed_LDADD = $(FUZZ_MAIN) $(FUZZ_MAILBOX_LIBS) $(FUZZ_LIBS)

check_PROGRAMS += fuzz/message_url
fuzz_message_url_SOURCES = %reldir%/message_url_fuzz.cc
fuzz_message_url_LDADD = $(FUZZ_MAIN) lib/imap/libimap.a lib/mail/libmail.a lib/base/libbase.a $(FUZZ_LIBS)

check_PROGRAMS += fuzz/preview
fuzz_preview_SOURCES = %reldir%/preview_fuzz.cc
fuzz_preview_LDADD = $(FUZZ_MAIN) imapd/libimapd.a lib/fulltext/libfulltext.a lib/ipc/libipc.a $(FUZZ_MAILBOX_LIBS) $(XAPIAN_LIBS) $(FUZZ_LIBS)
