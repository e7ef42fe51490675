noinst_LIBRARIES += lib/service/libservice.a
lib_service_libservice_a_SOURCES = \
	%reldir%/service.h %reldir%/child.h %reldir%/child.cc %reldir%/accept.h %reldir%/accept.cc \
	%reldir%/worker.cc %reldir%/loop_service.cc %reldir%/forking.cc %reldir%/spare.h %reldir%/spare.cc \
	%reldir%/user_session.h %reldir%/user_session.cc %reldir%/profiles.h %reldir%/profiles.cc %reldir%/scoreboard.h %reldir%/scoreboard.cc \
	%reldir%/snapshot.h %reldir%/snapshot.cc %reldir%/key_files.h %reldir%/key_files.cc %reldir%/server_names.h %reldir%/server_names.cc \
	%reldir%/server_tls.h %reldir%/server_tls.cc %reldir%/sasl_mechanisms.h %reldir%/sasl_mechanisms.cc \
	%reldir%/client_networks.h %reldir%/client_networks.cc
EXTRA_DIST += %reldir%/README.md
# What every daemon links below its own libraries.
SERVICE_LIBS = lib/service/libservice.a lib/ipc/libipc.a lib/loop/libloop.a lib/tls/libtls.a lib/config/libconfig.a \
	lib/crypto/libpcrypto.a lib/sys/libsys.a lib/log/liblog.a lib/base/libbase.a $(EVENT_LIBS)

check_PROGRAMS += lib/service/user_session_test
lib_service_user_session_test_SOURCES = %reldir%/user_session_test.cc
lib_service_user_session_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_service_user_session_test_LDADD = $(SERVICE_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(TEST_LIBS)

check_PROGRAMS += lib/service/service_test
lib_service_service_test_SOURCES = %reldir%/daemon_fixture.h %reldir%/service_test.cc %reldir%/forking_test.cc %reldir%/scoreboard_test.cc %reldir%/key_files_test.cc %reldir%/server_names_test.cc %reldir%/snapshot_test.cc %reldir%/sasl_mechanisms_test.cc %reldir%/client_networks_test.cc
lib_service_service_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_service_service_test_LDADD = lib/service/libservice.a lib/sasl/libsasl.a lib/table/libtable.a $(SERVICE_LIBS) $(DB_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(TEST_LIBS)
