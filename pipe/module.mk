noinst_LIBRARIES += pipe/libpipe.a
pipe_libpipe_a_SOURCES = %reldir%/attributes.h %reldir%/attributes.cc %reldir%/expansion.h %reldir%/expansion.cc \
	%reldir%/agent.h %reldir%/agent.cc %reldir%/options.cc
EXTRA_DIST += %reldir%/README.md

PIPE_LIBS = pipe/libpipe.a lib/queue/libqueue.a lib/table/libtable.a $(SERVICE_LIBS) $(DB_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
daemonexec_PROGRAMS += pipe/pipe
pipe_pipe_SOURCES = %reldir%/main.cc
pipe_pipe_LDADD = $(PIPE_LIBS)

check_PROGRAMS += pipe/pipe_test
pipe_pipe_test_SOURCES = %reldir%/attributes_test.cc %reldir%/expansion_test.cc %reldir%/agent_test.cc
pipe_pipe_test_CXXFLAGS = $(TEST_CXXFLAGS)
pipe_pipe_test_LDADD = tests/support/libsupport.a $(PIPE_LIBS) $(TEST_LIBS)
