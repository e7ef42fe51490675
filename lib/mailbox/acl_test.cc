#include "lib/mailbox/acl.h"

#include "lib/mailbox/test_folder.h"

namespace postern::mailbox {
namespace {

TEST(Rights, AreNormal) {
    EXPECT_EQ(normal_rights("trl").value(), "lrt");
    EXPECT_EQ(normal_rights("").value(), "");
    // RFC 4314 2.1.1: what the old letters stand for
    EXPECT_EQ(normal_rights("c").value(), "kx");
    EXPECT_EQ(normal_rights("dd").value(), "te");
    EXPECT_EQ(normal_rights("lrswipkxtea").value(), kAllRights);
    for (const char* letters : {"z", "L", "l r", "0"}) EXPECT_FALSE(normal_rights(letters));
    EXPECT_EQ(shown_rights("lr"), "lr");
    EXPECT_EQ(shown_rights("lk"), "lkc");
    EXPECT_EQ(shown_rights("e"), "ed");
}

TEST(AclOfOwner, KeepsTheKeys) {
    Acl acl;
    EXPECT_EQ(rights_of_owner(acl, "fred"), kAllRights);
    ASSERT_TRUE(change_acl(acl, "anyone", AclChange::replace, "lr"));
    EXPECT_EQ(rights_of_owner(acl, "fred"), kAllRights);
    ASSERT_TRUE(change_acl(acl, "fred", AclChange::replace, "s"));
    EXPECT_EQ(rights_of_owner(acl, "fred"), "lrsa");
    ASSERT_TRUE(change_acl(acl, "fred", AclChange::add, "w"));
    ASSERT_TRUE(change_acl(acl, "fred", AclChange::remove, "s"));
    EXPECT_EQ(acl.at("fred"), "w");
    ASSERT_TRUE(change_acl(acl, "-anyone", AclChange::add, "lwr"));
    EXPECT_EQ(rights_of_owner(acl, "fred"), "la");
    ASSERT_TRUE(change_acl(acl, "-anyone", AclChange::erase, ""));
    ASSERT_TRUE(change_acl(acl, "fred", AclChange::replace, ""));
    EXPECT_EQ(rights_of_owner(acl, "fred"), "lra");
    ASSERT_TRUE(change_acl(acl, "fred", AclChange::erase, ""));
    EXPECT_FALSE(acl.contains("fred"));
    ASSERT_TRUE(change_acl(acl, "-fred", AclChange::replace, "w"));
    EXPECT_FALSE(has_right(rights_of_owner(acl, "fred"), 'w'));
    for (const char* name : {"", "-", "a\nb"})
        EXPECT_EQ(change_acl(acl, name, AclChange::add, "l").error().code, Errc::invalid);
}

TEST(AclFile, KeepsEntries) {
    TestMaildir maildir;
    maildir.store();
    sys::Fs& fs = sys::RealFs::instance();
    const std::string& folder = maildir.root();
    EXPECT_FALSE(read_acl(fs, folder).value());
    ASSERT_TRUE(edit_acl(fs, folder, {}, "joe smith@x.example", AclChange::replace, "lr"));
    ASSERT_TRUE(edit_acl(fs, folder, {{"ann", "l"}}, "-anyone", AclChange::add, "w"));
    EXPECT_EQ(maildir.text("postern.acl"), "postern-acl 1\nw -anyone\nlr joe smith@x.example\n");
    EXPECT_EQ(read_acl(fs, folder).value()->size(), 2U);
    maildir.put("postern.acl", "postern-acl 1\nbad\nqq fred\nlr \nl ann\n");
    EXPECT_EQ(read_acl(fs, folder).value(), (Acl{{"ann", "l"}, {"fred", ""}}));
    maildir.put("postern.acl", "postern-acl 1\nrqs fred\nrZ -bob\n");
    EXPECT_EQ(read_acl(fs, folder).value(),
              (Acl{{"fred", "rs"}, {"-bob", std::string(kAllRights)}}));
    maildir.put("postern.acl", "postern-acl 1\nl ann\n");
    for (std::size_t i = 0; i < kMaxAclEntries - 1; ++i)
        maildir.put("postern.acl", maildir.text("postern.acl") + "l u" + std::to_string(i) + "\n");
    EXPECT_EQ(edit_acl(fs, folder, {}, "one", AclChange::add, "l").error().code, Errc::permanent);
}

}  // namespace
}  // namespace postern::mailbox
