// What may be in a folder of somebody else's who means ill: whoever opens it keeps his own files, and
// his session goes on.
#include <sys/stat.h>

#include "lib/mailbox/folder_index.h"
#include "lib/mailbox/test_folder.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

namespace stdfs = std::filesystem;

constexpr const char* kMail = "Subject: x\n\nx\n";

class HostileFolder : public testing::Test {
  protected:
    void SetUp() override {
        Store ann = ann_.store();
        ASSERT_TRUE(ann.create("Work"));
        ASSERT_TRUE(ann.set_acl("Work", "bob", AclChange::replace, "lrswite"));
        Store bob = bob_.store();
        ASSERT_TRUE(bob.create("Private"));
    }
    std::string work() { return ann_.root() + "/.Work"; }
    Store bob() {
        Store out = bob_.store();
        out.set_person({"bob", {}});
        out.add_namespace({"Other", true});
        out.add_mount({"Other.ann", ann_.root(), "ann", {"Work"}});
        return out;
    }
    Result<std::unique_ptr<View>> open(Access access = Access::read_write) {
        const auto box = bob().mailbox("Other.ann.Work");
        return box ? box->open(access) : Result<std::unique_ptr<View>>(Error(box.error()));
    }
    void put_message() {
        ann_.put(".Work/new/1.M1.host", kMail);
        ASSERT_TRUE(ann_.store().mailbox("Work")->open(Access::read_only));
    }
    // The message's file has this name, says a transaction of the log.
    void forge(const std::string& name) {
        const Mailbox box = ann_.store().mailbox("Work").value();
        FolderIndex index(box.environment(), box.path());
        ASSERT_TRUE(index.load(true));
        auto transaction = index.begin().value();
        const UidRange first[] = {{1, 1}};
        transaction.changes.flags(FlagChange{kFlagged, 0, 0, 0}, first);
        transaction.changes.name(1, 0, name);
        ASSERT_TRUE(transaction.commit(true));
    }
    // Where bob's folder is, from .Work/cur.
    std::string to_private() {
        return cat({"../../../../", stdfs::path(bob_.root()).parent_path().filename().string(),
                    "/Maildir/.Private"});
    }

    TestMaildir ann_, bob_;
};

TEST_F(HostileFolder, ALinkToTheReadersMail) {
    bob_.put("new/1.M1.host", kMail);
    stdfs::remove(work() + "/new");
    stdfs::create_directory_symlink(bob_.root() + "/new", work() + "/new");
    for (const Access access : {Access::read_write, Access::read_only}) {
        const auto view = open(access);
        ASSERT_FALSE(view);
        EXPECT_THAT(view.error().what, HasSubstr("/.Work/new: no directory; symbolic links"));
    }
    EXPECT_THAT(bob_.files("new"), ElementsAre("1.M1.host"));
    EXPECT_THAT(ann_.files(".Work/cur"), SizeIs(0));
}

TEST_F(HostileFolder, AFolderThatBecomesALink) {
    Store store = bob();
    ASSERT_TRUE(store.mailbox("Other.ann.Work"));
    bob_.put(".Private/postern.acl", "postern-acl 1\nlrswite bob\n");
    stdfs::remove_all(work());
    stdfs::create_directory_symlink(bob_.root() + "/.Private", work());
    EXPECT_FALSE(store.mailbox("Other.ann.Work"));
}

TEST_F(HostileFolder, ANameInTheLogThatLeadsElsewhere) {
    put_message();
    forge(to_private());
    for (const Access access : {Access::read_only, Access::read_write}) {
        auto view = open(access);
        ASSERT_TRUE(view) << view.error().what;
        ASSERT_EQ((*view)->count(), 1U);
        EXPECT_EQ((*view)->read(1).value(), kMail);
        while ((*view)->tidy().value()) continue;
    }
    EXPECT_TRUE(stdfs::exists(bob_.root() + "/.Private/cur"));
}

TEST_F(HostileFolder, ANameInTheIndexThatLeadsElsewhere) {
    const std::string target = "../../" + std::string(40, 'x');
    ann_.put(".Work/new/" + std::string(target.size(), 'a'), kMail);
    {
        const Mailbox box = ann_.store().mailbox("Work").value();
        for (int i = 0; i < 400; ++i)  // so many that the index is worth its file
            ann_.put(cat({".Work/new/1.M", std::to_string(i), ".host"}), kMail);
        ASSERT_TRUE(box.open(Access::read_only));
    }
    ann_.put(target.substr(6), "secret");
    std::string index = ann_.text(".Work/postern.index");
    const auto at = index.find(std::string(target.size(), 'a'));
    ASSERT_NE(at, std::string::npos);
    ann_.put(".Work/postern.index", index.replace(at, target.size(), target));
    const auto box = ann_.store().mailbox("Work").value();
    FolderIndex forged(box.environment(), box.path());
    ASSERT_TRUE(forged.load(false));
    std::size_t damaged = 0;
    for (std::size_t i = 0; i < forged.count(); ++i) {
        EXPECT_EQ(forged.path(forged.row(i)).find("/../"), std::string::npos);
        if (forged.name(forged.row(i)) == ".damaged") ++damaged;
    }
    EXPECT_EQ(damaged, 1U);
    EXPECT_EQ(ann_.text(target.substr(6)), "secret");
}

TEST_F(HostileFolder, NamesInTheListOfUids) {
    put_message();
    ann_.put(".Work/postern.uids", "postern-uids 1 7 3\n1 ../../x\n");
    const Mailbox box = ann_.store().mailbox("Work").value();
    UidList list(box.environment(), box.path());
    ASSERT_TRUE(list.refresh());
    EXPECT_FALSE(list.usable());
}

