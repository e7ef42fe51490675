# See README.md in this folder.

sbin_PROGRAMS += commands/postern
commands_postern_SOURCES = \
	%reldir%/postern.cc %reldir%/postern_control.h %reldir%/postern_control.cc \
	%reldir%/postern_permissions.h %reldir%/postern_permissions.cc
commands_postern_LDADD = $(SERVICE_LIBS)
