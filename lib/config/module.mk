# The rows of all parameters.
PARAM_ROWS = \
	%reldir%/params/all.def %reldir%/params/addresses.def %reldir%/params/auth.def \
	%reldir%/params/client.def %reldir%/params/delivery.def %reldir%/params/general.def \
	%reldir%/params/lmtp.def %reldir%/params/mailbox.def %reldir%/params/milter.def \
	%reldir%/params/postscreen.def %reldir%/params/queue.def %reldir%/params/server.def \
	%reldir%/params/smtp.def %reldir%/params/tlsproxy.def %reldir%/params/verify.def

# Which program reads which parameter, from the sources; the file is only touched when that has changed.
lib/config/param_readers.inc: FORCE
	@$(MKDIR_P) lib/config
	@$(top_srcdir)/tools/param-readers $(top_srcdir) >$@.tmp && \
	    if cmp -s $@.tmp $@; then rm -f $@.tmp; else mv $@.tmp $@; fi
lib/config/params.$(OBJEXT): lib/config/param_readers.inc
FORCE:
BUILT_SOURCES += lib/config/param_readers.inc
CLEANFILES += lib/config/param_readers.inc

noinst_LIBRARIES += lib/config/libconfig.a
lib_config_libconfig_a_SOURCES = \
	%reldir%/types.h %reldir%/params.h %reldir%/params.cc %reldir%/value.h %reldir%/value.cc \
	%reldir%/character_set.h %reldir%/character_set.cc %reldir%/reply_footer.h %reldir%/expand.h %reldir%/expand.cc %reldir%/main_cf.h %reldir%/main_cf.cc \
	%reldir%/master_cf.h %reldir%/master_cf.cc %reldir%/host.h %reldir%/host.cc %reldir%/verify_sender.h %reldir%/verify_sender.cc \
	%reldir%/settings.h %reldir%/settings.cc %reldir%/config.h %reldir%/config.cc \
	%reldir%/log_options.h %reldir%/log_options.cc %reldir%/receive_overrides.h %reldir%/receive_overrides.cc %reldir%/check.h %reldir%/check.cc \
	%reldir%/spelling.h %reldir%/spelling.cc %reldir%/dns_list.h %reldir%/dns_list.cc %reldir%/policy_service.h %reldir%/policy_service.cc \
	%reldir%/references.h %reldir%/references.cc %reldir%/process_wide.h %reldir%/process_wide.cc %reldir%/restrictions.h %reldir%/restrictions.cc %reldir%/restriction_check.h %reldir%/restriction_check.cc \
	$(PARAM_ROWS)
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/config/config_test
lib_config_config_test_SOURCES = %reldir%/config_test.cc %reldir%/character_set_test.cc %reldir%/expand_test.cc \
	%reldir%/main_cf_test.cc %reldir%/master_cf_test.cc %reldir%/value_test.cc \
	%reldir%/params_test.cc %reldir%/check_test.cc %reldir%/restrictions_test.cc
lib_config_config_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_config_config_test_LDADD = lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a $(TEST_LIBS)
