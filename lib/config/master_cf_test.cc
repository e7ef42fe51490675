#include "lib/config/master_cf.h"

namespace postern::config {
namespace {

constexpr const char* kFile =
    "# comment\n"
    "smtp       inet  n       -       y       -       -       smtpd\n"
    "[::1]:2525 inet  n       -       n       -       10      smtpd -v\n"
    "   -o smtpd_tls_security_level=encrypt\n"
    "   -o { smtpd_recipient_restrictions = permit_mynetworks, reject }\n"
    "tlsmgr     unix  -       -       y       1000?   1       tlsmgr\n"
    "qmgr       unix  n       -       n       300     1       qmgr\n"
    "local      unix  -       n       n       -       -       local\n"
    "uucp       unix  -       n       n       -       -       pipe\n"
    "  flags=Fqhu user=uucp argv=uux -r -n -z -a$sender - $nexthop!rmail ($recipient)\n";

TEST(MasterCf, Entries) {
    auto file = MasterFile::parse(kFile);
    ASSERT_TRUE(file.has_value()) << file.error().what;
    ASSERT_EQ(file->entries().size(), 6u);
    const MasterEntry& smtp = file->entries()[0];
    EXPECT_EQ(smtp.key(), "smtp/inet");
    EXPECT_EQ(smtp.port(), "smtp");
    EXPECT_EQ(smtp.host(), "");
    EXPECT_FALSE(smtp.is_private);
    EXPECT_TRUE(smtp.unprivileged);
    EXPECT_TRUE(smtp.chroot);
    EXPECT_EQ(smtp.process_limit, MasterEntry::kDefaultLimit);
    EXPECT_EQ(smtp.command, "smtpd");
    EXPECT_EQ(smtp.line, 2);

    const MasterEntry& other = file->entries()[1];
    EXPECT_EQ(other.host(), "::1");
    EXPECT_EQ(other.port(), "2525");
    EXPECT_EQ(other.process_limit, 10);
    Overrides expected = {{"smtpd_tls_security_level", "encrypt"},
                          {"smtpd_recipient_restrictions", "permit_mynetworks, reject"}};
    EXPECT_EQ(other.overrides, expected);

    const MasterEntry* tlsmgr = file->find("tlsmgr");
    ASSERT_NE(tlsmgr, nullptr);
    EXPECT_EQ(tlsmgr->wakeup_seconds, 1000);
    EXPECT_TRUE(tlsmgr->wakeup_if_used);
    EXPECT_TRUE(tlsmgr->is_private);
    EXPECT_EQ(file->find("qmgr")->wakeup_seconds, 300);
    EXPECT_FALSE(file->find("local")->unprivileged);
    EXPECT_EQ(file->find("uucp")->arguments.size(), 10u);
    EXPECT_TRUE(file->find("uucp")->overrides.empty());
}

TEST(MasterCf, Errors) {
    struct Case {
        const char* text;
        const char* message;
    };
    const Case cases[] = {
        {"smtp inet n\n",
         "f, line 1: smtp: only 3 columns: expected service, type, private, unpriv, chroot, "
         "wakeup, "
         "maxproc, "
         "command"},
        {"smtp tcp n - n - - smtpd\n",
         "f, line 1: smtp: bad value \"tcp\" in column type: expected inet, unix, fifo, pass or "
         "unix-dgram"},
        {"x unix q - n - - y\n",
         "f, line 1: x: bad value \"q\" in column private: expected y, n or -"},
        {"x inet - - n - - y\n",
         "f, line 1: x: an inet service cannot be private: expected n in column private"},
        {"x unix - - n 1x - y\n",
         "f, line 1: x: bad value \"1x\" in column wakeup: expected seconds, seconds? or -"},
        {"x unix - - n - many y\n",
         "f, line 1: x: bad value \"many\" in column maxproc: expected a number of processes or -"},
        {"x unix - - n - - y -o\n", "f, line 1: x: expected name=value after -o"},
        {"x unix - - n - - y -o nothing\n",
         "f, line 1: x: -o: missing '=' after parameter name: \"nothing\": expected name = value"},
        {"x unix - - n - - y -o { a = b\n", "f, line 1: x: missing } after {"},
        {"/x unix - - n - - y\n", "f, line 1: /x: bad service name"},
    };
    for (const Case& c : cases) {
        auto file = MasterFile::parse(c.text, "f");
        ASSERT_FALSE(file.has_value()) << c.text;
        EXPECT_EQ(file.error().what, c.message);
    }
}

TEST(MasterCf, DoubleEntriesWarn) {
    auto file =
        MasterFile::parse("x unix - - n - 1 y\nx unix - - n - 2 y\nx inet n - n - 3 y\n", "f");
    ASSERT_TRUE(file.has_value());
    ASSERT_EQ(file->warnings().size(), 1u);
    EXPECT_EQ(file->warnings()[0].str(),
              "f, line 2: x/unix: second entry of this name (the first is in line 1): the last one "
              "is used");
    EXPECT_EQ(file->entries().size(), 2u);
    EXPECT_EQ(file->find("x", MasterEntry::Type::unix_socket)->process_limit, 2);
    EXPECT_EQ(file->find("x", MasterEntry::Type::inet)->process_limit, 3);
}

TEST(MasterCf, BuiltInServices) {
    auto file = MasterFile::parse("policy unix - - n - 3 policy\n");
    ASSERT_TRUE(file.has_value());
    file->add_built_in();
    EXPECT_EQ(file->find("policy")->process_limit, 3);
    ASSERT_NE(file->find("imapd"), nullptr);
    EXPECT_EQ(file->find("imapd")->line, 0);
    EXPECT_FALSE(file->find("imapd")->unprivileged);
    EXPECT_NE(file->find("postern-auth"), nullptr);
}

TEST(MasterCf, Printing) {
    auto file = MasterFile::parse(
        "smtp inet n - y - - smtpd -o a=b -o { c = d e }\n"
        "postlog unix-dgram n - n - 1 postlogd\n"
        "scalemail-backend unix - n n - 2 pipe flags=R\n");
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ(
        master_line(file->entries()[0]),
        "smtp       inet  n       -       y       -       -       smtpd -o a=b -o {c=d e}");
    EXPECT_EQ(master_line(file->entries()[1]),
              "postlog    unix-dgram n  -       n       -       1       postlogd");
    EXPECT_EQ(master_line(file->entries()[2]),
              "scalemail-backend unix - n       n       -       2       pipe flags=R");
}

TEST(MasterCf, Edit) {
    const std::string text =
        "# first\nsmtp inet n - n - - smtpd\n  -o a=b\n# note\n  -o c=d\n\nqmgr unix n - n 300 1 "
        "qmgr\n";
    auto file = MasterFile::parse(
        "smtp inet n - n - 5 smtpd -o x=y -o { z = 1 2 }\nnew unix - - n - - new\n");
    ASSERT_TRUE(file.has_value());
    auto edited = [&](std::string_view key, MasterChange change, const MasterEntry* with) {
        return edit_master_cf(text, key, change, with).value_or(std::string("error"));
    };
    EXPECT_EQ(edited("smtp/inet", MasterChange::set, file->find("smtp")),
              "# first\n"
              "smtp       inet  n       -       n       -       5       smtpd\n    -o x=y\n    -o "
              "{z=1 2}\n"
              "# note\n\nqmgr unix n - n 300 1 qmgr\n");
    EXPECT_EQ(edited("smtp/inet", MasterChange::remove, nullptr),
              "# first\n# note\n\nqmgr unix n - n 300 1 qmgr\n");
    EXPECT_EQ(edited("smtp/inet", MasterChange::comment_out, nullptr),
              "# first\n#smtp inet n - n - - smtpd\n#  -o a=b\n# note\n#  -o c=d\n\nqmgr unix n - "
              "n 300 1 qmgr\n");
    EXPECT_EQ(edited("new/unix", MasterChange::set, file->find("new")),
              text + "new        unix  -       -       n       -       -       new\n");
    EXPECT_EQ(edited("new/unix", MasterChange::remove, nullptr), "error");
}

}  // namespace
}  // namespace postern::config
