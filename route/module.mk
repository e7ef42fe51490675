noinst_LIBRARIES += route/libroute.a
route_libroute_a_SOURCES = \
	%reldir%/options.h %reldir%/rewriter.h %reldir%/rewriter.cc %reldir%/resolver.h %reldir%/resolver.cc \
	%reldir%/worker.h %reldir%/worker.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += route/route_test
route_route_test_SOURCES = %reldir%/route_test.cc
route_route_test_CXXFLAGS = $(TEST_CXXFLAGS)
route_route_test_LDADD = route/libroute.a lib/ipc/libipc.a lib/table/libtable.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS) $(TEST_LIBS)
