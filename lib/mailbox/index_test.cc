// The folder's state across sessions: flags that are in the log before they are in names,
// snapshots, short logs, mod-sequences.
#include <poll.h>

#include <filesystem>

#include "lib/mailbox/folder_index.h"
#include "lib/mailbox/prepare_new.h"
#include "lib/mailbox/test_folder.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/rooted_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Seqs = std::vector<std::uint32_t>;

std::unique_ptr<View> open_indexed(TestMaildir& maildir, Access access = Access::read_write) {
    auto view = maildir.inbox().open(access);
    EXPECT_TRUE(view) << (view ? "" : view.error().what);
    return std::move(view).value();
}

void fill(TestMaildir& maildir, int count) {
    (void)maildir.store();
    for (int i = 0; i < count; ++i)
        maildir.put("cur/" + std::to_string(1000 + i) + ".h:2,", "text\n");
}

void tidy(View& view) {
    while (*view.tidy()) {
    }
}

TEST(Index, NamesFollowTheLog) {
    TestMaildir maildir;
    fill(maildir, 3);
    auto view = open_indexed(maildir);
    ASSERT_TRUE(view->store(Seqs{1, 3}, StoreMode::add, {kSeen, 1}));
    EXPECT_THAT(maildir.files("cur"), ElementsAre("1000.h:2,", "1001.h:2,", "1002.h:2,"));
    auto other = open_indexed(maildir);
    EXPECT_EQ(other->message(1).flags, (Flags{kSeen, 1})) << "known all the same";
    EXPECT_EQ(*other->read(1), "text\n");
    tidy(*view);
    EXPECT_THAT(maildir.files("cur"), ElementsAre("1000.h:2,PS", "1001.h:2,", "1002.h:2,PS"));
    EXPECT_FALSE(other->sync(Expunges::report)->any()) << "no news";
    EXPECT_EQ(*other->read(3), "text\n");
    EXPECT_EQ(other->message(3).flags, (Flags{kSeen, 1}));
}

TEST(Index, TheLastSessionRenamesWhatOthersCouldNot) {
    TestMaildir maildir;
    fill(maildir, 2);
    auto view = open_indexed(maildir);
    ASSERT_TRUE(view->store(Seqs{1, 2}, StoreMode::add, {kFlagged, 0}));
    open_indexed(maildir).reset();
    EXPECT_THAT(maildir.files("cur"), ElementsAre("1000.h:2,F", "1001.h:2,F"));
}

TEST(Index, ForeignChangesMergeWithOnesNotInNamesYet) {
    TestMaildir maildir;
    fill(maildir, 2);
    auto view = open_indexed(maildir);
    ASSERT_TRUE(view->store(Seqs{1}, StoreMode::add, {kSeen, 0}));
    maildir.move("cur/1000.h:2,", "cur/1000.h:2,R");
    EXPECT_THAT(view->sync(Expunges::report, true)->changed, ElementsAre(1));
    EXPECT_EQ(view->message(1).flags.system, kSeen | kAnswered);
    ASSERT_TRUE(view->store(Seqs{1}, StoreMode::remove, {kAnswered, 0}));
    tidy(*view);
    EXPECT_THAT(maildir.files("cur"), ElementsAre("1000.h:2,S", "1001.h:2,"));
    EXPECT_FALSE(view->sync(Expunges::report, true)->any());
}

