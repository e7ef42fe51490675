#include "commands/postern_user.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "lib/sasl/passwd_file.h"
#include "lib/sasl/password.h"
#include "lib/sys/fs.h"
#include "tests/support/temp_folder.h"

namespace postern::commands {
namespace {

// Runs the command with this text on standard input; what it printed is in `output`.
class UserCommand : public testing::Test {
  protected:
    UserCommand()
        : config_(config::Config::parse("auth_passwd_file = " + folder_.path() +
                                        "/users\nmail_owner = root\nsetgid_group = root\n")
                      .value()) {}

    int run(std::vector<std::string> arguments, const std::string& input = "") {
        std::ofstream(folder_ / "input") << input;
        const Fd saved_in(::dup(STDIN_FILENO));
        const Fd saved_out(::dup(STDOUT_FILENO));
        const Fd in(sys::RealFs::instance().open(folder_ / "input", O_RDONLY, 0).value());
        const Fd out(sys::RealFs::instance()
                         .open(folder_ / "output", O_WRONLY | O_CREAT | O_TRUNC, 0600)
                         .value());
        std::fflush(stdout);
        ::dup2(in.get(), STDIN_FILENO);
        ::dup2(out.get(), STDOUT_FILENO);
        const int status = user_command(arguments, config_);
        std::fflush(stdout);
        ::dup2(saved_in.get(), STDIN_FILENO);
        ::dup2(saved_out.get(), STDOUT_FILENO);
        output_ = text("output");
        return status;
    }
    std::string text(const std::string& name) {
        std::ifstream file(folder_ / name);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    sasl::PasswdEntry entry(const std::string& name) {
        std::istringstream lines(text("users"));
        for (std::string line; std::getline(lines, line);) {
            const auto parsed = sasl::parse_passwd_line(line);
            if (parsed && *parsed && (*parsed)->user == name) return **parsed;
        }
        ADD_FAILURE() << "no entry " << name;
        return {};
    }
    // The root tests run as uid 0, which has no postern accounts: files then stay root's, which
    // "root" as mail_owner cannot change; an own uid needs none of that.
    std::vector<std::string> add(const std::string& name, std::vector<std::string> more = {}) {
        std::vector<std::string> words{"add",   name,   "--uid",  "1000",
                                       "--gid", "1000", "--home", "/home/" + name};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }

    support::TempFolder folder_;
    config::Config config_;
    std::string output_;
};

TEST_F(UserCommand, AddListPasswdDel) {
    if (::geteuid() == 0) std::ofstream(folder_ / "users");  // an existing file keeps its owner
    ASSERT_EQ(run(add("u1", {"--password-stdin"}), "pass word\n"), 0);
    EXPECT_TRUE(*sasl::verify_password(entry("u1").password, "pass word"));
    EXPECT_EQ(entry("u1").uid, "1000");
    EXPECT_EQ(entry("u1").home, "/home/u1");
    EXPECT_EQ(run(add("U1", {"--password-stdin"}), "x\n"), 1) << "exists, in any case";
    ASSERT_EQ(run(add("u2@example.test", {"--generate", "--scheme", "SSHA256"})), 0);
    const std::string generated = output_.substr(0, output_.size() - 1);
    EXPECT_EQ(generated.size(), 20U);
    EXPECT_TRUE(*sasl::verify_password(entry("u2@example.test").password, generated));
    EXPECT_THAT(entry("u2@example.test").password, testing::StartsWith("{SSHA256}"));
    ASSERT_EQ(run({"list"}), 0);
    EXPECT_EQ(output_, "u1\nu2@example.test\n");
    ASSERT_EQ(run({"passwd", "u1"}, "other\n"), 0) << "not a terminal: read as it comes";
    EXPECT_TRUE(*sasl::verify_password(entry("u1").password, "other"));
    EXPECT_EQ(entry("u1").home, "/home/u1") << "the rest stays";
    EXPECT_EQ(run({"passwd", "nobody", "--generate"}), 1);
    ASSERT_EQ(run({"del", "u1"}), 0);
    EXPECT_EQ(run({"del", "u1"}), 1);
    ASSERT_EQ(run({"list"}), 0);
    EXPECT_EQ(output_, "u2@example.test\n");
}

TEST_F(UserCommand, CommentsAndForeignLinesStay) {
    std::ofstream(folder_ / "users") << "# by hand\nx:{PLAIN}p:1:1::/h::nologin\nodd line\n";
    ASSERT_EQ(run(add("u1", {"--scheme", "PLAIN"}), "p\n"), 0);
    EXPECT_EQ(
        text("users"),
        "# by hand\nx:{PLAIN}p:1:1::/h::nologin\nodd line\nu1:{PLAIN}p:1000:1000::/home/u1\n");
    ASSERT_EQ(run({"passwd", "x", "--scheme", "PLAIN"}, "q\n"), 0);
    EXPECT_EQ(entry("x").extra, "nologin");
}

TEST_F(UserCommand, Quota) {
    std::ofstream(folder_ / "users") << "x:{PLAIN}p:1:1::/h::nologin userdb_quota_rule=*:bytes=5\n";
    ASSERT_EQ(run({"quota", "x"}), 0);
    EXPECT_EQ(output_, "*:bytes=5\n");
    ASSERT_EQ(run({"quota", "x", "*:storage=1G:messages=9"}), 0);
    EXPECT_EQ(entry("x").extra, "nologin userdb_quota_rule=*:storage=1G:messages=9");
    EXPECT_EQ(run({"quota", "x", "*:storage=lots"}), 1);
    EXPECT_EQ(run({"quota", "x", "*:storage=1 nologin"}), 1);
    EXPECT_EQ(run({"quota", "y", "*:storage=1"}), 1);
    EXPECT_EQ(run({"quota", "y"}), 1);
    ASSERT_EQ(run({"quota", "x", "default"}), 0);
    EXPECT_EQ(entry("x").extra, "nologin");
    ASSERT_EQ(run({"quota", "x"}), 0);
    EXPECT_EQ(output_, "none (mailbox_quota_rule)\n");
    EXPECT_EQ(run({"passwd", "x", "y"}), 2) << "only quota takes a value";
}

TEST_F(UserCommand, TheFileIsPrivate) {
    if (::geteuid() == 0)
        GTEST_SKIP() << "root gives the file to auth's account, which a build machine lacks";
    ASSERT_EQ(run(add("u1", {"--generate"})), 0);
    EXPECT_EQ(sys::RealFs::instance().info(folder_ / "users")->mode, 0600U);
}

TEST_F(UserCommand, WrongUsage) {
    EXPECT_EQ(run({}), 2);
    EXPECT_EQ(run({"add"}), 2);
    EXPECT_EQ(run({"frobnicate", "u1"}), 2);
    EXPECT_EQ(run({"add", "a:b"}), 2);
    EXPECT_EQ(run({"add", "u1", "--home"}), 2);
    EXPECT_EQ(run({"add", "u1", "u2"}), 2);
    EXPECT_EQ(run({"list", "x"}), 2);
    EXPECT_EQ(
        run({"add", "u1", "--uid", "1000", "--gid", "1000", "--home", "relative", "--generate"}),
        1);
    EXPECT_EQ(run({"add", "u1", "--uid", "1000", "--gid", "1000", "--home", "/a:b", "--generate"}),
              1);
    EXPECT_EQ(run(add("u1", {"--scheme", "NOPE"}), "x\n"), 1);
    EXPECT_EQ(run(add("u1"), "\n"), 1) << "empty password";
}

}  // namespace
}  // namespace postern::commands
