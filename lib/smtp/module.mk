# See README.md in this folder.
noinst_LIBRARIES += lib/smtp/libsmtp.a
lib_smtp_libsmtp_a_SOURCES = \
	%reldir%/reply.h %reldir%/reply.cc %reldir%/dot_stuffer.h %reldir%/dot_stuffer.cc \
	%reldir%/client_session.h %reldir%/client_session.cc %reldir%/client_extensions.cc \
	%reldir%/client_opening.cc %reldir%/client_commands.cc \
	%reldir%/delivery_options.h %reldir%/delivery_options.cc %reldir%/command.h %reldir%/command.cc %reldir%/data_decoder.h %reldir%/data_decoder.cc \
	%reldir%/proxy_header.h %reldir%/proxy_header.cc %reldir%/proxy_commands.h %reldir%/proxy_commands.cc %reldir%/reply_footer.h %reldir%/reply_footer.cc \
	%reldir%/server_session.h %reldir%/server_session.cc %reldir%/server_session_client.cc

EXTRA_DIST += %reldir%/README.md
check_PROGRAMS += lib/smtp/smtp_test
lib_smtp_smtp_test_SOURCES = \
	%reldir%/reply_test.cc %reldir%/dot_stuffer_test.cc %reldir%/client_session_test.cc %reldir%/client_extensions_test.cc %reldir%/client_workarounds_test.cc \
	%reldir%/command_test.cc %reldir%/delivery_options_test.cc %reldir%/data_decoder_test.cc %reldir%/server_lines_test.cc %reldir%/proxy_header_test.cc %reldir%/server_session_test.cc %reldir%/proxy_commands_test.cc
lib_smtp_smtp_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_smtp_smtp_test_LDADD = lib/smtp/libsmtp.a lib/mail/libmail.a lib/base/libbase.a $(TEST_LIBS)
