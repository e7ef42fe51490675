#include "lib/service/key_files.h"

#include <unistd.h>

#include "lib/sys/file.h"

namespace postern::service {
namespace {

TEST(KeyFiles, TravelSealed) {
    const std::string path = testing::TempDir() + "/key_files_test.pem";
    const std::string contents("first\nsecond\0third\n", 19);
    ASSERT_TRUE(sys::replace_file(path, contents));
    Fd sealed = KeyFiles::seal({path, "/nonexistent/key.pem"}).value();
    EXPECT_EQ(::write(sealed.get(), "x", 1), -1) << "nobody changes it afterwards";
    ::unlink(path.c_str());
    const auto keys = KeyFiles::read_sealed(std::move(sealed)).value();
    EXPECT_EQ(keys.read(path).value(), contents) << "as it was, though the file is gone";
    const auto missing = keys.read("/nonexistent/key.pem");
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().what, testing::HasSubstr("/nonexistent/key.pem"));
    EXPECT_FALSE(KeyFiles().read(path));
}

TEST(KeyFiles, NonsenseIsNotRead) {
    for (const char* text : {"x", "5\nab", "-1\n", "3\nabc", "99999999999999999999\nx"}) {
        Fd fd = KeyFiles::seal({}).value();
        FILE* file = tmpfile();
        fputs(text, file);
        fflush(file);
        EXPECT_FALSE(KeyFiles::read_sealed(Fd(::dup(fileno(file))))) << text;
        fclose(file);
    }
}

TEST(KeyFiles, OnlyWhoSpeaksTlsGetsThem) {
    const auto config =
        config::Config::parse("smtpd_tls_cert_file = /etc/c.pem\nsmtpd_tls_key_file = /etc/k.pem\n")
            .value();
    EXPECT_EQ(key_paths("smtpd", config), (std::vector<std::string>{"/etc/c.pem", "/etc/k.pem"}));
    EXPECT_EQ(key_paths("login", config), (std::vector<std::string>{"/etc/c.pem", "/etc/k.pem"}));
    EXPECT_TRUE(key_paths("policy", config).empty());
}

TEST(KeyFiles, PasswordTablesOfTheClient) {
    const auto config =
        config::Config::parse(
            "smtp_sasl_password_maps = hash:/etc/p, proxy:cdb:/etc/q texthash:/etc/r "
            "mysql:/etc/s inline:{a=b} hash:relative\nsmtp_tls_cert_file = /etc/c.pem\n")
            .value();
    EXPECT_EQ(key_paths("smtp", config),
              (std::vector<std::string>{"/etc/c.pem", "/etc/c.pem", "/etc/p.db", "/etc/q.cdb",
                                        "/etc/r"}));
    EXPECT_TRUE(key_paths("lmtp", config).empty());
}

TEST(KeyFiles, ATableThatIsOutOfReachIsReadFromMemory) {
    const std::string path = testing::TempDir() + "/key_files_test.table";
    ASSERT_TRUE(sys::replace_file(path, "relay user:password\n"));
    Fd sealed = KeyFiles::seal({path}).value();
    const auto keys = KeyFiles::read_sealed(std::move(sealed)).value();
    const std::string spec = "proxy:texthash:" + path;
    EXPECT_EQ(keys.readable_tables({"static:x", spec}), "static:x, " + spec)
        << "it can be read as it is";
    ::unlink(path.c_str());
    const std::string list = keys.readable_tables({"static:x", spec});
    EXPECT_TRUE(list.starts_with("static:x, texthash:/proc/self/fd/")) << list;
    const auto text = sys::read_file(list.substr(list.find("/proc")), 1000);
    EXPECT_EQ(text.value(), "relay user:password\n");
    EXPECT_EQ(KeyFiles().readable_tables({spec}), spec);
    EXPECT_EQ(KeyFiles().readable_tables({}), "");
}

TEST(KeyFiles, WhatMasterMadeComesWithThem) {
    auto sealed =
        KeyFiles::seal({"/nonexistent"}, {{std::string(kResumeKey), "bytes\n\0x"}}).value();
    const auto keys = KeyFiles::read_sealed(std::move(sealed)).value();
    EXPECT_EQ(keys.find(kResumeKey), "bytes\n");
    EXPECT_EQ(keys.find("other"), "");
    EXPECT_EQ(KeyFiles().find(kResumeKey), "");
    EXPECT_EQ(made_key("auth"), kResumeKey);
    for (const char* other : {"login", "imapd", "smtpd", ""}) EXPECT_EQ(made_key(other), "");
}

}  // namespace
}  // namespace postern::service
