# See README.md in this folder. What a command and its test both need is an archive: compiled once.

noinst_LIBRARIES += commands/libadmin.a
commands_libadmin_a_SOURCES = \
	%reldir%/postern_control.h %reldir%/postern_control.cc \
	%reldir%/postern_check.h %reldir%/postern_check.cc %reldir%/value_check.h %reldir%/value_check.cc \
	%reldir%/postern_logrotate.h %reldir%/postern_logrotate.cc \
	%reldir%/postern_permissions.h %reldir%/postern_permissions.cc %reldir%/postern_user.h %reldir%/postern_user.cc \
	%reldir%/postern_mailbox.h %reldir%/postern_mailbox.cc %reldir%/postern_who.h %reldir%/postern_who.cc \
	%reldir%/imap_import.h %reldir%/imap_import.cc %reldir%/imap_source.h %reldir%/imap_source.cc \
	%reldir%/instances.h %reldir%/instances.cc %reldir%/instance_edit.h %reldir%/instance_edit.cc
commands_libadmin_a_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_DATADIR='"$(datadir)/postern"'
sbin_PROGRAMS += commands/postern
commands_postern_SOURCES = %reldir%/postern.cc
POSTERN_LIBS = commands/libadmin.a commands/liblisting.a lib/queue/libqueue.a lib/table/libtable.a lib/mailbox/libmailbox.a lib/imap/libimap.a lib/pop3/libpop3.a lib/net/libnet.a lib/sasl/libsasl.a lib/mail/libmail.a $(SERVICE_LIBS) lib/crypto/libpcrypto.a \
	lib/base/libbase.a $(SSL_LIBS) $(CRYPTO_LIBS) $(CRYPT_LIBS) $(ARGON2_LIBS) $(DB_LIBS) $(ZLIB_LIBS)
commands_postern_LDADD = $(POSTERN_LIBS)
sbin_PROGRAMS += commands/postmulti
commands_postmulti_SOURCES = %reldir%/postmulti.cc
commands_postmulti_LDADD = commands/libadmin.a commands/libpostconf.a $(POSTERN_LIBS)

check_PROGRAMS += commands/postern_test
commands_postern_test_SOURCES = \
	%reldir%/postern_check_test.cc %reldir%/postern_logrotate_test.cc %reldir%/postern_user_test.cc %reldir%/postern_mailbox_test.cc \
	%reldir%/instances_test.cc %reldir%/postern_who_test.cc
commands_postern_test_CXXFLAGS = $(TEST_CXXFLAGS)
commands_postern_test_LDADD = commands/libadmin.a commands/libpostconf.a $(POSTERN_LIBS) tests/support/libsupport.a $(POSTERN_LIBS) $(TEST_LIBS)

sbin_PROGRAMS += commands/postconf commands/postlog
noinst_LIBRARIES += commands/libpostconf.a
commands_libpostconf_a_SOURCES = \
	%reldir%/postconf.h %reldir%/postconf_show.cc %reldir%/postconf_edit.cc %reldir%/postconf_manual.cc %reldir%/postconf_html.cc \
	%reldir%/parameter_text.h %reldir%/parameter_text.cc %reldir%/postconf_bounce.cc
commands_postconf_SOURCES = %reldir%/postconf.cc
commands_postconf_LDADD = commands/libpostconf.a lib/queue/libqueue.a lib/table/libtable.a lib/config/libconfig.a lib/sys/libsys.a lib/crypto/libpcrypto.a lib/log/liblog.a lib/base/libbase.a \
	$(DB_LIBS) $(CRYPTO_LIBS)
commands_postlog_SOURCES = %reldir%/postlog.cc
commands_postlog_LDADD = lib/config/libconfig.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a

