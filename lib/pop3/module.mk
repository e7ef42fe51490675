# See README.md in this folder.
noinst_LIBRARIES += lib/pop3/libpop3.a
lib_pop3_libpop3_a_SOURCES = \
	%reldir%/command.h %reldir%/command.cc %reldir%/login_session.h %reldir%/login_session.cc \
	%reldir%/session.h %reldir%/session.cc %reldir%/uidl.h %reldir%/uidl.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/pop3/pop3_test
lib_pop3_pop3_test_SOURCES = %reldir%/pop3_test.cc
lib_pop3_pop3_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_pop3_pop3_test_LDADD = lib/pop3/libpop3.a lib/base/libbase.a $(TEST_LIBS)
