// What a client that comes back is told (RFC 7162), and what identifies messages and folders (RFC
// 8474), across COPY, RENAME and the loss of the log.
#include <random>

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

// RFC 7162 6: what a client may take for the highest mod-sequence that it has heard of
TEST(ExpungeHistory, HeldExpungesHoldTheModSequence) {
    TestMaildir maildir;
    fill(maildir, maildir.inbox(), 4);
    auto view = *maildir.inbox().open(Access::read_write);
    auto other = *maildir.inbox().open(Access::read_write);
    const std::uint64_t before = view->highest_modseq();
    EXPECT_EQ(view->told_modseq(), before);
    const std::vector<std::uint32_t> second{2}, third{3}, first{1};
    ASSERT_TRUE(other->expunge(second));
    ASSERT_TRUE(other->expunge(third));
    ASSERT_TRUE(view->store(first, StoreMode::add, {kSeen, 0}));
    ASSERT_TRUE(view->sync(Expunges::hold));
    EXPECT_EQ(view->told_modseq(), before);
    EXPECT_GT(view->message(1).modseq, before);
    // Also where the log was replaced meanwhile
    std::ofstream(maildir.root() + "/postern.log", std::ios::app) << "torn";
    ASSERT_TRUE(other->store(first, StoreMode::add, {kFlagged, 0}));
    ASSERT_TRUE(view->sync(Expunges::hold));
    EXPECT_EQ(view->told_modseq(), before);
    ASSERT_TRUE(view->sync(Expunges::report));
    EXPECT_EQ(view->told_modseq(), view->highest_modseq());
}

// RFC 7162 3.1.12
TEST(ConditionalStore, OtherFlagsAreNoReasonToRefuse) {
    TestMaildir maildir;
    fill(maildir, maildir.inbox(), 2);
    auto view = *maildir.inbox().open(Access::read_write);
    auto other = *maildir.inbox().open(Access::read_write);
    const std::vector<std::uint32_t> both{1, 2}, first{1};
    std::uint64_t known = view->highest_modseq();
    ASSERT_TRUE(other->store(first, StoreMode::add, {kFlagged, 0}));
    EXPECT_THAT(*view->store_unchanged(both, StoreMode::add, {kSeen, 0}, known), ElementsAre());
    EXPECT_THAT(view->sync(Expunges::report)->changed, ElementsAre(1)) << "and it is told";
    EXPECT_EQ(view->message(1).flags.system, kFlagged | kSeen);
    known = view->highest_modseq();
    ASSERT_TRUE(other->sync(Expunges::report));
    ASSERT_TRUE(other->store(first, StoreMode::remove, {kSeen, 0}));
    EXPECT_THAT(*view->store_unchanged(both, StoreMode::add, {kSeen, 0}, known), ElementsAre(1));
    known = view->highest_modseq();
    ASSERT_TRUE(other->store(first, StoreMode::remove, {kFlagged, 0}));
    EXPECT_THAT(*view->store_unchanged(both, StoreMode::replace, {kSeen, 0}, known),
                ElementsAre(1));
}

