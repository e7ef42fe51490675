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

}  // namespace
}  // namespace postern::service
