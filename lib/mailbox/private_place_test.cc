// What a user keeps of folders of others: where, whose, and for how long.
#include "lib/mailbox/private_place.h"

#include <set>

#include "lib/log/log.h"
#include "lib/mailbox/test_folder.h"
#include "tests/support/fake_clock.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class PrivatePlaceTest : public testing::Test {
  protected:
    PrivatePlaceTest() : folder_(maildir_.root() + "/postern.seen") {
        maildir_.store();
        std::filesystem::create_directory(folder_);
    }
    void put(const std::string& name) { maildir_.put("postern.seen/" + name, "x\n"); }
    std::vector<std::string> names() const {
        std::vector<std::string> out;
        for (const auto& entry : std::filesystem::directory_iterator(folder_))
            if (entry.path().filename() != ".looked") out.push_back(entry.path().filename());
        std::sort(out.begin(), out.end());
        return out;
    }
    // A session's end, some days later.
    void look(int days, const std::set<std::string>& there) {
        clock_.advance(std::chrono::hours(24 * days) + Seconds{1});
        asked_.clear();
        const auto done =
            forget_absent(sys::RealFs::instance(), clock_, folder_, [&](const std::string& group) {
                asked_.insert(group);
                return there.contains(group);
            });
        EXPECT_TRUE(done) << done.error().what;
    }

    TestMaildir maildir_;
    std::string folder_;
    support::FakeClock clock_;
    std::set<std::string> asked_;
};

TEST_F(PrivatePlaceTest, NamesOfFiles) {
    const PrivatePlace place{&sys::RealFs::instance(), folder_, "Other.ann"};
    EXPECT_EQ(place.file(17, PrivatePlace::kSeen), folder_ + "/Other.ann.17");
    EXPECT_EQ(place.file(17, PrivatePlace::kMetadata), folder_ + "/Other.ann.17.metadata");
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(place.make(17, PrivatePlace::kTextIndex));
    EXPECT_THAT(names(), ElementsAre("Other.ann.17.index"));
}

TEST_F(PrivatePlaceTest, WhatIsGoneForLongIsForgotten) {
    for (const char* name :
         {"Other.ann.17", "Other.ann.17.lock", "Other.ann.17.metadata", "Other.ann.18",
          "Public.5.urlauth", "Public.5.index/postern.fts/words"}) {
        std::filesystem::create_directories(
            std::filesystem::path(folder_ + "/" + name).parent_path());
        put(name);
    }
    look(0, {"Other.ann.17", "Other.ann.18", "Public.5"});
    EXPECT_THAT(asked_, ElementsAre("Other.ann.17", "Other.ann.18", "Public.5"));
    EXPECT_EQ(names().size(), 6U);
    look(0, {});
    EXPECT_THAT(asked_, IsEmpty()) << "once a day";
    // However long it was before somebody looked, it is gone from then on only.
    look(100, {"Other.ann.18"});
    EXPECT_EQ(names().size(), 8U) << "two marks";
    look(28, {"Other.ann.18"});
    EXPECT_EQ(names().size(), 8U);
    look(1, {"Other.ann.18", "Public.5"});
    EXPECT_EQ(names().size(), 7U) << "one is back";
    look(1, {"Other.ann.18"});
    EXPECT_THAT(names(), ElementsAre("Other.ann.18", "Public.5.absent", "Public.5.index",
                                     "Public.5.urlauth"));
    look(31, {"Other.ann.18"});
    EXPECT_THAT(names(), ElementsAre("Other.ann.18"));
}

TEST_F(PrivatePlaceTest, OtherNamesAreLeftAlone) {
    for (const char* name : {"x", "noise.abc", ".17", "17", "Public.5.other", "Public.99999999999"})
        put(name);
    look(0, {});
    look(31, {});
    look(31, {});
    EXPECT_THAT(asked_, IsEmpty());
    EXPECT_EQ(names().size(), 6U);
    std::filesystem::remove_all(folder_);
    look(2, {});
    EXPECT_FALSE(std::filesystem::exists(folder_)) << "who never looked at others' keeps nothing";
}

TEST_F(PrivatePlaceTest, KeysOfUrlsAreTakenAway) {
    for (const char* name : {"Other.ann.17", "Other.ann.17.urlauth", "Public.5.urlauth"}) put(name);
    ASSERT_TRUE(remove_private_url_keys(sys::RealFs::instance(), folder_));
    EXPECT_THAT(names(), ElementsAre("Other.ann.17"));
    EXPECT_TRUE(remove_private_url_keys(sys::RealFs::instance(), folder_ + "/none"));
}

// Of ann's folder Work, which she shares with bob, and which is his to note things about too.
class PrivateNotes : public testing::Test {
  protected:
    PrivateNotes() {
        Store hers = ann();
        EXPECT_TRUE(hers.create("Work"));
        EXPECT_TRUE(hers.set_acl("Work", "bob", AclChange::replace, "lrsw"));
    }
    Store ann() { return ann_.store(); }
    Store bob() {
        Store out = bob_.store();
        out.set_person({"bob", {}});
        out.add_namespace({"Other", true});
        out.add_mount({"Other.ann", ann_.root(), "ann", {"Work"}});
        return out;
    }
    std::vector<std::string> kept() {
        std::vector<std::string> out;
        for (const auto& entry : std::filesystem::directory_iterator(bob_.root() + "/postern.seen"))
            if (entry.path().extension() != ".lock") out.push_back(entry.path().extension());
        return out;
    }

    TestMaildir ann_, bob_;
};

