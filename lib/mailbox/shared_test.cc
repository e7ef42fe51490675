// Folders of others': private \Seen and the order of mod-sequences, lists of rights and their
// inheritance, trees below a name, modes of files, and who shares with whom.
#include <sys/stat.h>

#include <random>

#include "lib/mailbox/group_fs.h"
#include "lib/mailbox/private_seen.h"
#include "lib/mailbox/shared_dict.h"
#include "lib/mailbox/shared_view.h"
#include "lib/mailbox/test_folder.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

sys::Fs& real() { return sys::RealFs::instance(); }

std::vector<std::uint32_t> seen_of(const PrivateSeen& seen, std::uint32_t last) {
    std::vector<std::uint32_t> out;
    for (std::uint32_t uid = 1; uid <= last; ++uid)
        if (seen.is_seen(uid)) out.push_back(uid);
    return out;
}

TEST(PrivateSeenFile, RemembersAndTellsOthers) {
    TestMaildir maildir;
    maildir.store();
    const std::string file = maildir.root() + "/postern.seen/Public.7";
    PrivateSeen one(real(), file);
    PrivateSeen other(real(), file);
    ASSERT_TRUE(one.refresh());
    EXPECT_FALSE(one.is_seen(1));
    EXPECT_EQ(one.highest(100), 100U);
    const std::uint32_t some[] = {2, 3, 4, 9};
    ASSERT_TRUE(one.change(100, true, some));
    const std::uint32_t three[] = {3};
    ASSERT_TRUE(one.change(100, false, three));
    EXPECT_THAT(seen_of(one, 10), ElementsAre(2, 4, 9));
    EXPECT_THAT(one.refresh().value(), IsEmpty()) << "one's own changes are no news";
    const auto news = other.refresh().value();
    ASSERT_EQ(news.size(), 3U);
    EXPECT_EQ(news[0].first, 2U);
    EXPECT_EQ(news[0].last, 4U);
    EXPECT_THAT(seen_of(other, 10), ElementsAre(2, 4, 9));
    EXPECT_EQ(maildir.text("postern.seen/Public.7"), "postern-seen 1 0\n100 + 2:4,9\n100 - 3\n");
    EXPECT_EQ(other.highest(100), 102U);
}

// Whatever happens in which order: what changes gets a number above all before, and a client that
// has any of these numbers is told of all that came after it.
TEST(PrivateSeenFile, NumbersOfBothAreInOneOrder) {
    std::mt19937 random(7);
    for (int round = 0; round < 6; ++round) {
        TestMaildir maildir;
        maildir.store();
        PrivateSeen seen(real(), maildir.root() + "/postern.seen/x.1");
        ASSERT_TRUE(seen.refresh());
        std::uint64_t folder = 1000;
        std::map<std::uint32_t, std::uint64_t> of_folder;  // modseq of the row by UID
        std::uint64_t before = seen.highest(folder);
        std::vector<std::pair<std::uint64_t, std::uint64_t>> moments;  // highest, the folder's
        for (int step = 0; step < 40; ++step) {
            moments.emplace_back(before, folder);
            const std::uint32_t uid = 1 + random() % 5;
            if (random() % 2 == 0) {
                folder += 1 + random() % 3;
                of_folder[uid] = folder;
            } else {
                const std::uint32_t uids[] = {uid};
                ASSERT_TRUE(seen.change(folder, random() % 2 == 0, uids));
            }
            const std::uint64_t now = seen.modseq_of(uid, of_folder[uid]);
            EXPECT_GT(now, before);
            EXPECT_LE(now, seen.highest(folder));
            before = seen.highest(folder);
        }
        for (const auto& [highest, at] : moments) {
            EXPECT_LE(seen.folder_part(highest), at);
            EXPECT_GE(seen.folder_part(highest) + 3, at) << "no more than there need be";
        }
    }
}

