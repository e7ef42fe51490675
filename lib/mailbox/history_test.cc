// What a client that comes back is told (RFC 7162), and what identifies messages and folders (RFC
// 8474), across COPY, RENAME and the loss of the log.
#include "lib/mailbox/message_name.h"
#include "lib/mailbox/test_folder.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;
using testing::Optional;

void fill(const TestMaildir& maildir, Mailbox inbox, int count) {
    (void)maildir;
    for (int i = 0; i < count; ++i) {
        const AppendMessage one = append_text("m\n");
        ASSERT_TRUE(inbox.append({&one, 1}));
    }
}

TEST(ExpungeHistory, TellsWhatWentSinceAModseq) {
    TestMaildir maildir;
    fill(maildir, maildir.inbox(), 6);
    auto view = *maildir.inbox().open(Access::read_write);
    const std::uint64_t before = view->highest_modseq();
    const std::vector<std::uint32_t> second{2}, third_and_fourth{3, 4};
    ASSERT_TRUE(view->expunge(second));
    (void)view->sync(Expunges::report);
    const std::uint64_t between = view->highest_modseq();
    EXPECT_GT(between, before);
    ASSERT_TRUE(view->expunge(third_and_fourth));
    const auto changes = view->sync(Expunges::report);
    ASSERT_TRUE(changes);
    EXPECT_THAT(changes->expunged, ElementsAre(3, 3));
    EXPECT_THAT(changes->expunged_uids, ElementsAre(4, 5));

    EXPECT_THAT(*view->expunged_since(before), Optional(ElementsAre(2, 4, 5)));
    EXPECT_THAT(*view->expunged_since(between), Optional(ElementsAre(4, 5)));
    EXPECT_THAT(*view->expunged_since(view->highest_modseq()), Optional(ElementsAre()));
    EXPECT_EQ(*view->expunged_since(1), std::nullopt) << "before the log began";
    // The snapshot does not hide it from a session that begins now.
    auto later = *maildir.inbox().open(Access::read_only);
    EXPECT_THAT(*later->expunged_since(before), Optional(ElementsAre(2, 4, 5)));
}

TEST(ExpungeHistory, LeavesOutWhatStillHasANumber) {
    TestMaildir maildir;
    fill(maildir, maildir.inbox(), 3);
    auto view = *maildir.inbox().open(Access::read_write);
    auto other = *maildir.inbox().open(Access::read_write);
    const std::uint64_t before = view->highest_modseq();
    const std::uint32_t second = 2;
    ASSERT_TRUE(other->expunge({&second, 1}));
    ASSERT_TRUE(view->sync(Expunges::hold));
    EXPECT_THAT(*view->expunged_since(before), Optional(ElementsAre()));
    ASSERT_TRUE(view->sync(Expunges::report));
    EXPECT_THAT(*view->expunged_since(before), Optional(ElementsAre(2)));
}

TEST(ExpungeHistory, ReachesIntoTheLogBefore) {
    TestMaildir maildir;
    fill(maildir, maildir.inbox(), 4);
    auto view = *maildir.inbox().open(Access::read_write);
    const std::uint64_t before = view->highest_modseq();
    const std::uint32_t second = 2;
    ASSERT_TRUE(view->expunge({&second, 1}));
    ASSERT_TRUE(view->sync(Expunges::report));
    // A torn tail: the next writer replaces the log.
    std::ofstream(maildir.root() + "/postern.log", std::ios::app) << "torn";
    ASSERT_TRUE(view->expunge({&second, 1}));
    ASSERT_TRUE(view->sync(Expunges::report));
    ASSERT_TRUE(std::filesystem::exists(maildir.root() + "/postern.log.old"));
    EXPECT_THAT(*view->expunged_since(before), Optional(ElementsAre(2, 3)));
    EXPECT_EQ(*view->expunged_since(1), std::nullopt);
    std::filesystem::remove(maildir.root() + "/postern.log.old");
    EXPECT_EQ(*view->expunged_since(before), std::nullopt);
}

