noinst_LIBRARIES += lib/sys/libsys.a
lib_sys_libsys_a_SOURCES = \
	%reldir%/error.h %reldir%/error.cc %reldir%/fs.h %reldir%/fs.cc %reldir%/fs_parts.h %reldir%/wrapped_fs.h %reldir%/beneath_fs.h %reldir%/beneath_fs.cc %reldir%/group_sync.h %reldir%/group_sync.cc %reldir%/file.h %reldir%/file.cc \
	%reldir%/sandbox.h %reldir%/sandbox.cc %reldir%/users.h %reldir%/users.cc \
	%reldir%/disk_space.h %reldir%/disk_space.cc %reldir%/command.h %reldir%/command.cc \
	%reldir%/stop_signal.h %reldir%/stop_signal.cc %reldir%/client_send.h %reldir%/client_send.cc \
	%reldir%/port.h %reldir%/port.cc %reldir%/program_text.h %reldir%/program_text.cc %reldir%/socket.h %reldir%/socket.cc %reldir%/mapped_file.h %reldir%/mapped_file.cc \
	%reldir%/unix_socket.h %reldir%/unix_socket.cc %reldir%/unix_datagram.h %reldir%/unix_datagram.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/sys/sys_test
lib_sys_sys_test_SOURCES = %reldir%/sys_test.cc %reldir%/socket_test.cc %reldir%/command_test.cc %reldir%/port_test.cc \
	%reldir%/stop_signal_test.cc %reldir%/client_send_test.cc %reldir%/files_test.cc %reldir%/beneath_fs_test.cc %reldir%/packets_test.cc
lib_sys_sys_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_sys_sys_test_LDADD = tests/support/libsupport.a lib/sys/libsys.a lib/base/libbase.a $(TEST_LIBS)