TEST(PrivateSeenFile, IsWrittenAnewAndDamageIsNoEnd) {
    TestMaildir maildir;
    maildir.store();
    const std::string path = "postern.seen/x.1";
    const std::string file = maildir.root() + "/" + path;
    PrivateSeen seen(real(), file);
    ASSERT_TRUE(seen.refresh());
    for (std::uint32_t i = 0; i < 1100; ++i) {
        const std::uint32_t uids[] = {1 + i % 50};
        ASSERT_TRUE(seen.change(5 + i, true, uids));
    }
    EXPECT_LT(maildir.text(path).size(), 5000U);
    EXPECT_EQ(seen.highest(2000), 3100U);
    PrivateSeen again(real(), file);
    ASSERT_TRUE(again.refresh());
    EXPECT_EQ(seen_of(again, 60), seen_of(seen, 60));
    EXPECT_EQ(again.highest(2000), 3100U);
    for (const char* text :
         {"", "rubbish\n", "postern-seen 1 x\n", "postern-seen 1 0\n7 + 0\n",
          "postern-seen 1 0\n7 + 3:2\n", "postern-seen 1 0\n7 * 3\n",
          "postern-seen 1 18446744073709551615\n", "postern-seen 1 0\n7 + 1:4294967295\nx\n"}) {
        maildir.put(path, text);
        PrivateSeen damaged(real(), file);
        ASSERT_TRUE(damaged.refresh()) << text;
        const std::uint32_t uids[] = {4};
        ASSERT_TRUE(damaged.change(9, true, uids)) << text;
        PrivateSeen healed(real(), file);
        ASSERT_TRUE(healed.refresh());
        EXPECT_TRUE(healed.is_seen(4)) << text;
    }
    std::filesystem::remove(file);
    ASSERT_TRUE(seen.refresh());
    EXPECT_FALSE(seen.is_seen(1));
}

TEST(AclOfOthers, EntriesAreCombined) {
    const Acl acl{{"ann", "lr"},        {"anyone", "l"},   {"-anyone", "w"}, {"$staff", "lrsw"},
                  {"$chiefs", "lrsip"}, {"-$chiefs", "p"}, {"-bob", "r"},    {"joe", ""}};
    const auto rights = [&](const char* user, std::vector<std::string> groups) {
        return rights_of_other(acl, {user, std::move(groups)});
    };
    EXPECT_EQ(rights("zoe", {}), "l");
    EXPECT_EQ(rights("zoe", {"staff"}), "lrs");
    EXPECT_EQ(rights("zoe", {"staff", "chiefs"}), "lrsi");
    EXPECT_EQ(rights("ann", {"staff"}), "lr") << "one's own entry says all";
    EXPECT_EQ(rights("bob", {"staff"}), "ls");
    EXPECT_EQ(rights("joe", {}), "");
    EXPECT_THAT(readers_of(acl, "ann"), ElementsAre("$chiefs", "$staff", "anyone"));
}

TEST(AclOfOthers, DovecotsFile) {
    const Acl acl = parse_dovecot_acl(
        "# a comment\nuser=fred lrws\nanyone lr\n-group=guests w\n\"user=john doe\" lr :extra\n"
        "owner lrwstipekxa\ngroup=staff lrwstipekxa\ngroup-override=x l\nauthenticated s\nuser=bad "
        "lrz\n\nuser= lr\nuser=none\n\"user=open lr\n");
    EXPECT_EQ(acl, (Acl{{"fred", "lrsw"},
                        {"anyone", "lrs"},
                        {"-$guests", "w"},
                        {"bad", "lr"},
                        {"john doe", "lr"},
                        {"$staff", "lrswipkxtea"},
                        {"none", ""}}));
    TestMaildir maildir;
    maildir.store();
    maildir.put("dovecot-acl", "user=fred lr\n");
    EXPECT_EQ(*read_acl(real(), maildir.root()).value(), (Acl{{"fred", "lr"}}));
    ASSERT_TRUE(edit_acl(real(), maildir.root(), {}, "fred", AclChange::add, "s"));
    EXPECT_EQ(maildir.text("postern.acl"), "postern-acl 1\nlrs fred\n");
}

TEST(AclOfOthers, APipeIsNoList) {
    TestMaildir maildir;
    maildir.store();
    ASSERT_EQ(::mkfifo((maildir.root() + "/postern.acl").c_str(), 0600), 0);
    EXPECT_EQ(read_acl(real(), maildir.root()).error().code, Errc::corrupt);
    EXPECT_THAT(shared_folders(maildir.root(), {"bob", {}}), IsEmpty());
}