TEST(Index, ASnapshotIsUsedAndCanBeDeleted) {
    TestMaildir maildir;
    fill(maildir, 400);
    std::uint64_t modseq = 0;
    {
        auto view = open_indexed(maildir);
        ASSERT_TRUE(view->store(Seqs{7}, StoreMode::add,
                                {kSeen, *view->keyword_bits(std::vector<std::string>{"Work"})}));
        modseq = view->highest_modseq();
    }
    const std::string index = maildir.root() + "/postern.index";
    ASSERT_TRUE(std::filesystem::exists(index));
    const auto expect_all = [&] {
        auto view = open_indexed(maildir);
        EXPECT_EQ(view->count(), 400U);
        EXPECT_EQ(view->unseen(), 399U);
        EXPECT_EQ(view->first_unseen(), 1U);
        EXPECT_EQ(view->message(7).flags, (Flags{kSeen, 2}));
        EXPECT_EQ(view->message(7).modseq, modseq);
        EXPECT_EQ(view->highest_modseq(), modseq);
        EXPECT_EQ(*view->read(400), "text\n");
        EXPECT_EQ(view->seq_of(7), 7U);
    };
    expect_all();
    std::filesystem::remove(index);
    expect_all();
    EXPECT_TRUE(std::filesystem::exists(index)) << "made again";
    maildir.put("postern.index", maildir.text("postern.index") + "x");
    expect_all();
}

Seqs numbers(std::uint32_t from, std::uint32_t to) {
    Seqs seqs;
    for (std::uint32_t seq = from; seq <= to; ++seq) seqs.push_back(seq);
    return seqs;
}

TEST(Expunge, OfManyRemovesTheFilesWhenNobodyWaits) {
    TestMaildir maildir;
    fill(maildir, 12);
    auto view = open_indexed(maildir);
    const Seqs most = numbers(1, 10);
    ASSERT_TRUE(view->expunge(most));
    EXPECT_THAT(maildir.files("cur"), ElementsAre("1010.h:2,", "1011.h:2,"));
    EXPECT_EQ(maildir.files("postern.expunged").size(), 10U);
    EXPECT_EQ(view->sync(Expunges::report)->expunged.size(), 10U);
    EXPECT_THAT(uids_of(*open_indexed(maildir, Access::read_only)), ElementsAre(11, 12));
    EXPECT_EQ(maildir.files("postern.expunged").size(), 10U) << "who only reads removes nothing";
    EXPECT_EQ(maildir.inbox().status()->messages, 2U);
    tidy(*view);
    EXPECT_FALSE(std::filesystem::exists(maildir.root() + "/postern.expunged"));
    maildir.remove("postern.log");
    maildir.remove("postern.index");
    EXPECT_THAT(uids_of(*open_indexed(maildir)), ElementsAre(11, 12));
}

TEST(Expunge, WhoGoesOnToReadOnlyRemovesItsFilesFirst) {
    TestMaildir maildir;
    fill(maildir, 12);
    auto view = open_indexed(maildir);
    ASSERT_TRUE(view->expunge(numbers(1, 10)));
    view = maildir.inbox().open_after(std::move(view), Access::read_only).value();
    EXPECT_TRUE(view->read_only());
    view.reset();
    EXPECT_FALSE(std::filesystem::exists(maildir.root() + "/postern.expunged"));
}

TEST(Expunge, WhatACrashLeavesIsFoundWhenTheFolderIsSelectedAgain) {
    TestMaildir maildir;
    fill(maildir, 1);
    auto view = open_indexed(maildir);
    tidy(*view);
    std::filesystem::create_directory(maildir.root() + "/postern.expunged");
    maildir.put("postern.expunged/900.h:2,", "text\n");
    view = maildir.inbox().open_after(std::move(view), Access::read_write).value();
    tidy(*view);
    EXPECT_FALSE(std::filesystem::exists(maildir.root() + "/postern.expunged"));
}

TEST(Expunge, WhatACrashLeftIsRemovedByTheNextSession) {
    TestMaildir maildir;
    fill(maildir, 1);
    std::filesystem::create_directory(maildir.root() + "/postern.expunged");
    maildir.put("postern.expunged/900.h:2,", "text\n");
    auto view = open_indexed(maildir);
    EXPECT_THAT(uids_of(*view), ElementsAre(1));
    tidy(*view);
    EXPECT_FALSE(std::filesystem::exists(maildir.root() + "/postern.expunged"));
}

