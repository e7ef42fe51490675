noinst_LIBRARIES += lib/loop/libloop.a
lib_loop_libloop_a_SOURCES = %reldir%/loop.h %reldir%/loop.cc \
	%reldir%/stream.h %reldir%/stream.cc %reldir%/listener.h %reldir%/listener.cc \
	%reldir%/file_sync.h %reldir%/file_sync.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/loop/loop_test
lib_loop_loop_test_SOURCES = %reldir%/loop_test.cc %reldir%/stream_test.cc %reldir%/file_sync_test.cc
lib_loop_loop_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_loop_loop_test_LDADD = tests/support/libsupport.a lib/loop/libloop.a lib/tls/libtls.a lib/sys/libsys.a lib/base/libbase.a \
	$(EVENT_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(TEST_LIBS)