TEST(SharedDictFile, SaysWhoSharesWithWhom) {
    TestMaildir maildir;
    maildir.store();
    const SharedDict dict(real(), maildir.root() + "/dict");
    EXPECT_THAT(dict.owners_for({"ann", {}}, 10).value(), IsEmpty());
    maildir.put("dict",
                "shared/shared-boxes/user/ann/zoe\n1\nshared/other\nkept\n"
                "shared/shared-boxes/anyone/b\\|ob\n1\n");
    EXPECT_THAT(dict.owners_for({"ann", {}}, 10).value(), ElementsAre("b/ob", "zoe"));
    ASSERT_TRUE(dict.publish("joe", {"$staff", "ann"}, false));
    ASSERT_TRUE(dict.publish("ann", {"anyone"}, false));
    EXPECT_THAT(dict.owners_for({"ann", {}}, 10).value(), ElementsAre("b/ob", "joe", "zoe"));
    EXPECT_THAT(dict.owners_for({"tom", {"staff"}}, 10).value(), ElementsAre("ann", "b/ob", "joe"));
    EXPECT_THAT(dict.owners_for({"tom", {"staff"}}, 2).value().size(), 2U);
    ASSERT_TRUE(dict.publish("joe", {"tom"}, true));
    EXPECT_THAT(dict.owners_for({"ann", {}}, 10).value(), ElementsAre("b/ob", "joe", "zoe"));
    ASSERT_TRUE(dict.publish("joe", {}, false));
    EXPECT_THAT(dict.owners_for({"ann", {}}, 10).value(), ElementsAre("b/ob", "zoe"));
    EXPECT_EQ(maildir.text("dict"),
              "shared/shared-boxes/user/ann/zoe\n1\nshared/shared-boxes/anyone/ann\n1\n"
              "shared/shared-boxes/anyone/b\\|ob\n1\nshared/other\nkept\n");
    EXPECT_FALSE(SharedDict(real(), "/nonexistent/dict").publish("joe", {"a"}, false));
}

mode_t mode_of(const std::string& path) {
    struct stat st {};
    EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
    return st.st_mode & 07777;
}

// A public tree beside ann's and bob's Maildirs.
class Shared : public testing::Test {
  protected:
    void SetUp() override {
        { Store::open(tree()).value().create("News").value(); }
        ASSERT_EQ(::chmod(tree().c_str(), 02770), 0);
        ASSERT_EQ(::chmod((tree() + "/.News").c_str(), 02770), 0);
        list("", "lr anyone\nlrswipkxtea ann\n");
    }
    std::string tree() { return public_.root(); }
    void list(const std::string& folder, const std::string& entries) {
        public_.put(folder + (folder.empty() ? "" : "/") + "postern.acl",
                    "postern-acl 1\n" + entries);
    }
    Store store(TestMaildir& maildir, const std::string& user,
                std::vector<std::string> groups = {}) {
        Store out = maildir.store();
        out.set_person({user, std::move(groups)});
        out.add_namespace({"Public", false});
        out.add_namespace({"Other", true});
        out.add_mount({"Public", tree(), "", {}});
        return out;
    }
    static std::vector<std::string> names(const Store& store) {
        std::vector<std::string> out;
        const auto all = store.folders().value();
        for (const Folder& folder : all)
            if (folder.selectable) out.push_back(folder.name);
        return out;
    }

    TestMaildir public_, ann_, bob_;
};

TEST_F(Shared, ListsAreInheritedAndHide) {
    Store ann = store(ann_, "ann");
    Store bob = store(bob_, "bob");
    ASSERT_TRUE(ann.create("Public.News.Old"));
    ASSERT_TRUE(ann.create("Mine"));
    EXPECT_THAT(names(ann), ElementsAre("INBOX", "Mine", "Public.News", "Public.News.Old"));
    EXPECT_THAT(names(bob), ElementsAre("INBOX", "Public.News", "Public.News.Old"));
    EXPECT_EQ(bob.rights("Public.News.Old").value(), "lr");
    EXPECT_EQ(bob.rights_above("Public.News.New"), "lr");
    EXPECT_EQ(ann.rights_above("Public.Top"), "lrswipkxtea");
    EXPECT_EQ(bob.rights_above("Top"), "lrswipkxtea") << "one's own";
    EXPECT_EQ(bob.rights_above("Other.zoe.x"), "");
    list(".News", "lrs ann\n");
    EXPECT_THAT(names(bob), ElementsAre("INBOX")) << "those below inherit it";
    EXPECT_EQ(bob.mailbox("Public.News").error().code, Errc::not_found);
    EXPECT_EQ(bob.acl("Public.News.Old").error().code, Errc::not_found);
    EXPECT_EQ(ann.rights("Public.News.Old").value(), "lrs");
    // A list of its own begins with what was inherited.
    list(".News", "lrsa ann\nl bob\n");
    ASSERT_TRUE(ann.set_acl("Public.News.Old", "bob", AclChange::add, "r"));
    EXPECT_EQ(ann.acl("Public.News.Old").value(), (Acl{{"ann", "lrsa"}, {"bob", "lr"}}));
    EXPECT_EQ(bob.rights("Public.News").value(), "l");
    std::filesystem::remove(tree() + "/postern.acl");
    list(".News", "");
    EXPECT_THAT(names(ann), ElementsAre("INBOX", "Mine", "Public.News.Old"));
    EXPECT_FALSE(ann.exists("Public.INBOX")) << "the tree's root is no folder";
    EXPECT_FALSE(ann.exists("Public"));
}