TEST(Expunge, OfTwoSessionsAtOnceLosesNoFile) {
    TestMaildir maildir;
    fill(maildir, 40);
    auto one = open_indexed(maildir);
    auto other = open_indexed(maildir);
    ASSERT_TRUE(one->expunge(numbers(1, 10)));
    ASSERT_TRUE(other->expunge(numbers(5, 20)));
    tidy(*one);
    tidy(*other);
    ASSERT_TRUE(one->expunge(numbers(21, 30))) << "whose directory the other has removed";
    EXPECT_EQ(maildir.files("cur").size(), 10U);
    tidy(*other);
    tidy(*one);
    EXPECT_FALSE(std::filesystem::exists(maildir.root() + "/postern.expunged"));
}

TEST(Expunge, RemovesAtOnceWhereFilesCannotWait) {
    TestMaildir maildir;
    fill(maildir, 10);
    const std::string elsewhere = maildir.root() + "/tmp";
    maildir.put("tmp/precious", "text\n");
    std::filesystem::create_directory_symlink(elsewhere, maildir.root() + "/postern.expunged");
    auto view = open_indexed(maildir);
    ASSERT_TRUE(view->expunge(numbers(1, 10)));
    EXPECT_THAT(maildir.files("cur"), IsEmpty());
    tidy(*view);
    EXPECT_THAT(maildir.files("tmp"), ElementsAre("precious"));
}

TEST(Index, ADamagedLogCostsKeywordsAndNothingElse) {
    TestMaildir maildir;
    fill(maildir, 3);
    std::uint64_t modseq = 0;
    std::uint32_t validity = 0;
    {
        auto view = open_indexed(maildir);
        ASSERT_TRUE(view->store(Seqs{1}, StoreMode::add,
                                {kSeen, *view->keyword_bits(std::vector<std::string>{"Work"})}));
        modseq = view->highest_modseq();
        validity = view->uid_validity();
        maildir.inbox();
        ASSERT_TRUE(view->expunge(Seqs{2}));
    }
    maildir.put("postern.log", "rubbish");
    auto view = open_indexed(maildir);
    EXPECT_EQ(view->uid_validity(), validity);
    EXPECT_THAT(uids_of(*view), ElementsAre(1, 3));
    EXPECT_EQ(view->message(1).flags, (Flags{kSeen, 0}));
    EXPECT_GE(view->highest_modseq(), modseq);
    EXPECT_EQ(view->next_uid(), 4U);
}

// As after a restore without that file. To add is not to have seen anything: there is no view that
// new UIDs would upset.
TEST(Index, WhatIsAddedGoesIntoAFolderWhoseUidsAreLost) {
    TestMaildir maildir;
    fill(maildir, 2);
    const auto validity = open_indexed(maildir)->uid_validity();
    const Mailbox inbox = maildir.inbox();
    ASSERT_TRUE(maildir.store().create("From"));
    const Mailbox other = *maildir.store().mailbox("From");
    ASSERT_TRUE(other.append(std::vector{append_text("a: b\n\nc\n")}));
    const auto from = *other.open(Access::read_write);

    maildir.remove("postern.uids");
    const auto copied = from->copy(Seqs{1}, inbox);
    ASSERT_TRUE(copied) << copied.error().what;
    maildir.remove("postern.uids");
    const auto appended = inbox.append(std::vector{append_text("d: e\n\nf\n")});
    ASSERT_TRUE(appended) << appended.error().what;
    maildir.remove("postern.uids");
    ASSERT_TRUE(inbox.raise_modseq());
    const auto view = open_indexed(maildir);
    EXPECT_EQ(view->count(), 4U);
    EXPECT_GT(view->uid_validity(), appended->uid_validity);
    EXPECT_GT(appended->uid_validity, copied->uid_validity);
    EXPECT_GT(copied->uid_validity, validity);
}

