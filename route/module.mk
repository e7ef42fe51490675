noinst_LIBRARIES += route/libroute.a
route_libroute_a_SOURCES = \
	%reldir%/options.h %reldir%/options.cc %reldir%/rewriter.h %reldir%/rewriter.cc \
	%reldir%/resolver.h %reldir%/resolver.cc %reldir%/worker.h %reldir%/worker.cc
EXTRA_DIST += %reldir%/README.md

daemonexec_PROGRAMS += route/trivial-rewrite
route_trivial_rewrite_SOURCES = %reldir%/main.cc
route_trivial_rewrite_LDADD = route/libroute.a lib/content/libcontent.a lib/table/libtable.a lib/mail/libmail.a $(SERVICE_LIBS) $(DB_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += route/route_test
route_route_test_SOURCES = %reldir%/route_test.cc
route_route_test_CXXFLAGS = $(TEST_CXXFLAGS)
route_route_test_LDADD = route/libroute.a lib/ipc/libipc.a lib/content/libcontent.a lib/table/libtable.a lib/config/libconfig.a lib/sys/libsys.a lib/mail/libmail.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS) $(TEST_LIBS)
