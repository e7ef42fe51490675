# See README.md in this folder.

sbin_PROGRAMS += commands/postern
commands_postern_SOURCES = \
	%reldir%/postern.cc %reldir%/postern_control.h %reldir%/postern_control.cc \
	%reldir%/postern_permissions.h %reldir%/postern_permissions.cc
commands_postern_LDADD = $(SERVICE_LIBS)

sbin_PROGRAMS += commands/postconf commands/postlog
commands_postconf_SOURCES = \
	%reldir%/postconf.h %reldir%/postconf.cc %reldir%/postconf_show.cc %reldir%/postconf_edit.cc \
	%reldir%/postconf_manual.cc
commands_postconf_LDADD = lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a
commands_postlog_SOURCES = %reldir%/postlog.cc
commands_postlog_LDADD = lib/config/libconfig.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a

check_PROGRAMS += commands/postconf_test
commands_postconf_test_SOURCES = \
	%reldir%/postconf_test.cc %reldir%/postconf_show.cc %reldir%/postconf_edit.cc %reldir%/postconf_manual.cc
commands_postconf_test_CXXFLAGS = $(TEST_CXXFLAGS)
commands_postconf_test_LDADD = lib/config/libconfig.a lib/sys/libsys.a lib/base/libbase.a $(TEST_LIBS)