// As after "mount -o remount,ro", or in a snapshot of the disk: what was known is shown, and what
// came since is not lost.
TEST(Index, WhatIsOnAReadOnlyFileSystemCanBeRead) {
    const support::TempFolder folder;
    support::RootedFs before(folder.path());
    {
        const Mailbox inbox = *Store::open("Maildir", before)->mailbox("INBOX");
        ASSERT_TRUE(
            inbox.append(std::vector{append_text("a: b\n\nc\n"), append_text("d: e\n\nf\n")}));
        const auto view = *inbox.open(Access::read_write);
    }
    std::ofstream(folder / "Maildir/new/1.M2P3.other") << "x: y\n\nz\n";
    support::FaultyFs fs(folder.path(), 1, EROFS, support::FaultyFs::After::stays_broken);
    const Mailbox inbox = *Store::open("Maildir", fs)->mailbox("INBOX");
    const auto opened = inbox.open(Access::read_write);
    ASSERT_TRUE(opened) << opened.error().what;
    View& view = **opened;
    EXPECT_EQ(view.count(), 2U);
    EXPECT_TRUE(view.sync(Expunges::report, true));
    EXPECT_EQ(view.store(Seqs{1}, StoreMode::add, {kFlagged, 0}).error().sys, EROFS);
    EXPECT_EQ(inbox.append(std::vector{append_text("g: h\n\ni\n")}).error().sys, EROFS);
    EXPECT_EQ(inbox.status()->messages, 2U);
}

// Hundreds of changes are quick without fsync.
class NoSync final : public support::RootedFs {
  public:
    using RootedFs::RootedFs;
    Result<void> sync(int) override { return {}; }
    Result<void> sync_directory(const std::string&) override { return {}; }
};

// A log that has grown long is replaced by a short one under the eyes of another session.
TEST(Index, SessionsLiveThroughANewLog) {
    const support::TempFolder folder;
    NoSync fs(folder.path());
    auto store = Store::open("Maildir", fs).value();
    const Mailbox inbox = store.mailbox("INBOX").value();
    std::vector<AppendMessage> many;
    for (int i = 0; i < 300; ++i) many.push_back(append_text("text\n"));
    ASSERT_TRUE(inbox.append(many));
    auto watching = inbox.open(Access::read_write).value();
    const auto log_size = [&] { return fs.info("Maildir/postern.log")->size; };
    {
        auto busy = inbox.open(Access::read_write).value();
        Seqs every_second;
        for (std::uint32_t seq = 1; seq <= 300; seq += 2) every_second.push_back(seq);
        const auto bits = *busy->keyword_bits(std::vector<std::string>{"Work"});
        std::uint64_t largest = 0;
        int rounds = 0;
        for (; rounds < 2000 && log_size() >= largest; ++rounds) {
            largest = std::max<std::uint64_t>(largest, log_size());
            ASSERT_TRUE(busy->store(
                every_second, rounds % 2 == 0 ? StoreMode::add : StoreMode::remove, {0, bits}));
            if (rounds % 100 == 99) tidy(*busy);
        }
        EXPECT_LT(rounds, 2000) << "never replaced";
        ASSERT_TRUE(busy->store(every_second, StoreMode::replace, {kFlagged, 0}));
        ASSERT_TRUE(busy->expunge(Seqs{2, 4}));
        ASSERT_TRUE(inbox.append(std::vector{append_text("new\n")}));
    }
    const auto changes = watching->sync(Expunges::report);
    ASSERT_TRUE(changes) << changes.error().what;
    EXPECT_THAT(changes->expunged, ElementsAre(2, 3));
    EXPECT_EQ(changes->changed.size(), 150U);
    EXPECT_EQ(changes->added, 1U);
    EXPECT_EQ(watching->count(), 299U);
    EXPECT_EQ(watching->message(2).flags.system, kFlagged);
    EXPECT_EQ(*watching->read(299), "new\n");
    EXPECT_EQ(uids_of(*watching), uids_of(*inbox.open(Access::read_only).value()));
}