TEST_F(Shared, FoldersAreMadeMovedAndRemoved) {
    Store ann = store(ann_, "ann");
    ASSERT_TRUE(ann.create("Public.a.b"));
    EXPECT_EQ(mode_of(tree() + "/.a.b"), 02770U);
    EXPECT_EQ(mode_of(tree() + "/.a.b/cur"), 02770U);
    EXPECT_EQ(mode_of(tree() + "/.a.b/maildirfolder"), 0660U);
    EXPECT_EQ(ann.create("Public.a.b").error().code, Errc::permanent);
    ASSERT_TRUE(ann.rename("Public.a", "Public.c"));
    EXPECT_TRUE(ann.exists("Public.c.b"));
    EXPECT_EQ(ann.rename("Public.c.b", "Public.News").error().code, Errc::permanent);
    EXPECT_EQ(ann.rename("Public.c.b", "Mine").error().code, Errc::denied);
    EXPECT_EQ(ann.rename("INBOX", "Public.in").error().code, Errc::denied);
    EXPECT_EQ(ann.rename("Public.none", "Public.x").error().code, Errc::not_found);
    ASSERT_TRUE(ann.remove("Public.c.b"));
    EXPECT_FALSE(ann.exists("Public.c.b"));
    EXPECT_FALSE(ann.create("Other.zoe.x"));
    EXPECT_FALSE(ann.create("Public"));
    for (const char* name : {"Public...x", "Public.INBOX", "Public./x", "Other"})
        EXPECT_FALSE(ann.create(name)) << name;
}

// A folder of ann's own that a group may use: what her sessions make there, the group may use too.
TEST_F(Shared, AFolderOfOnesOwnMayBeAGroups) {
    Store ann = store(ann_, "ann");
    ASSERT_TRUE(ann.create("Team"));
    ASSERT_TRUE(ann.create("Private"));
    const std::string team = ann_.root() + "/.Team";
    for (const char* part : {"", "/cur", "/new", "/tmp"})
        ASSERT_EQ(::chmod((team + part).c_str(), 02775), 0);
    const AppendMessage one[] = {append_text("Subject: a\n\na\n")};
    for (const auto& [name, mode] : {std::pair("Team", 0660U), std::pair("Private", 0600U)}) {
        const Mailbox box = ann.mailbox(name).value();
        ASSERT_TRUE(box.append(one));
        ASSERT_TRUE(box.open(Access::read_write));
        const std::string path = cat({ann_.root(), "/.", name});
        for (const char* part : {"/cur", "/new"})
            for (const auto& file : std::filesystem::directory_iterator(path + part))
                EXPECT_EQ(mode_of(file.path()), mode) << file.path();
        for (const char* file : {"/postern.uids", "/postern.log"})
            EXPECT_EQ(mode_of(path + file), mode) << path << file;
    }
}

