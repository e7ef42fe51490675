#include "commands/postern_mailbox.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "lib/base/clock.h"
#include "lib/mailbox/quota.h"
#include "lib/mailbox/store.h"
#include "lib/sys/fs.h"
#include "tests/support/temp_folder.h"

namespace postern::commands {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class MailboxCommand : public testing::Test {
  protected:
    MailboxCommand()
        : config_(config::Config::parse("auth_passwd_file = " + folder_.path() +
                                        "/users\nmailbox_path = $home/Maildir\n"
                                        "mail_owner = root\nsetgid_group = root\n")
                      .value()) {
        std::filesystem::create_directory(folder_ / "home");
        std::ofstream(folder_ / "users") << "fred:{PLAIN}x:0:0::" << folder_.path() << "/home\n"
                                         << "joe@x.example:{PLAIN}x:0:0::" << folder_.path()
                                         << "/home::userdb_mail=maildir:~/Mail:INDEX=/x\n"
                                         << "ann:{PLAIN}x:0:0::/h::userdb_mail=mdbox:~/m\n";
    }

    int run(std::vector<std::string> arguments) {
        const Fd saved(::dup(STDOUT_FILENO));
        const Fd out(sys::RealFs::instance()
                         .open(folder_ / "output", O_WRONLY | O_CREAT | O_TRUNC, 0600)
                         .value());
        std::fflush(stdout);
        ::dup2(out.get(), STDOUT_FILENO);
        const int status = mailbox_command(arguments, config_);
        std::fflush(stdout);
        ::dup2(saved.get(), STDOUT_FILENO);
        std::ifstream file(folder_ / "output");
        output_ = {std::istreambuf_iterator<char>(file), {}};
        return status;
    }

    support::TempFolder folder_;
    config::Config config_;
    std::string output_;
};

TEST_F(MailboxCommand, FindsMailboxes) {
    EXPECT_EQ(find_mailbox("fred", config_)->maildir, folder_ / "home/Maildir");
    EXPECT_EQ(find_mailbox("fred", config_)->inbox_file, "");
    EXPECT_EQ(find_mailbox("Joe@x.example", config_)->maildir, folder_ / "home/Mail");
    EXPECT_EQ(find_mailbox("/a/b", config_)->maildir, "/a/b");
    EXPECT_FALSE(find_mailbox("/a/b", config_)->owner);
    EXPECT_EQ(find_mailbox("nobody-of-this-name", config_).error().code, Errc::not_found);
    EXPECT_EQ(find_mailbox("a:b", config_).error().code, Errc::invalid);
    EXPECT_THAT(find_mailbox("ann", config_).error().what, HasSubstr("mdbox is not supported"));
}

TEST_F(MailboxCommand, RootKnowsWhomToBecome) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    std::ofstream(folder_ / "users") << "a:x:54321:54322::/h\nb:x:daemon:::/h\nc:x:54321:::/h\n"
                                     << "daemon:x::::/h\nv@x.example:x::::/h\nn:x:no-such::/h:/h\n"
                                     << "g:x:1:no-such::/h\n";
    const auto owner = [&](const std::string& user) {
        const auto found = find_mailbox(user, config_);
        return found ? std::to_string(found->owner->uid) + ":" + std::to_string(found->owner->gid)
                     : found.error().what;
    };
    EXPECT_EQ(owner("a"), "54321:54322");
    EXPECT_EQ(owner("b"), "1:1");
    EXPECT_EQ(owner("c"), "user c has no gid");
    EXPECT_EQ(owner("daemon"), "1:1");
    EXPECT_EQ(owner("v@x.example"), "0:0") << "mail_owner";
    EXPECT_EQ(owner("n"), "no system user no-such");
    EXPECT_EQ(owner("g"), "no system group no-such");
}

// Bob's folder leads to Alice's: root asks for Bob's mail, and must not be told hers.
TEST_F(MailboxCommand, RootLooksAtAUsersMailWithHisRightsOnly) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    std::ofstream(folder_ / "users") << "bob:x:54321:54321::" << folder_ / "bob"
                                     << "\n";
    ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
    std::filesystem::create_directory(folder_ / "bob");
    ASSERT_TRUE(mailbox::Store::open(folder_ / "alice"));
    std::ofstream(folder_ / "alice/cur/1.a.h:2,") << "Subject: hers\n\n";
    for (const auto& one : std::filesystem::recursive_directory_iterator(folder_ / "alice"))
        ASSERT_EQ(::chown(one.path().c_str(), 54322, 54322), 0);
    ASSERT_EQ(::chown((folder_ / "alice").c_str(), 54322, 54322), 0);
    std::filesystem::create_symlink(folder_ / "alice", folder_ / "bob/Maildir");
    std::ofstream(folder_ / "output") << "";
    const auto status = [&](const std::string& whose) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(run({"export", whose, "--mbox", "INBOX"}));
        int status = -1;
        ::waitpid(child, &status, 0);
        return WEXITSTATUS(status);
    };
    const auto output = [&] {
        std::ifstream file(folder_ / "output");
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    EXPECT_EQ(status("bob"), 1);
    EXPECT_EQ(output(), "");
    EXPECT_EQ(status(folder_ / "alice"), 0);
    EXPECT_THAT(output(), HasSubstr("Subject: hers"));
}