// What is expunged behind the beginning of a new log is told like all else, and until then no
// client may take the mod-sequence of the expunge for one that it knows.
TEST(Index, ExpungesBehindTheBeginningOfANewLogAreTold) {
    TestMaildir maildir;
    fill(maildir, 3);
    auto watching = open_indexed(maildir);
    const auto known = watching->highest_modseq();
    std::ofstream(maildir.root() + "/postern.log", std::ios::app) << "torn by a crash";
    auto busy = open_indexed(maildir);
    ASSERT_TRUE(busy->store(Seqs{1}, StoreMode::add, {kFlagged, 0}));  // the log is replaced
    ASSERT_TRUE(
        maildir.inbox().append(std::vector{append_text("comes\n"), append_text("stays\n")}));
    ASSERT_TRUE(busy->sync(Expunges::report));
    ASSERT_TRUE(busy->expunge(Seqs{2, 4}));

    const auto held = watching->sync(Expunges::hold);
    ASSERT_TRUE(held) << held.error().what;
    EXPECT_EQ(held->added, 1U) << "one has come and gone";
    EXPECT_EQ(watching->told_modseq(), known);
    EXPECT_THAT(watching->sync(Expunges::report)->expunged, ElementsAre(2));
    EXPECT_EQ(watching->told_modseq(), busy->highest_modseq());
    EXPECT_THAT(uids_of(*watching), ElementsAre(1, 3, 5));
    EXPECT_EQ(*watching->read(3), "stays\n");
}

TEST(Index, AChangeMayBeTheFirstToMeetANewLog) {
    TestMaildir maildir;
    fill(maildir, 2);
    auto late = open_indexed(maildir);
    std::ofstream(maildir.root() + "/postern.log", std::ios::app) << "torn by a crash";
    ASSERT_TRUE(open_indexed(maildir)->store(Seqs{1}, StoreMode::add, {kFlagged, 0}));
    const auto stored = late->store(Seqs{2}, StoreMode::add, {kSeen, 0});
    ASSERT_TRUE(stored) << stored.error().what;
    const auto fresh = open_indexed(maildir);
    EXPECT_EQ(fresh->message(1).flags.system, kFlagged);
    EXPECT_EQ(fresh->message(2).flags.system, kSeen);
}

TEST(Index, ModSequencesGrowWithEachChange) {
    TestMaildir maildir;
    fill(maildir, 3);
    auto view = open_indexed(maildir);
    const auto first = view->highest_modseq();
    EXPECT_GT(first, 0U);
    ASSERT_TRUE(view->store(Seqs{2}, StoreMode::add, {kSeen, 0}));
    EXPECT_GT(view->message(2).modseq, first);
    EXPECT_EQ(view->highest_modseq(), view->message(2).modseq);
    EXPECT_LE(view->message(1).modseq, first);
    const auto second = view->highest_modseq();
    ASSERT_TRUE(view->store(Seqs{2}, StoreMode::add, {kSeen, 0}));
    EXPECT_EQ(view->highest_modseq(), second) << "nothing changed";
    ASSERT_TRUE(view->expunge(Seqs{3}));
    EXPECT_GT(view->highest_modseq(), second) << "RFC 7162 3.2.7";
}

TEST(Index, StoreUnlessChangedSince) {
    TestMaildir maildir;
    fill(maildir, 3);
    auto view = open_indexed(maildir);
    const auto base = view->highest_modseq();
    auto other = open_indexed(maildir);
    ASSERT_TRUE(other->store(Seqs{2}, StoreMode::add, {kFlagged, 0}));
    const auto refused = view->store_unchanged(Seqs{1, 2, 3}, StoreMode::replace, {kSeen, 0}, base);
    ASSERT_TRUE(refused);
    EXPECT_THAT(*refused, ElementsAre(2)) << "though this session had not heard of it";
    EXPECT_EQ(view->message(1).flags.system, kSeen);
    EXPECT_EQ(view->message(2).flags.system, kFlagged);
    EXPECT_THAT(*view->store_unchanged(Seqs{2}, StoreMode::add, {kSeen, 0}, view->highest_modseq()),
                IsEmpty());
}