TEST_F(Shared, SeenIsEachUsersOwn) {
    Store ann = store(ann_, "ann");
    Store bob = store(bob_, "bob");
    const Mailbox news = ann.mailbox("Public.News").value();
    const AppendMessage two[] = {append_text("Subject: a\n\na\n", kSeen | kFlagged),
                                 append_text("Subject: b\n\nb\n")};
    const auto added = news.append(two);
    ASSERT_TRUE(added);
    for (const auto& file : std::filesystem::directory_iterator(tree() + "/.News/new")) {
        EXPECT_EQ(file.path().string().find('S', file.path().string().find(":2")),
                  std::string::npos);
        EXPECT_EQ(mode_of(file.path()), 0660U);
    }
    auto hers = news.open(Access::read_write).value();
    auto his = bob.mailbox("Public.News").value().open(Access::read_write).value();
    EXPECT_EQ(hers->message(1).flags.system, kSeen | kFlagged);
    EXPECT_EQ(his->message(1).flags.system, kFlagged);
    EXPECT_EQ(hers->unseen(), 1U);
    EXPECT_EQ(hers->first_unseen(), 2U);
    EXPECT_EQ(his->unseen(), 2U);
    const std::uint64_t before = his->highest_modseq();
    const std::uint32_t second[] = {2};
    ASSERT_TRUE(his->store(second, StoreMode::add, {kSeen | kAnswered, 0}));
    EXPECT_EQ(his->message(2).flags.system, kSeen | kAnswered);
    EXPECT_GT(his->message(2).modseq, before);
    EXPECT_EQ(his->message(2).modseq, his->highest_modseq());
    EXPECT_THAT(hers->sync(Expunges::report).value().changed, ElementsAre(2));
    EXPECT_EQ(hers->message(2).flags.system, kAnswered);
    // Replaced: everything but others' \Seen. The files never tell of it.
    const std::uint32_t both[] = {1, 2};
    ASSERT_TRUE(his->store(both, StoreMode::replace, {kDraft, 0}));
    EXPECT_EQ(his->unseen(), 2U);
    ASSERT_TRUE(hers->sync(Expunges::report));
    EXPECT_EQ(hers->message(1).flags.system, kSeen | kDraft);
    // Another session of the same user's
    auto again = bob.mailbox("Public.News").value().open(Access::read_only).value();
    ASSERT_TRUE(his->store(second, StoreMode::add, {kSeen, 0}));
    EXPECT_THAT(again->sync(Expunges::report).value().changed, ElementsAre(2));
    EXPECT_EQ(again->unseen(), 1U);
    EXPECT_EQ(bob.mailbox("Public.News").value().status().value().unseen, 1U);
    EXPECT_EQ(again->highest_modseq(), his->highest_modseq());
}

TEST_F(Shared, ConditionalStoreAndResume) {
    Store ann = store(ann_, "ann");
    const Mailbox news = ann.mailbox("Public.News").value();
    const AppendMessage three[] = {append_text("a\n\n"), append_text("b\n\n"),
                                   append_text("c\n\n")};
    ASSERT_TRUE(news.append(three));
    auto view = news.open(Access::read_write).value();
    const std::uint64_t before = view->highest_modseq();
    const std::uint32_t first[] = {1}, all[] = {1, 2, 3};
    const ViewState state = view->state();
    ASSERT_TRUE(view->store(first, StoreMode::add, {kSeen, 0}));
    EXPECT_THAT(view->store_unchanged(all, StoreMode::add, {kSeen, 0}, before).value(),
                ElementsAre(1));
    EXPECT_EQ(view->unseen(), 0U);
    const std::uint32_t third[] = {3};
    ASSERT_TRUE(view->expunge(third));
    auto later = news.open(Access::read_write).value();
    const auto changes = later->resume(state).value();
    ASSERT_TRUE(changes);
    EXPECT_THAT(changes->expunged_uids, ElementsAre(3));
    EXPECT_THAT(changes->changed, ElementsAre(1, 2));
    EXPECT_THAT(later->expunged_since(before).value().value(), ElementsAre(3));
    EXPECT_FALSE(
        later->resume(ViewState{state.uid_validity, state.modseq + 100, 2, 3, {}, {}}).value());
}

