# See README.md in this folder. One line per file, so that several hands can add to it.
noinst_LIBRARIES += lib/mail/libmail.a
lib_mail_libmail_a_SOURCES = \
	%reldir%/address.h %reldir%/address.cc \
	%reldir%/address_list.h %reldir%/address_list.cc \
	%reldir%/casemap.h %reldir%/casemap.cc \
	%reldir%/charset.h %reldir%/charset.cc \
	%reldir%/content_type.h %reldir%/content_type.cc \
	%reldir%/date.h %reldir%/date.cc \
	%reldir%/encoded_word.h %reldir%/encoded_word.cc \
	%reldir%/envelope.h %reldir%/envelope.cc \
	%reldir%/field_addresses.h %reldir%/field_addresses.cc \
	%reldir%/header.h %reldir%/header.cc \
	%reldir%/icu.h %reldir%/icu.cc \
	%reldir%/mime.h %reldir%/mime.cc \
	%reldir%/saslprep.h %reldir%/saslprep.cc \
	%reldir%/transfer_encoding.h %reldir%/transfer_encoding.cc \
	%reldir%/verp.h %reldir%/verp.cc \
	%reldir%/xtext.h %reldir%/xtext.cc
EXTRA_DIST += %reldir%/README.md

check_PROGRAMS += lib/mail/mail_test
lib_mail_mail_test_SOURCES = \
	%reldir%/address_test.cc \
	%reldir%/field_addresses_test.cc \
	%reldir%/header_test.cc \
	%reldir%/mime_test.cc \
	%reldir%/text_test.cc \
	%reldir%/verp_test.cc \
	%reldir%/xtext_test.cc
lib_mail_mail_test_CXXFLAGS = $(TEST_CXXFLAGS)
lib_mail_mail_test_LDADD = lib/mail/libmail.a lib/base/libbase.a $(TEST_LIBS)
