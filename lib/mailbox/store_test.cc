#include "lib/mailbox/store.h"

#include "lib/mailbox/test_folder.h"
#include "tests/support/rooted_fs.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;

std::vector<std::string> listing(const Store& store) {
    std::vector<std::string> lines;
    const auto folders = store.folders();
    for (const Folder& f : *folders)
        lines.push_back(f.name + (f.selectable ? "" : " noselect") + (f.has_children ? " +" : ""));
    return lines;
}

TEST(Store, CanonicalNames) {
    const struct {
        std::string name, canonical;  // "" = refused
    } cases[] = {
        {"inbox", "INBOX"},
        {"InBox.a", "INBOX.a"},
        {"Sent", "Sent"},
        {"a.b.", "a.b"},
        {"Entw&APw-rfe", "Entw&APw-rfe"},
        {"", ""},
        {".", ""},
        {".a", ""},
        {"a..b", ""},
        {"a/b", ""},
        {"..", ""},
        {"a\nb", ""},
        {"../x", ""},
        {std::string(241, 'a'), ""},
        {"inboxes", "inboxes"},
    };
    for (const auto& c : cases) {
        const auto name = Store::canonical(c.name);
        EXPECT_EQ(name ? *name : "", c.canonical) << c.name;
    }
}

TEST(Store, CreateListRemove) {
    TestMaildir maildir;
    auto store = maildir.store();
    EXPECT_THAT(listing(store), ElementsAre("INBOX"));
    ASSERT_TRUE(store.create("Sent"));
    ASSERT_TRUE(store.create("a.b.c"));
    EXPECT_EQ(store.create("Sent").error().code, Errc::permanent);
    EXPECT_EQ(store.create("inbox").error().code, Errc::permanent);
    EXPECT_THAT(listing(store),
                ElementsAre("INBOX", "Sent", "a noselect +", "a.b noselect +", "a.b.c"));
    EXPECT_TRUE(store.exists("a.b.c"));
    EXPECT_FALSE(store.exists("a.b"));
    EXPECT_EQ(store.mailbox("a").error().code, Errc::not_found);
    ASSERT_TRUE(store.create("a"));
    ASSERT_TRUE(store.remove("a"));
    EXPECT_TRUE(store.exists("a.b.c")) << "folders below stay";
    ASSERT_TRUE(store.remove("a.b.c"));
    EXPECT_EQ(store.remove("a.b.c").error().code, Errc::not_found);
    EXPECT_EQ(store.remove("INBOX").error().code, Errc::permanent);
    EXPECT_THAT(listing(store), ElementsAre("INBOX", "Sent"));
    for (const auto& name : maildir.files("")) EXPECT_EQ(name.find("trash"), std::string::npos);
}

// Who is told of a name in a tree looks once.
TEST(Store, AFolderComesInOneStep) {
    struct Watched final : support::RootedFs {
        using RootedFs::RootedFs;
        Result<void> make_directory(const std::string& path, mode_t mode) override {
            EXPECT_EQ(path.find("/.Work"), std::string::npos) << path;
            return RootedFs::make_directory(path, mode);
        }
        Result<void> rename(const std::string& from, const std::string& to) override {
            if (quicker) std::filesystem::create_directories(quicker->string() + "/.Work/cur");
            return RootedFs::rename(from, to);
        }
        std::optional<std::filesystem::path> quicker;
    };
    TestMaildir maildir;
    Watched fs(maildir.root());
    auto store = *Store::open(maildir.root(), fs);
    ASSERT_TRUE(store.create("Work"));
    EXPECT_THAT(listing(store), ElementsAre("INBOX", "Work"));
    ASSERT_TRUE(store.remove("Work"));
    fs.quicker = maildir.root();
    EXPECT_EQ(store.create("Work").error().what, "Mailbox already exists");
    for (const auto& name : maildir.files("")) EXPECT_EQ(name.find("new."), std::string::npos);
    std::filesystem::create_directory(maildir.root() + "/.Half");  // by a program that has crashed
    EXPECT_TRUE(store.create("Half"));
    EXPECT_THAT(listing(store), ElementsAre("INBOX", "Half", "Work"));
}