TEST_F(Shared, CopiesAreFilesOfTheirOwn) {
    Store ann = store(ann_, "ann");
    const AppendMessage one[] = {append_text("Subject: x\n\nx\n", kSeen)};
    ASSERT_TRUE(ann.mailbox("INBOX").value().append(one));
    const std::uint32_t first[] = {1};
    auto inbox = ann.mailbox("INBOX").value().open(Access::read_write).value();
    const Mailbox news = ann.mailbox("Public.News").value();
    ASSERT_TRUE(inbox->copy(first, news));
    auto view = news.open(Access::read_write).value();
    ASSERT_EQ(view->count(), 1U);
    EXPECT_EQ(view->message(1).flags.system, kSeen) << "the user has seen the copy too";
    EXPECT_EQ(view->read(1).value(), "Subject: x\n\nx\n");
    for (const char* part : {"/.News/new", "/.News/cur"})
        for (const auto& file : std::filesystem::directory_iterator(tree() + part)) {
            EXPECT_EQ(std::filesystem::hard_link_count(file), 1U);
            EXPECT_EQ(mode_of(file.path()), 0660U);
        }
    // And back: the private flag is a flag of the copy. What all may write about a message, its
    // cache, is not.
    view->remember(1, {1, "(forged)", "(forged)", "Subject: forged\r\n", ""});
    view->flush_cache();
    ASSERT_TRUE(view->cached(1));
    ASSERT_TRUE(view->copy(first, ann.mailbox("INBOX").value()));
    ASSERT_TRUE(inbox->sync(Expunges::report));
    ASSERT_EQ(inbox->count(), 2U);
    EXPECT_EQ(inbox->message(2).flags.system, kSeen);
    EXPECT_FALSE(ann.mailbox("INBOX").value().open(Access::read_only).value()->cached(2));
}

TEST_F(Shared, FoldersOfAnotherUser) {
    Store ann = store(ann_, "ann");
    ASSERT_TRUE(ann.create("Work"));
    ASSERT_TRUE(ann.create("Secret"));
    ASSERT_TRUE(ann.set_acl("Work", "bob", AclChange::replace, "lrswikxtea"));
    ASSERT_TRUE(ann.set_acl("Work", "$staff", AclChange::replace, "lr"));
    EXPECT_THAT(ann.own_readers().value(), ElementsAre("$staff", "bob"));
    EXPECT_THAT(shared_folders(ann_.root(), {"bob", {}}), ElementsAre("Work"));
    EXPECT_THAT(shared_folders(ann_.root(), {"zoe", {}}), IsEmpty());
    EXPECT_THAT(shared_folders("/nonexistent", {"zoe", {}}), IsEmpty());
    Store bob = store(bob_, "bob");
    bob.add_mount({"Other.ann", ann_.root(), "ann", shared_folders(ann_.root(), {"bob", {}})});
    EXPECT_THAT(names(bob), ElementsAre("INBOX", "Other.ann.Work", "Public.News"));
    EXPECT_EQ(bob.rights("Other.ann.Work").value(), "lrswitea") << "k and x are the owner's";
    EXPECT_EQ(bob.owner_of("Other.ann.Work"), "ann");
    EXPECT_FALSE(bob.is_personal("Other.ann.Work"));
    for (const char* name : {"Other.ann.Secret", "Other.ann.INBOX", "Other.ann", "Other.zoe.Work"})
        EXPECT_FALSE(bob.exists(name)) << name;
    EXPECT_FALSE(bob.create("Other.ann.New"));
    EXPECT_EQ(bob.remove("Other.ann.Work").error().code, Errc::denied);
    EXPECT_EQ(bob.rename("Other.ann.Work", "Other.ann.Play").error().code, Errc::denied);
    const AppendMessage one[] = {append_text("x\n\n")};
    ASSERT_TRUE(bob.mailbox("Other.ann.Work").value().append(one));
    auto his = bob.mailbox("Other.ann.Work").value().open(Access::read_write).value();
    auto hers = ann.mailbox("Work").value().open(Access::read_write).value();
    const std::uint32_t first[] = {1};
    ASSERT_TRUE(hers->store(first, StoreMode::add, {kSeen, 0}));
    ASSERT_TRUE(his->sync(Expunges::report));
    EXPECT_EQ(his->message(1).flags.system, 0) << "the owner's is in the file, and only hers";
    ASSERT_TRUE(his->store(first, StoreMode::replace, {kFlagged, 0}));
    ASSERT_TRUE(hers->sync(Expunges::report));
    EXPECT_EQ(hers->message(1).flags.system, kSeen | kFlagged);
    // What is taken away is away at the next look.
    ASSERT_TRUE(ann.set_acl("Work", "bob", AclChange::erase, ""));
    EXPECT_FALSE(bob.exists("Other.ann.Work"));
}

}  // namespace
}  // namespace postern::mailbox
