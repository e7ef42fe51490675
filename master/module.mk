daemonexec_PROGRAMS += master/master
master_master_SOURCES = \
	%reldir%/main.cc %reldir%/start.h %reldir%/start.cc %reldir%/supervisor.h %reldir%/supervisor.cc \
	%reldir%/service.h %reldir%/service.cc %reldir%/endpoints.h %reldir%/endpoints.cc \
	%reldir%/process.h %reldir%/process.cc %reldir%/log_file.h %reldir%/log_file.cc %reldir%/notify.h %reldir%/notify.cc
master_master_LDADD = $(SERVICE_LIBS)
EXTRA_DIST += %reldir%/README.md