check_PROGRAMS += commands/postconf_test
commands_postconf_test_SOURCES = %reldir%/postconf_test.cc
commands_postconf_test_CXXFLAGS = $(TEST_CXXFLAGS)
commands_postconf_test_LDADD = commands/libpostconf.a lib/queue/libqueue.a lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a $(TEST_LIBS)
# Local submission. These programs start once per message: few libraries, nothing that needs OpenSSL.
SUBMIT_LIBS = commands/libsubmit.a lib/queue/libqueue.a lib/config/libconfig.a lib/smtp/libsmtp.a lib/sys/libsys.a lib/mail/libmail.a \
	lib/log/liblog.a lib/base/libbase.a
# What a local user may do, which tables may say.
USER_ACCESS_LIBS = commands/libaccess.a lib/table/libtable.a $(SUBMIT_LIBS) $(DB_LIBS)
noinst_LIBRARIES += commands/libaccess.a
commands_libaccess_a_SOURCES = %reldir%/user_access.h %reldir%/user_access.cc
noinst_LIBRARIES += commands/libsubmit.a
commands_libsubmit_a_SOURCES = \
	%reldir%/submission.h %reldir%/submission.cc %reldir%/sendmail_options.h %reldir%/sendmail_options.cc \
	%reldir%/sendmail_message.h %reldir%/sendmail_message.cc %reldir%/stand_alone.h %reldir%/stand_alone.cc %reldir%/postcat_print.h %reldir%/postcat_print.cc \
	%reldir%/requeue.h %reldir%/requeue.cc
sbin_PROGRAMS += commands/sendmail commands/postdrop commands/postcat
commands_sendmail_SOURCES = %reldir%/sendmail.cc
commands_sendmail_LDADD = $(SUBMIT_LIBS)
commands_postdrop_SOURCES = %reldir%/postdrop.cc
commands_postdrop_LDADD = $(USER_ACCESS_LIBS)
commands_postcat_SOURCES = %reldir%/postcat.cc
commands_postcat_LDADD = $(SUBMIT_LIBS)

check_PROGRAMS += commands/submit_test
commands_submit_test_SOURCES = %reldir%/submit_test.cc %reldir%/user_access_test.cc %reldir%/requeue_test.cc %reldir%/stand_alone_test.cc
commands_submit_test_CXXFLAGS = $(TEST_CXXFLAGS)
commands_submit_test_LDADD = tests/support/libsupport.a $(USER_ACCESS_LIBS) $(TEST_LIBS)

# Queue commands. mailq is postqueue by another name (a symbolic link, see install-exec-hook).
noinst_LIBRARIES += commands/liblisting.a
commands_liblisting_a_SOURCES = \
	%reldir%/queue_listing.h %reldir%/queue_listing.cc %reldir%/queue_shape.h %reldir%/queue_shape.cc \
	%reldir%/queue_why.h %reldir%/queue_why.cc
sbin_PROGRAMS += commands/postqueue commands/postsuper commands/qshape
commands_postqueue_SOURCES = %reldir%/postqueue.cc
commands_postqueue_LDADD = commands/liblisting.a commands/libaccess.a lib/queue/libqueue.a lib/ipc/libipc.a lib/table/libtable.a \
	lib/config/libconfig.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS)
commands_postsuper_SOURCES = %reldir%/postsuper.cc
commands_postsuper_LDADD = commands/libsubmit.a $(commands_postqueue_LDADD)
commands_qshape_SOURCES = %reldir%/qshape.cc
commands_qshape_LDADD = $(commands_postqueue_LDADD)

sbin_PROGRAMS += commands/postkick commands/postlock
commands_postkick_SOURCES = %reldir%/postkick.cc
commands_postkick_LDADD = lib/ipc/libipc.a lib/config/libconfig.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a
commands_postlock_SOURCES = %reldir%/postlock.cc
commands_postlock_LDADD = lib/mailbox/libmailbox.a lib/config/libconfig.a lib/sys/libsys.a lib/crypto/libpcrypto.a lib/log/liblog.a lib/base/libbase.a $(CRYPTO_LIBS) $(ZLIB_LIBS)

noinst_LIBRARIES += commands/libstory.a
commands_libstory_a_SOURCES = \
	%reldir%/story.h %reldir%/story.cc %reldir%/story_text.h %reldir%/story_text.cc \
	%reldir%/rule_place.h %reldir%/rule_place.cc
