noinst_LIBRARIES += lib/sys/libsys.a
lib_sys_libsys_a_SOURCES = %reldir%/error.h %reldir%/error.cc %reldir%/fs.h %reldir%/fs.cc \
	%reldir%/unix_socket.h %reldir%/unix_socket.cc
EXTRA_DIST += %reldir%/README.md