TEST(Index, KeywordsAreTheSameBitsEverywhere) {
    TestMaildir maildir;
    fill(maildir, 1);
    auto one = open_indexed(maildir);
    auto two = open_indexed(maildir);
    const std::vector<std::string> a{"A"}, b{"B"}, both{"B", "A"};
    const auto bit_a = *one->keyword_bits(a);
    const auto bit_b = *two->keyword_bits(b);
    EXPECT_NE(bit_a, bit_b);
    EXPECT_EQ(*one->keyword_bits(both), bit_a | bit_b);
    EXPECT_EQ(*open_indexed(maildir, Access::read_only)->keyword_bits(both), bit_a | bit_b);
    EXPECT_EQ(
        *open_indexed(maildir, Access::read_only)->keyword_bits(std::vector<std::string>{"C"}), 0U);
}

TEST(Snapshot, OnlyAWholeOneIsOne) {
    TestMaildir maildir;
    fill(maildir, 500);
    open_indexed(maildir).reset();
    const std::string good = maildir.text("postern.index");
    SnapshotParts parts;
    ASSERT_TRUE(parse_snapshot(good, parts));
    EXPECT_EQ(parts.rows.size(), 500U);
    EXPECT_EQ(parts.keywords.front(), "$Forwarded");
    for (std::size_t size = 0; size < good.size(); size += 97)
        EXPECT_FALSE(parse_snapshot(std::string_view(good).substr(0, size), parts)) << size;
    for (std::size_t at = 0; at < sizeof(IndexHeader); ++at) {
        std::string damaged = good;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        EXPECT_FALSE(parse_snapshot(damaged, parts)) << at;
    }
}

class CountingFs final : public support::RootedFs {
  public:
    using RootedFs::RootedFs;
    Result<std::vector<sys::DirEntry>> list(const std::string& path) override {
        ++lists;
        return RootedFs::list(path);
    }
    int lists = 0;
};

// Whoever appends message after message to the folder that he has open (a client that uploads) does
// not make every one of them read the directories: they may have a hundred thousand entries.
TEST(Index, OwnAppendsAreNotLookedFor) {
    const support::TempFolder folder;
    CountingFs fs(folder.path());
    const Mailbox inbox = *Store::open("Maildir", fs)->mailbox("INBOX");
    auto view = *inbox.open(Access::read_write);
    const auto append_and_see = [&](std::uint32_t count) {
        ASSERT_TRUE(inbox.append(std::vector{append_text("a: b\n\nc\n")}));
        ASSERT_TRUE(view->sync(Expunges::report));
        EXPECT_EQ(view->count(), count);
    };
    for (std::uint32_t n = 1; n <= 3; ++n) append_and_see(n);
    fs.lists = 0;
    const auto start = SystemClock::instance().steady();
    for (std::uint32_t n = 4; n <= 23; ++n) append_and_see(n);
    const auto took = SystemClock::instance().steady() - start;
    const auto seconds = std::chrono::duration_cast<Seconds>(took).count();
    EXPECT_LE(fs.lists, 2 * (seconds + 2)) << "two for each time that a second has passed";
    // What another program does is found all the same.
    std::ofstream(folder.path() + "/Maildir/new/1.M2P3.other") << "x: y\n\nz\n";
    ASSERT_TRUE(view->sync(Expunges::report, true));
    EXPECT_EQ(view->count(), 24U);
}

// A change in the same clock tick as another could go unseen: who looks at the directories too
// early leaves the next one to look again.
TEST(Index, WhoPreparesWhenAllIsStillIsTheLastToLook) {
    const support::TempFolder folder;
    CountingFs fs(folder.path());
    const Mailbox inbox = *Store::open("Maildir", fs)->mailbox("INBOX");
    ASSERT_TRUE(inbox.open(Access::read_write));
    ASSERT_TRUE(inbox.append(std::vector{append_text("a: b\n\nc\n")}));
    ::poll(nullptr, 0, static_cast<int>(kBeforePreparing.count()));
    PrepareNew work(inbox);
    while (!work.is_over()) ASSERT_TRUE(work.go_on());
    fs.lists = 0;
    const auto view = inbox.open(Access::read_write);
    ASSERT_TRUE(view);
    EXPECT_EQ((*view)->count(), 1U);
    EXPECT_EQ(fs.lists, 0);
}

}  // namespace
}  // namespace postern::mailbox