sbin_PROGRAMS += commands/mailtrace
MAILTRACE_LIBS = commands/libstory.a commands/liblisting.a lib/queue/libqueue.a lib/ipc/libipc.a lib/table/libtable.a \
	lib/config/libconfig.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS)
commands_mailtrace_SOURCES = %reldir%/mailtrace.cc
commands_mailtrace_LDADD = $(MAILTRACE_LIBS)

check_PROGRAMS += commands/story_test
commands_story_test_SOURCES = %reldir%/story_test.cc
commands_story_test_CXXFLAGS = $(TEST_CXXFLAGS)
commands_story_test_LDADD = $(MAILTRACE_LIBS) $(TEST_LIBS)

check_PROGRAMS += commands/queue_listing_test
commands_queue_listing_test_SOURCES = %reldir%/queue_listing_test.cc %reldir%/queue_shape_test.cc %reldir%/queue_why_test.cc
commands_queue_listing_test_CXXFLAGS = $(TEST_CXXFLAGS)
commands_queue_listing_test_LDADD = commands/liblisting.a lib/ipc/libipc.a lib/sys/libsys.a lib/base/libbase.a $(TEST_LIBS)

# Test load.
noinst_LIBRARIES += commands/libload.a
commands_libload_a_SOURCES = \
	%reldir%/load_generator.h %reldir%/load_generator.cc %reldir%/sink_session.h %reldir%/sink_session.cc
bin_PROGRAMS += commands/smtp-source
LOAD_LIBS = commands/libload.a lib/smtp/libsmtp.a lib/mail/libmail.a lib/net/libnet.a lib/loop/libloop.a lib/tls/libtls.a \
	lib/log/liblog.a lib/sys/libsys.a lib/base/libbase.a $(EVENT_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
commands_smtp_source_SOURCES = %reldir%/smtp_source.cc
commands_smtp_source_LDADD = $(LOAD_LIBS)
check_PROGRAMS += commands/load_generator_test
commands_load_generator_test_SOURCES = %reldir%/load_generator_test.cc
commands_load_generator_test_CXXFLAGS = $(TEST_CXXFLAGS)
commands_load_generator_test_LDADD = $(LOAD_LIBS) $(TEST_LIBS)

# The other end of test load.
bin_PROGRAMS += commands/smtp-sink
commands_smtp_sink_SOURCES = %reldir%/smtp_sink.cc
commands_smtp_sink_LDADD = $(LOAD_LIBS)
check_PROGRAMS += commands/sink_session_test
commands_sink_session_test_SOURCES = %reldir%/sink_session_test.cc
commands_sink_session_test_CXXFLAGS = $(TEST_CXXFLAGS)
commands_sink_session_test_LDADD = $(LOAD_LIBS) $(TEST_LIBS)

# Lookup tables; one source, which looks at its own name.
noinst_LIBRARIES += commands/libpostmap.a
commands_libpostmap_a_SOURCES = %reldir%/postmap.h %reldir%/postmap.cc %reldir%/message_keys.h %reldir%/message_keys.cc
POSTMAP_LIBS = commands/libpostmap.a lib/table/libtable.a lib/config/libconfig.a lib/sys/libsys.a lib/mail/libmail.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS)
sbin_PROGRAMS += commands/postmap commands/postalias
commands_postmap_SOURCES = %reldir%/postmap_main.cc
commands_postmap_LDADD = $(POSTMAP_LIBS)
commands_postalias_SOURCES = %reldir%/postmap_main.cc
commands_postalias_LDADD = $(POSTMAP_LIBS)

check_PROGRAMS += commands/postmap_test
commands_postmap_test_SOURCES = %reldir%/postmap_test.cc
commands_postmap_test_CXXFLAGS = $(TEST_CXXFLAGS)
commands_postmap_test_LDADD = $(POSTMAP_LIBS) $(TEST_LIBS)