TEST_F(HostileFolder, PipesAreNotWaitedFor) {
    put_message();
    Store store = bob();
    for (const char* file : {"postern.uids", "postern.log", "postern.index", "postern.cache",
                             "postern.metadata", "postern.acl"}) {
        const std::string path = work() + "/" + file;
        const bool was_there = stdfs::exists(path);
        if (was_there) stdfs::rename(path, path + ".kept");
        ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
        if (const auto box = store.mailbox("Other.ann.Work")) {
            (void)box->known_uid_validity();
            (void)box->open(Access::read_write).has_value();
        }
        EXPECT_TRUE(std::string_view(file) != "postern.metadata" ||
                    !store.metadata("Other.ann.Work"));
        // And in her own sessions.
        if (const auto box = ann_.store().mailbox("Work"))
            (void)box->open(Access::read_write).has_value();
        (void)ann_.store().metadata("Work").has_value();
        stdfs::remove(path);
        if (was_there) stdfs::rename(path + ".kept", path);
    }
    ASSERT_EQ(::mkfifo((work() + "/cur/2.M2.host").c_str(), 0600), 0);
    EXPECT_EQ(open().value()->count(), 1U);
}

TEST_F(HostileFolder, SizesOfFilesAreNotBelieved) {
    put_message();
    Store store = bob();
    for (const char* file : {"postern.uids", "postern.index", "postern.cache", "postern.metadata",
                             "postern.acl", "postern.log"}) {
        const std::string path = work() + "/" + file;
        const std::string before = ann_.text(std::string(".Work/") + file);
        const bool was_there = stdfs::exists(path);
        if (!was_there) ann_.put(std::string(".Work/") + file, "postern-x 1\n");
        stdfs::resize_file(path, std::uintmax_t{1} << 40);
        if (const auto box = store.mailbox("Other.ann.Work"))
            (void)box->open(Access::read_write).has_value();
        (void)store.metadata("Other.ann.Work").has_value();
        stdfs::remove(path);
        if (was_there) ann_.put(std::string(".Work/") + file, before);
    }
    EXPECT_TRUE(open());
}

// Its pages would go away under who had it mapped, and his process with them.
TEST_F(HostileFolder, AnIndexThatIsCutOff) {
    for (int i = 0; i < 400; ++i)
        ann_.put(cat({".Work/new/1.M", std::to_string(i), ".host"}), kMail);
    ASSERT_TRUE(ann_.store().mailbox("Work")->open(Access::read_write));
    ASSERT_GT(stdfs::file_size(work() + "/postern.index"), 20000U);
    auto view = open(Access::read_only).value();
    view->remember(1, {1, "(envelope)", "(structure)", "Subject: x\r\n", ""});
    view->flush_cache();
    ASSERT_TRUE(view->cached(1));
    EXPECT_EQ(view->cached(1)->envelope, "(envelope)");
    for (const char* file : {"/postern.index", "/postern.cache"})
        stdfs::resize_file(work() + file, 0);
    for (std::uint32_t seq = 1; seq <= view->count(); ++seq) EXPECT_NE(view->message(seq).uid, 0U);
    EXPECT_FALSE(view->cached(1));
    EXPECT_EQ(view->read(400).value(), kMail);
}

TEST_F(HostileFolder, AQuotaThatIsNoFile) {
    ASSERT_EQ(::mkfifo((ann_.root() + "/maildirsize").c_str(), 0600), 0);
    Store store = bob_.store();
    store.set_person({"bob", {}});
    store.add_namespace({"Other", true});
    store.add_mount({"Other.ann", ann_.root(), "ann", {"Work"}, {100000, 50}});
    const AppendMessage one[] = {append_text(kMail)};
    const auto added = store.mailbox("Other.ann.Work")->append(one);
    EXPECT_TRUE(added) << added.error().what;
}

// Who may not change anything there renames nothing either.
TEST_F(HostileFolder, AReaderRenamesNothing) {
    put_message();
    {
        const Mailbox box = ann_.store().mailbox("Work").value();
        FolderIndex index(box.environment(), box.path());
        ASSERT_TRUE(index.load(true));
        auto transaction = index.begin().value();
        const UidRange first[] = {{1, 1}};
        transaction.changes.flags(FlagChange{kFlagged, 0, 0, 0}, first);
        transaction.changes.numbers(2, 2);
        ASSERT_TRUE(transaction.commit(true));
    }
    const auto before = ann_.files(".Work/new");
    ASSERT_TRUE(open(Access::read_only));
    EXPECT_EQ(ann_.files(".Work/new"), before);
    EXPECT_THAT(ann_.files(".Work/cur"), SizeIs(0));
}

// A folder of one's own that is a group's: here the members are those others.
TEST_F(HostileFolder, ALinkInAFolderOfOnesOwn) {
    ann_.put("new/1.M1.host", kMail);
    ASSERT_EQ(::chmod(work().c_str(), 02770), 0);
    stdfs::remove(work() + "/new");
    stdfs::create_directory_symlink(ann_.root() + "/new", work() + "/new");
    const auto box = ann_.store().mailbox("Work");
    const auto view =
        box ? box->open(Access::read_write) : Result<std::unique_ptr<View>>(Error(box.error()));
    EXPECT_FALSE(view);
    EXPECT_THAT(ann_.files("new"), ElementsAre("1.M1.host"));
}

}  // namespace
}  // namespace postern::mailbox