TEST(ExpungeHistory, IsForgottenWithTheLog) {
    TestMaildir maildir;
    fill(maildir, maildir.inbox(), 2);
    std::uint64_t before = 0;
    {
        auto view = *maildir.inbox().open(Access::read_write);
        before = view->highest_modseq();
        const std::uint32_t first = 1;
        ASSERT_TRUE(view->expunge({&first, 1}));
    }
    maildir.remove("postern.log");
    std::filesystem::remove(maildir.root() + "/postern.index");
    auto view = *maildir.inbox().open(Access::read_write);
    EXPECT_EQ(*view->expunged_since(before), std::nullopt);
    EXPECT_GT(view->highest_modseq(), before);
}

TEST(ObjectIds, FollowTheMessageAndTheFolder) {
    TestMaildir maildir;
    Store store = maildir.store();
    ASSERT_TRUE(store.create("a"));
    fill(maildir, maildir.inbox(), 2);
    auto view = *maildir.inbox().open(Access::read_write);
    const std::vector<std::uint32_t> both{1, 2};
    ASSERT_TRUE(view->copy(both, *store.mailbox("a")));
    auto copies = *store.mailbox("a")->open(Access::read_write);
    ASSERT_TRUE(copies->copy(both, maildir.inbox()));
    (void)view->sync(Expunges::report);
    EXPECT_NE(view->email_id(1), view->email_id(2));
    EXPECT_EQ(view->email_id(1), copies->email_id(1));
    EXPECT_EQ(view->email_id(1), view->email_id(3)) << "a copy of a copy";
    const std::string id = copies->mailbox_id();
    EXPECT_NE(id, view->mailbox_id());
    ASSERT_TRUE(store.rename("a", "b"));
    EXPECT_EQ(store.mailbox("b")->status()->id, id);
}

TEST(ObjectIds, ComeFromNames) {
    const std::string id = email_id_of("1700000000.M1P2.host");
    EXPECT_EQ(id.size(), 33U);
    EXPECT_EQ(id, email_id_of("1700000000.M1P2.host,S=12,W=13"));
    EXPECT_NE(id, email_id_of("1700000000.M1P3.host"));
    EXPECT_EQ(email_id_of("x,S=1,I=Mabc-_9"), "Mabc-_9");
    EXPECT_NE(email_id_of("x,I=no/id"), "no/id");
    EXPECT_NE(email_id_of("x,I="), "");
}

TEST(SaveDate, ComesFromTheNameOrTheDelivery) {
    EXPECT_EQ(save_date_of("1700000000.M1R2.host", 5), 1700000000);
    EXPECT_EQ(save_date_of("1700000000.M12QABCR34.host,S=1", 5), 5) << "queued: when delivered";
    EXPECT_EQ(save_date_of("1700000000.P1.host", 5), 1700000000);
    EXPECT_EQ(save_date_of("strange", 5), 5);
    EXPECT_EQ(save_date_of("12strange", 5), 5);
    EXPECT_EQ(save_date_of("99999999999999999999.M1", 5), 5);
}

TEST(SpecialUses, FollowFolders) {
    TestMaildir maildir;
    Store store = maildir.store();
    ASSERT_TRUE(store.create("a b"));
    ASSERT_TRUE(store.set_special_use("a b", {"\\Sent", "\\Archive"}));
    EXPECT_THAT(store.special_uses()->at("a b"), ElementsAre("\\Sent", "\\Archive"));
    ASSERT_TRUE(store.rename("a b", "c"));
    EXPECT_EQ(store.special_uses()->count("a b"), 0U);
    EXPECT_THAT(store.special_uses()->at("c"), ElementsAre("\\Sent", "\\Archive"));
    ASSERT_TRUE(store.remove("c"));
    EXPECT_TRUE(store.special_uses()->empty());
}

TEST(Status, DetailsOnlyWhereAsked) {
    TestMaildir maildir;
    const AppendMessage one = append_text("a: b\n\nx\n", kDeleted);
    ASSERT_TRUE(maildir.inbox().append({&one, 1}));
    fill(maildir, maildir.inbox(), 1);
    EXPECT_EQ(maildir.inbox().status()->size, 0U);
    EXPECT_EQ(maildir.inbox().status(true)->size, 14U);
    EXPECT_EQ(maildir.inbox().status(true)->deleted, 1U);
}

}  // namespace
}  // namespace postern::mailbox