TEST_F(PrivateNotes, AreEachUsersOwn) {
    Store hers = ann(), his = bob();
    ASSERT_TRUE(
        hers.set_metadata("Work", {{"/private/comment", "hers"}, {"/shared/comment", "a"}}));
    EXPECT_EQ(his.metadata("Other.ann.Work").value(), (Metadata{{"/shared/comment", "a"}}));
    ASSERT_TRUE(his.set_metadata("Other.ann.Work",
                                 {{"/private/comment", "his"}, {"/shared/comment", "b"}}));
    EXPECT_EQ(his.metadata("Other.ann.Work").value(),
              (Metadata{{"/private/comment", "his"}, {"/shared/comment", "b"}}));
    EXPECT_EQ(hers.metadata("Work").value(),
              (Metadata{{"/private/comment", "hers"}, {"/shared/comment", "b"}}));
    // The folder's name is no matter.
    ASSERT_TRUE(hers.rename("Work", "Play"));
    Store later = bob_.store();
    later.set_person({"bob", {}});
    later.add_namespace({"Other", true});
    later.add_mount({"Other.ann", ann_.root(), "ann", {"Play"}});
    EXPECT_EQ(later.metadata("Other.ann.Play").value().at("/private/comment"), "his");
    ASSERT_TRUE(later.set_metadata("Other.ann.Play", {{"/private/comment", std::nullopt}}));
    EXPECT_EQ(later.metadata("Other.ann.Play").value(), (Metadata{{"/shared/comment", "b"}}));
}

// Who is told NO sends a message again: not when it is there.
TEST_F(PrivateNotes, WhatCannotBeMarkedAsSeenIsStillThere) {
    Store his = bob();
    bob_.put("postern.seen", "in the way");
    log::open_capture();
    const Mailbox box = his.mailbox("Other.ann.Work").value();
    const auto appended = box.append(std::vector{append_text("A: b\n\nc\n", kSeen)});
    ASSERT_TRUE(appended) << appended.error().what;
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("new messages stay unseen"));
    EXPECT_EQ(uids_of(*ann().mailbox("Work").value().open(Access::read_only).value()).size(), 1U);
}

TEST_F(PrivateNotes, AllChangesOrNone) {
    Store his = bob();
    ASSERT_TRUE(his.set_metadata("Other.ann.Work", {{"/private/a", "1"}, {"/private/b", "1"}}));
    std::vector<MetadataChange> many{
        {"/private/a", "2"}, {"/private/b", std::nullopt}, {"/private/c", "2"}};
    for (std::size_t i = 0; i <= kMaxMetadataEntries; ++i)
        many.push_back({"/shared/" + std::to_string(i), "x"});
    EXPECT_EQ(his.set_metadata("Other.ann.Work", many).error().code, Errc::permanent);
    EXPECT_EQ(his.metadata("Other.ann.Work").value(),
              (Metadata{{"/private/a", "1"}, {"/private/b", "1"}}));
}

TEST_F(PrivateNotes, RaiseHisOwnModSequenceOnly) {
    Store hers = ann(), his = bob();
    auto theirs = hers.mailbox("Work").value().open(Access::read_only).value();
    const Mailbox box = his.mailbox("Other.ann.Work").value();
    auto view = box.open(Access::read_only).value();
    const auto before = view->highest_modseq();
    const auto of_folder = theirs->highest_modseq();
    ASSERT_TRUE(box.raise_private_modseq());
    const Changes changes = view->sync(Expunges::report).value();
    EXPECT_FALSE(changes.any());
    EXPECT_GT(view->highest_modseq(), before);
    ASSERT_TRUE(theirs->sync(Expunges::report));
    EXPECT_EQ(theirs->highest_modseq(), of_folder);
}

TEST_F(PrivateNotes, KeysOfUrls) {
    Store hers = ann(), his = bob();
    const std::string her_key = hers.url_key("Work", true).value();
    EXPECT_EQ(his.url_key("Other.ann.Work", false).value(), "") << "hers is not his";
    const std::string his_key = his.url_key("Other.ann.Work", true).value();
    EXPECT_EQ(his_key.size(), her_key.size());
    EXPECT_NE(his_key, her_key);
    EXPECT_EQ(bob().url_key("Other.ann.Work", false).value(), his_key);
    EXPECT_THAT(kept(), UnorderedElementsAre(".urlauth"));
    ASSERT_TRUE(his.reset_url_key("Other.ann.Work"));
    EXPECT_EQ(his.url_key("Other.ann.Work", false).value(), "");
    ASSERT_TRUE(his.url_key("Other.ann.Work", true));
    ASSERT_TRUE(his.reset_url_keys_of_others());
    EXPECT_THAT(kept(), IsEmpty());
    EXPECT_EQ(hers.url_key("Work", false).value(), her_key);
}

// By what a store with these folders says of itself.
TEST_F(PrivateNotes, OfFoldersThatAreThereStay) {
    Store his = bob();
    ASSERT_TRUE(his.set_metadata("Other.ann.Work", {{"/private/a", "1"}}));
    ASSERT_TRUE(his.forget_absent_folders());
    EXPECT_THAT(kept(), UnorderedElementsAre(".metadata", ""));
    std::filesystem::remove(bob_.root() + "/postern.seen/.looked");
    Store hers = ann();
    ASSERT_TRUE(hers.set_acl("Work", "bob", AclChange::erase, ""));
    ASSERT_TRUE(his.forget_absent_folders());
    EXPECT_THAT(kept(), UnorderedElementsAre(".metadata", ".absent", ""));
}

}  // namespace
}  // namespace postern::mailbox