TEST(Mailbox, RaisesItsModSequence) {
    TestMaildir maildir;
    EXPECT_EQ(maildir.inbox().known_uid_validity(), 0U) << "nobody has looked yet";
    fill(maildir, maildir.inbox(), 1);
    auto view = *maildir.inbox().open(Access::read_write);
    const std::uint64_t before = view->highest_modseq();
    ASSERT_TRUE(maildir.inbox().raise_modseq());
    const auto changes = view->sync(Expunges::report);
    ASSERT_TRUE(changes);
    EXPECT_FALSE(changes->any());
    EXPECT_EQ(view->highest_modseq(), before + 1);
    EXPECT_EQ(maildir.inbox().known_uid_validity(), view->uid_validity());
    std::ofstream(maildir.root() + "/postern.uids") << "postern-uids 1 99999999999 1";
    EXPECT_EQ(maildir.inbox().known_uid_validity(), 0U);
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
    // RFC 6154 4: one folder has it
    ASSERT_TRUE(store.set_special_use("one", {"\\Sent", "\\Archive"}));
    EXPECT_THAT(*store.move_special_use("two", {"\\Sent"}), ElementsAre("one"));
    EXPECT_THAT(*store.special_uses(), ElementsAre(testing::Pair("one", ElementsAre("\\Archive")),
                                                   testing::Pair("two", ElementsAre("\\Sent"))));
    EXPECT_THAT(*store.move_special_use("two", {}), ElementsAre());
    EXPECT_THAT(*store.special_uses(), ElementsAre(testing::Pair("one", testing::_)));
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

// --- Views that go on in another process

// What a session that sleeps is told later is what one that stays awake learns: whatever others do.
TEST(ResumedView, LearnsWhatALastingOneLearns) {
    std::mt19937 dice(5);
    const auto below = [&dice](std::uint32_t n) { return static_cast<std::uint32_t>(dice() % n); };
    for (int round = 0; round < 25; ++round) {
        TestMaildir maildir;
        fill(maildir, maildir.inbox(), 12);
        auto other = *maildir.inbox().open(Access::read_write);
        auto lasting = *maildir.inbox().open(Access::read_only);
        const ViewState state = lasting->state();
        for (std::uint32_t step = below(8); step > 0; --step) {
            ASSERT_TRUE(other->sync(Expunges::report));
            const std::uint32_t seq = other->count() == 0 ? 0 : 1 + below(other->count());
            const std::uint32_t action = below(4);
            if (action == 0) fill(maildir, maildir.inbox(), 1);
            if (action == 1 && seq != 0) {
                ASSERT_TRUE(other->expunge({&seq, 1}));
            }
            if (action == 2 && seq != 0) {
                ASSERT_TRUE(other->store({&seq, 1}, StoreMode::add, {kFlagged, 0}));
            }
            if (action == 3) maildir.put("cur/foreign" + std::to_string(dice()) + ":2,", "m\n");
        }
        const auto learned = lasting->sync(Expunges::report, true);
        ASSERT_TRUE(learned);
        auto resumed = *maildir.inbox().open(Access::read_only);
        const auto told = resumed->resume(state);
        ASSERT_TRUE(told && *told) << round;
        EXPECT_EQ((*told)->expunged, learned->expunged) << round;
        EXPECT_EQ((*told)->expunged_uids, learned->expunged_uids) << round;
        EXPECT_EQ((*told)->changed, learned->changed) << round;
        EXPECT_EQ((*told)->added, learned->added) << round;
        EXPECT_EQ(uids_of(*resumed), uids_of(*lasting)) << round;
        EXPECT_EQ(resumed->next_uid(), lasting->next_uid()) << round;
    }
}

TEST(ResumedView, KeepsRecentMessagesAndNoticesKeywords) {
    TestMaildir maildir;
    maildir.inbox();
    maildir.put("new/1.a.host", "m\n");
    maildir.put("new/2.b.host", "m\n");
    ViewState state;
    {
        auto view = *maildir.inbox().open(Access::read_write);
        state = view->state();
        EXPECT_THAT(state.recent, ElementsAre(1, 2));
        while (*view->tidy()) {
        }
    }
    auto other = *maildir.inbox().open(Access::read_write);
    EXPECT_EQ(other->recent(), 0U);
    const std::uint32_t first = 1;
    const std::vector<std::string> names{"$Todo"};
    const auto bits = other->keyword_bits(names).value();
    ASSERT_TRUE(other->store({&first, 1}, StoreMode::add, {0, bits}));
    auto resumed = *maildir.inbox().open(Access::read_write);
    EXPECT_EQ(resumed->recent(), 0U);
    const auto told = resumed->resume(state);
    ASSERT_TRUE(told && *told);
    EXPECT_TRUE((*told)->new_keywords);
    EXPECT_THAT((*told)->changed, ElementsAre(1));
    EXPECT_EQ(resumed->recent(), 2U);
    EXPECT_TRUE(resumed->message(2).recent);
    EXPECT_FALSE((*resumed->resume(resumed->state()))->any());
}

TEST(ResumedView, AdmitsWhatItCannotTell) {
    TestMaildir maildir;
    fill(maildir, maildir.inbox(), 3);
    const ViewState state = (*maildir.inbox().open(Access::read_only))->state();
    const auto told = [&](const ViewState& old) {
        auto view = *maildir.inbox().open(Access::read_only);
        const auto changes = view->resume(old);
        return changes && changes->has_value();
    };
    EXPECT_TRUE(told(state));
    ViewState changed = state;
    ++changed.uid_validity;
    EXPECT_FALSE(told(changed));
    changed = state;
    changed.modseq += 100;
    EXPECT_FALSE(told(changed)) << "of the future";
    changed = state;
    ++changed.count;
    EXPECT_FALSE(told(changed)) << "a message that no log tells of";
    changed = state;
    changed.count = 1;
    EXPECT_FALSE(told(changed)) << "fewer than there are";
    const std::uint32_t second = 2;
    ASSERT_TRUE((*maildir.inbox().open(Access::read_write))->expunge({&second, 1}));
    EXPECT_TRUE(told(state));
    changed = state;
    changed.modseq = 1;
    EXPECT_FALSE(told(changed)) << "before the log began";
    std::filesystem::remove(maildir.root() + "/postern.log");
    std::filesystem::remove(maildir.root() + "/postern.index");
    EXPECT_FALSE(told(state)) << "the log is lost";
}

}  // namespace
}  // namespace postern::mailbox