TEST(Store, AFolderThatIsBeingDeletedIsNotMadeAgain) {
    struct Deleting final : support::RootedFs {
        using RootedFs::RootedFs;
        Result<sys::FileInfo> info(const std::string& path) override {
            if (path.ends_with(".Work/new")) std::filesystem::remove_all(root() + "/.Work");
            return RootedFs::info(path);
        }
    };
    TestMaildir maildir;
    ASSERT_TRUE(maildir.store().create("Work"));
    Deleting fs(maildir.root());
    EXPECT_EQ(Store::open(maildir.root(), fs)->mailbox("Work").error().code, Errc::not_found);
    EXPECT_THAT(listing(maildir.store()), ElementsAre("INBOX"));
}

TEST(Store, InitialFoldersAreMadeOnce) {
    TestMaildir maildir;
    auto store = maildir.store();
    ASSERT_TRUE(store.make_initial_folders({}));
    ASSERT_TRUE(store.create("Sent"));
    EXPECT_EQ(store.make_initial_folders({"Drafts", "../x"}).error().code, Errc::invalid);
    ASSERT_TRUE(store.make_initial_folders({"Drafts", "Sent", "Junk"}));
    EXPECT_THAT(listing(store), ElementsAre("INBOX", "Drafts", "Junk", "Sent"));
    EXPECT_THAT(*store.subscriptions(), ElementsAre("Drafts", "Junk", "Sent"));
    ASSERT_TRUE(store.remove("Junk"));
    ASSERT_TRUE(store.make_initial_folders({"Drafts", "Junk", "More"}));
    EXPECT_THAT(listing(store), ElementsAre("INBOX", "Drafts", "Sent"));
}

TEST(Store, ANewFolderOfAnOldNameHasANewUidValidity) {
    TestMaildir maildir;
    auto store = maildir.store();
    std::uint32_t last = 0;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(store.create("x"));
        const auto validity = store.mailbox("x")->status()->uid_validity;
        EXPECT_GT(validity, last);
        last = validity;
        ASSERT_TRUE(store.remove("x"));
    }
}

TEST(Store, RenameMovesWhatIsBelowAndKeepsUids) {
    TestMaildir maildir;
    auto store = maildir.store();
    ASSERT_TRUE(store.create("a"));
    ASSERT_TRUE(store.create("a.b"));
    ASSERT_TRUE(store.create("ab"));
    ASSERT_TRUE(store.mailbox("a.b")->append(std::vector{append_text("x\n")}));
    const auto before = store.mailbox("a.b")->status().value();
    ASSERT_TRUE(store.rename("a", "z"));
    EXPECT_THAT(listing(store), ElementsAre("INBOX", "ab", "z +", "z.b"));
    EXPECT_EQ(store.mailbox("z.b")->status()->uid_validity, before.uid_validity);
    EXPECT_EQ(store.mailbox("z.b")->status()->messages, 1U);
    EXPECT_EQ(store.rename("nope", "y").error().code, Errc::not_found);
    EXPECT_EQ(store.rename("z", "ab").error().code, Errc::permanent);
    EXPECT_EQ(store.rename("z", "z.q").error().code, Errc::permanent);
    EXPECT_EQ(store.rename("z", "inbox").error().code, Errc::permanent);
}

TEST(Store, RenamingInboxMovesItsMessages) {
    TestMaildir maildir;
    auto store = maildir.store();
    ASSERT_TRUE(store.create("sub"));
    ASSERT_TRUE(maildir.inbox().append(std::vector{append_text("x\n", kSeen)}));
    ASSERT_TRUE(store.rename("INBOX", "old"));
    EXPECT_THAT(listing(store), ElementsAre("INBOX", "old", "sub"));
    EXPECT_EQ(maildir.inbox().status()->messages, 0U);
    EXPECT_EQ(store.mailbox("old")->status()->messages, 1U);
    EXPECT_EQ(store.mailbox("old")->status()->unseen, 0U);
}

TEST(Store, Subscriptions) {
    TestMaildir maildir;
    auto store = maildir.store();
    EXPECT_TRUE(store.subscriptions()->empty());
    ASSERT_TRUE(store.subscribe("b"));
    ASSERT_TRUE(store.subscribe("a.gone"));
    ASSERT_TRUE(store.subscribe("b"));
    ASSERT_TRUE(store.subscribe("inbox"));
    EXPECT_THAT(*store.subscriptions(), ElementsAre("INBOX", "a.gone", "b"));
    ASSERT_TRUE(store.unsubscribe("b"));
    EXPECT_EQ(store.unsubscribe("b").error().code, Errc::not_found);
    EXPECT_THAT(*maildir.store().subscriptions(), ElementsAre("INBOX", "a.gone"));
    EXPECT_EQ(store.subscribe("a..b").error().code, Errc::invalid);
}

}  // namespace
}  // namespace postern::mailbox
