// The passwd-file: who is in it, what its entries mean, and what it means when it is away.
#include <fcntl.h>
#include <sys/stat.h>

#include "auth/auth_fixture.h"

namespace postern::auth {
namespace {

TEST_F(UsersTest, FindsCompletesAndRereads) {
    Users users(options_);
    EXPECT_TRUE(users.find("u1").not_found()) << "no file, no users";
    write("# users\nU1:{PLAIN}x:1001:1002::/home/u1\n");
    const auto user = users.find("u1");
    ASSERT_TRUE(user.found());
    EXPECT_EQ(user->name, "u1");
    EXPECT_EQ(user->uid, 1001U);
    EXPECT_EQ(user->gid, 1002U);
    EXPECT_EQ(user->home, "/home/u1");
    EXPECT_EQ(user->mailbox, "/home/u1/Maildir");
    EXPECT_TRUE(users.find("U1").found());
    write("u2:{PLAIN}x:1001:1002::/home/u2\n");
    EXPECT_TRUE(users.find("u1").not_found());
    EXPECT_TRUE(users.find("u2").found());
}

TEST_F(UsersTest, Entries) {
    write(
        "own:{PLAIN}x:::::\n"
        "ownhome:{PLAIN}x::::/srv/own\n"
        "rooted:{PLAIN}x:0:0::/root\n"
        "low:{PLAIN}x:33:33::/var/www\n"
        "named:{PLAIN}x:no-such-user-here:1::/h\n"
        "relative:{PLAIN}x:1001:1001::home\n"
        "disabled::1001:1001::/h\n"
        "nologin:{PLAIN}x:1001:1001::/h::nologin\n"
        "mail:{PLAIN}x:1001:1001::/h::userdb_mail=maildir:~/Mail:INDEX=/x\n"
        "dbox:{PLAIN}x:1001:1001::/h::userdb_mail=mdbox:~/mdbox\n"
        "broken line\n"
        "same:{PLAIN}x:990:991::/h\n");
    Users users(options_);
    EXPECT_TRUE(users.find("own").failed()) << "no home";
    EXPECT_EQ(users.find("ownhome")->uid, 990U);
    EXPECT_EQ(users.find("ownhome")->gid, 991U);
    for (const char* refused : {"rooted", "low", "named", "relative", "dbox"})
        EXPECT_TRUE(users.find(refused).failed()) << refused;
    for (const char* unknown : {"disabled", "nologin", "nobody-at-all", ""})
        EXPECT_TRUE(users.find(unknown).not_found()) << unknown;
    EXPECT_EQ(users.find("mail")->mailbox, "/h/Mail");
    EXPECT_TRUE(users.find("same").found()) << "an unprivileged instance's own uid may be low";
}

TEST_F(UsersTest, AMailboxElsewhereThanSaidIsNone) {
    write("u1:{PLAIN}x:1001:1001::/h\n");
    options_.mailbox_path = "maildir:~/Maildir";  // as Dovecot's mail_location has it
    EXPECT_THAT(Users(options_).find("u1").error().what,
                testing::HasSubstr("user u1: the mailbox is no absolute path: maildir:~/Maildir"));
}

TEST_F(UsersTest, AnUnreadableFileIsNotAnUnknownUser) {
    ASSERT_EQ(::mkdir(options_.passwd_file.c_str(), 0700), 0);
    Users users(options_);
    EXPECT_TRUE(users.find("u1").failed());
}

// Some editors move a file away before they write the new one.
TEST_F(UsersTest, AFileThatIsGoneForAMomentIsNotNoUsers) {
    write("u1:{PLAIN}x:1001:1002::/home/u1\n");
    Users users(options_);
    EXPECT_TRUE(users.exists("u1").found());
    const std::string away = options_.passwd_file + "~";
    ASSERT_EQ(::rename(options_.passwd_file.c_str(), away.c_str()), 0);
    EXPECT_TRUE(users.exists("u1").failed());
    EXPECT_TRUE(users.find("u1").failed());
    EXPECT_TRUE(users.locate("nobody").failed());
    ASSERT_EQ(::rename(away.c_str(), options_.passwd_file.c_str()), 0);
    EXPECT_TRUE(users.find("u1").found());
    EXPECT_TRUE(users.find("nobody").not_found());
}

TEST_F(UsersTest, AFileThatIsBeingWrittenIsNotNoUsers) {
    write("u1:{PLAIN}x:1001:1002::/home/u1\n");
    Users users(options_);
    EXPECT_TRUE(users.exists("u1").found());
    ASSERT_EQ(::truncate(options_.passwd_file.c_str(), 0), 0);
    EXPECT_TRUE(users.exists("u1").found()) << "an editor has emptied it";
    std::ofstream(options_.passwd_file) << "u2:{PLAIN}x:1001:1002::/home/u1\n";
    EXPECT_TRUE(users.exists("u2").found());
    EXPECT_TRUE(users.exists("u1").not_found());
    ASSERT_EQ(::truncate(options_.passwd_file.c_str(), 0), 0);
    const timespec long_ago[2] = {{.tv_sec = 1'000'000'000}, {.tv_sec = 1'000'000'000}};
    ASSERT_EQ(::utimensat(AT_FDCWD, options_.passwd_file.c_str(), long_ago, 0), 0);
    EXPECT_TRUE(users.exists("u2").not_found()) << "and somebody else means it";
}

TEST_F(UsersTest, FieldsThatRestrictLoginsAreNotIgnored) {
    write(
        "far:{PLAIN}x:1001:1002::/h::proxy=y host=imap.example.test\n"
        "wrong:{PLAIN}x:1001:1002::/h::allow_nets=10.0.0.0/8,home\n"
        "inside:{PLAIN}x:1001:1002::/h::allow_nets=10.0.0.0/8\n");
    Users users(options_);
    EXPECT_EQ(users.find("far").error().what, "user far: the extra field proxy=y is not supported");
    EXPECT_EQ(users.find("wrong").error().what,
              "user wrong: allow_nets=10.0.0.0/8,home: \"home\" is no network");
    EXPECT_TRUE(users.locate("far").found()) << "mail is received";
    EXPECT_TRUE(users.locate("wrong").found());
    EXPECT_TRUE(users.find("inside")->networks.allow("10.1.2.3"));
    EXPECT_FALSE(users.find("inside")->networks.allow("11.1.2.3"));
}

TEST_F(UsersTest, FieldsWithoutEffectAreToldOnce) {
    log::open_capture();
    write(
        "u1:{PLAIN}x:1001:1002::/h::userdb_nice=5 nologin\n"
        "u2:{PLAIN}x:1001:1002::/h::userdb_nice=6 nodelay\n");
    Users users(options_);
    EXPECT_TRUE(users.exists("u1").found());
    const std::string told = log::take_captured();
    EXPECT_THAT(
        told, testing::HasSubstr("users, line 1: the extra field userdb_nice has no effect here"));
    EXPECT_THAT(told,
                testing::HasSubstr("users, line 2: the extra field nodelay has no effect here"));
    EXPECT_THAT(told, testing::Not(testing::HasSubstr("line 2: the extra field userdb_nice")));
    write("u3:{PLAIN}x:1001:1002::/h::userdb_nice=7\n");
    EXPECT_TRUE(users.exists("u3").found());
    EXPECT_EQ(log::take_captured(), "");
}

TEST(MailboxPath, AnMboxMayBeTheInbox) {
    const struct {
        std::string extra, want;
    } cases[] = {
        {"", "/var/mail/u"},
        {"userdb_mail=mbox:~/mail:INBOX=/spool/%u", "/spool/u"},
        {"userdb_mail=mbox:~/mail:INDEX=/x:INBOX=~/in", "/h/in"},
        {"userdb_mail=mbox:~/mail", "/h/mail/inbox"},
        {"userdb_mail=maildir:~/Maildir", ""},
    };
    for (const auto& c : cases) {
        sasl::PasswdEntry entry;
        entry.user = "u";
        entry.home = "/h";
        entry.extra = c.extra;
        EXPECT_EQ(sasl::inbox_file_of(entry, "/var/mail/$user"), c.want) << c.extra;
        const bool own = c.extra.find("=maildir:") != std::string::npos;
        EXPECT_EQ(sasl::mailbox_of(entry, "$home/M"), own ? "/h/Maildir" : "/h/M");
    }
    EXPECT_EQ(sasl::inbox_file_of({}, ""), "");
}

TEST(MailboxPath, Expands) {
    EXPECT_EQ(sasl::expand_mailbox_path("$home/Maildir", "/home/u", "u"), "/home/u/Maildir");
    EXPECT_EQ(sasl::expand_mailbox_path("/srv/${user}/m", "/home/u", "u@d"), "/srv/u@d/m");
    EXPECT_EQ(sasl::expand_mailbox_path("/a$b", "/h", "u"), "/a$b");
    EXPECT_EQ(sasl::expand_mailbox_path("/srv/%d/%n/%u%h", "/h", "u@d"), "/srv/d/u/u@d/h");
    EXPECT_EQ(sasl::expand_mailbox_path("/%d%n%x%", "/h", "u"), "/u%x%");
}

}  // namespace
}  // namespace postern::auth