TEST_F(MailboxCommand, BringsMailInAndOut) {
    std::ofstream(folder_ / "in")
        << "From a@x Thu Jan  1 00:00:07 1970\nSubject: Gr=?utf-8?q?=C3=BC?="
           "n\nSubject: =?utf-8?q?gr=C3=BCn?=\nStatus: R\n\nbody\n";
    EXPECT_EQ(run({"import", "fred", "--mbox", folder_ / "in", "Old"}), 0);
    EXPECT_EQ(output_, "1 messages\n");
    EXPECT_EQ(run({"list", "fred"}), 0);
    EXPECT_EQ(output_, "INBOX\nOld\n");
    EXPECT_EQ(run({"status", "fred", "Old"}), 0);
    EXPECT_THAT(output_, StartsWith("Old messages=1 unseen=0 size="));
    EXPECT_EQ(run({"search", "fred", "Old", "subject", "GR\xc3\x9cN"}), 0);
    EXPECT_EQ(output_, "1\n");
    EXPECT_EQ(run({"search", "fred", "Old", "text", "BODY"}), 0);
    EXPECT_EQ(output_, "1\n");
    EXPECT_EQ(run({"search", "fred", "Old", "from", "body"}), 0);
    EXPECT_EQ(output_, "");
    EXPECT_EQ(run({"export", "fred", "--mbox", "Old"}), 0);
    EXPECT_THAT(output_, HasSubstr("Status: RO\n\nbody\n"));
    EXPECT_EQ(run({"export", "fred", "--dovecot"}), 0);
    EXPECT_EQ(output_, "1 messages are ready for Dovecot\n");
    EXPECT_TRUE(std::filesystem::exists(folder_ / "home/Maildir/.Old/dovecot-uidlist"));
    EXPECT_EQ(run({"import", folder_ / "home/Mail/", "--maildir", folder_ / "home/Maildir"}), 0);
    EXPECT_EQ(output_, "1 messages in 2 folders\n");
    EXPECT_EQ(run({"rebuild", "fred", "Old"}), 0);
    EXPECT_EQ(output_, "Old: 1 messages\n");
}

TEST_F(MailboxCommand, TakesNamesAsAdministratorsWriteThem) {
    std::ofstream(folder_ / "in") << "From a@x Thu Jan  1 00:00:07 1970\nSubject: a\n\nbody\n";
    EXPECT_EQ(run({"import", "fred", "--mbox", folder_ / "in", "Gel\xc3\xb6scht"}), 0);
    EXPECT_EQ(run({"list", "fred"}), 0);
    EXPECT_EQ(output_, "INBOX\nGel&APY-scht\n");
    for (const char* name : {"Gel\xc3\xb6scht", "Gel&APY-scht"}) {
        EXPECT_EQ(run({"status", "fred", name}), 0);
        EXPECT_THAT(output_, StartsWith("Gel&APY-scht messages=1 "));
        EXPECT_EQ(run({"search", "fred", name, "subject", "a"}), 0);
        EXPECT_EQ(run({"export", "fred", "--mbox", name}), 0);
    }
    EXPECT_EQ(run({"import", "fred", "--mbox", folder_ / "in", "Gel\xf6scht"}), 1);
}

TEST_F(MailboxCommand, WhatIsImportedCountsForTheQuota) {
    ASSERT_TRUE(mailbox::Store::open(folder_ / "home/Maildir"));
    mailbox::Quota quota(sys::RealFs::instance(), SystemClock::instance(), folder_ / "home/Maildir",
                         {1000, 0});
    EXPECT_EQ(quota.usage()->storage, 0);
    std::ofstream(folder_ / "in") << "From a@x Thu Jan  1 00:00:07 1970\nSubject: a\n\nbody\n";
    EXPECT_EQ(run({"import", "fred", "--mbox", folder_ / "in", "Old"}), 0);
    EXPECT_EQ(*quota.usage(), (mailbox::QuotaUsage{17, 1}));
}

TEST_F(MailboxCommand, ChecksMessages) {
    EXPECT_EQ(run({"check", "fred"}), 1);  // there is none yet
    ASSERT_TRUE(mailbox::Store::open(folder_ / "home/Maildir"));
    std::ofstream(folder_ / "home/Maildir/cur/1.a.h,S=5,W=6:2,") << "abcd\n";
    EXPECT_EQ(run({"check", "fred"}), 0);
    EXPECT_EQ(output_, "no problems\n");
    std::ofstream(folder_ / "home/Maildir/cur/2.a.h,S=5,W=60:2,") << "abcd\n";
    EXPECT_EQ(run({"check", "fred"}), 1);
    EXPECT_THAT(output_, HasSubstr("INBOX: UID 2: its size is 6, not 60\n"));
}

TEST_F(MailboxCommand, RefusesWrongUsage) {
    ASSERT_TRUE(mailbox::Store::open(folder_ / "home/Maildir"));
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{},
                                               {"list"},
                                               {"fly", "fred"},
                                               {"list", "fred", "x"},
                                               {"search", "fred", "INBOX"},
                                               {"export", "fred"},
                                               {"export", "fred", "--mbox"},
                                               {"import", "fred", "--mbox", "x"}})
        EXPECT_EQ(run(words), 2) << (words.empty() ? "" : words[0]);
    testing::internal::CaptureStderr();
    EXPECT_EQ(run({"status", "fred", "missing"}), 1);
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "postern mailbox: missing: Mailbox does not exist\n");
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"--help"}, {"list", "-h"}}) {
        EXPECT_EQ(run(words), 0);
        EXPECT_THAT(output_, StartsWith("usage: postern mailbox list WHOSE\n"));
    }
    EXPECT_EQ(run({"list", "nobody-of-this-name"}), 1);
}

}  // namespace
}  // namespace postern::commands
