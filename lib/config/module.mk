noinst_LIBRARIES += lib/config/libconfig.a
lib_config_libconfig_a_SOURCES = \
	%reldir%/types.h %reldir%/params.h %reldir%/params.cc %reldir%/value.h %reldir%/value.cc \
	%reldir%/expand.h %reldir%/expand.cc %reldir%/main_cf.h %reldir%/main_cf.cc \
	%reldir%/master_cf.h %reldir%/master_cf.cc %reldir%/host.h %reldir%/host.cc \
	%reldir%/settings.h %reldir%/settings.cc %reldir%/config.h %reldir%/config.cc \
	%reldir%/params/all.def %reldir%/params/auth.def %reldir%/params/delivery.def \
	%reldir%/params/general.def %reldir%/params/mailbox.def %reldir%/params/queue.def \
	%reldir%/params/smtp.def
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/config/config_test
lib_config_config_test_SOURCES = %reldir%/config_test.cc %reldir%/expand_test.cc \
	%reldir%/main_cf_test.cc %reldir%/master_cf_test.cc %reldir%/value_test.cc
lib_config_config_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_config_config_test_LDADD = lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a $(TEST_LIBS)
