noinst_LIBRARIES += lib/table/libtable.a
lib_table_libtable_a_SOURCES = \
	%reldir%/table.h %reldir%/table.cc %reldir%/source.h %reldir%/source.cc \
	%reldir%/map_file.h %reldir%/map_file.cc %reldir%/map_table.h %reldir%/map_table.cc \
	%reldir%/map_builder.h %reldir%/map_builder.cc %reldir%/cache_file.h %reldir%/cache_file.cc %reldir%/db_file.h %reldir%/db_file.cc \
	%reldir%/cdb_file.h %reldir%/cdb_file.cc %reldir%/lmdb_file.h %reldir%/lmdb_file.cc \
	%reldir%/regex.h %reldir%/regex.cc \
	%reldir%/stream.h %reldir%/stream.cc %reldir%/server_table.h %reldir%/server_table.cc \
	%reldir%/query.h %reldir%/query.cc %reldir%/kept_connection.h %reldir%/sql_table.h %reldir%/sql_table.cc \
	%reldir%/memcache_table.h %reldir%/memcache_table.cc %reldir%/ldap_table.h %reldir%/ldap_table.cc \
	%reldir%/sqlite.cc %reldir%/pgsql.cc %reldir%/mysql.cc \
	%reldir%/memory_table.h %reldir%/memory_table.cc \
	%reldir%/pattern_table.h %reldir%/pattern_table.cc %reldir%/combined_table.h %reldir%/combined_table.cc \
	%reldir%/user_table.h %reldir%/user_table.cc %reldir%/registry.h %reldir%/registry.cc \
	%reldir%/maps.h %reldir%/maps.cc %reldir%/address_lookup.h %reldir%/address_lookup.cc \
	%reldir%/match_list.h %reldir%/match_list.cc %reldir%/status_filter.h %reldir%/status_filter.cc \
	%reldir%/address_class.h %reldir%/address_class.cc %reldir%/address_list.h %reldir%/address_list.cc \
	%reldir%/address_options.h %reldir%/address_options.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/table/table_test
lib_table_table_test_SOURCES = \
	%reldir%/source_test.cc %reldir%/map_file_test.cc %reldir%/query_test.cc %reldir%/server_table_test.cc %reldir%/types_test.cc \
	%reldir%/address_lookup_test.cc %reldir%/match_list_test.cc %reldir%/address_class_test.cc %reldir%/address_options_test.cc %reldir%/status_filter_test.cc
lib_table_table_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_table_table_test_LDADD = lib/table/libtable.a lib/config/libconfig.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a $(DB_LIBS) $(TEST_LIBS)
