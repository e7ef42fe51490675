#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/mailbox/folder_watch.h"
#include "lib/mailbox/test_folder.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::unique_ptr<View> open_view(TestMaildir& maildir, Access access = Access::read_write) {
    auto view = maildir.inbox().open(access);
    EXPECT_TRUE(view) << (view ? "" : view.error().what);
    return std::move(view).value();
}

void append(TestMaildir& maildir, const std::string& text) {
    ASSERT_TRUE(maildir.inbox().append(std::vector{append_text(text)}));
}

TEST(View, EmptyMailbox) {
    TestMaildir maildir;
    auto view = open_view(maildir);
    EXPECT_EQ(view->count(), 0U);
    EXPECT_EQ(view->next_uid(), 1U);
    EXPECT_GT(view->uid_validity(), 0U);
    EXPECT_EQ(view->first_unseen(), 0U);
    EXPECT_EQ(view->seq_at_or_after(1), 1U);
    EXPECT_FALSE(view->sync(Expunges::report)->any());
}

TEST(View, NewMessagesGetAscendingUidsInOrderOfArrival) {
    TestMaildir maildir;
    (void)maildir.store();
    maildir.put("new/1000.M7.h", "b");
    maildir.put("new/999.M9.h", "a");
    maildir.put("new/1000.M10.h", "c");
    maildir.put("cur/5.h:2,S", "old");
    auto view = open_view(maildir);
    EXPECT_THAT(uids_of(*view), ElementsAre(1, 2, 3, 4));
    EXPECT_EQ(*view->read(1), "old");
    EXPECT_EQ(*view->read(2), "a");
    EXPECT_EQ(*view->read(3), "b");
    EXPECT_EQ(*view->read(4), "c");
    EXPECT_EQ(view->recent(), 3U);
    EXPECT_EQ(view->first_unseen(), 2U);
    while (*view->tidy()) {
    }
    EXPECT_EQ(maildir.files("new").size(), 0U);
    auto second = open_view(maildir);
    EXPECT_THAT(uids_of(*second), ElementsAre(1, 2, 3, 4));
    EXPECT_EQ(second->recent(), 0U) << "recent in one session only";
    EXPECT_EQ(second->uid_validity(), view->uid_validity());
}

TEST(View, ExamineTakesNothingAway) {
    TestMaildir maildir;
    append(maildir, "hi\n");
    auto examine = open_view(maildir, Access::read_only);
    EXPECT_EQ(examine->recent(), 1U);
    EXPECT_EQ(maildir.files("new").size(), 1U);
    const std::uint32_t one = 1;
    EXPECT_EQ(examine->store({&one, 1}, StoreMode::add, {kSeen, 0}).error().code, Errc::denied);
    EXPECT_EQ(examine->expunge({&one, 1}).error().code, Errc::denied);
    EXPECT_EQ(open_view(maildir)->recent(), 1U);
    EXPECT_EQ(maildir.inbox().status()->messages, 1U);
    EXPECT_EQ(*examine->read(1), "hi\n") << "found in cur/ by now";
}

// What another SELECT finds must be what a new view would find.
TEST(View, BeginsAgain) {
    TestMaildir maildir;
    for (const char* text : {"1\n", "2\n", "3\n"}) append(maildir, text);
    auto view = open_view(maildir);
    EXPECT_EQ(view->recent(), 3U);
    const View* const first = view.get();
    const auto again = [&](Access access) {
        view = maildir.inbox().open_after(std::move(view), access).value();
        const auto fresh = open_view(maildir, Access::read_only);
        EXPECT_EQ(uids_of(*view), uids_of(*fresh));
        EXPECT_EQ(view->next_uid(), fresh->next_uid());
        EXPECT_EQ(view->highest_modseq(), fresh->highest_modseq());
        EXPECT_EQ(view->unseen(), fresh->unseen());
        EXPECT_EQ(view->first_unseen(), fresh->first_unseen());
        EXPECT_EQ(view->read_only(), access == Access::read_only);
    };
    again(Access::read_write);
    EXPECT_EQ(view->recent(), 0U) << "they were recent in the session before";

    append(maildir, "4\n");
    const std::vector<std::uint32_t> two{2};
    ASSERT_TRUE(open_view(maildir)->expunge(two));
    ASSERT_TRUE(view->sync(Expunges::hold));  // it still shows the one that is gone
    EXPECT_EQ(view->count(), 4U);
    EXPECT_EQ(view->recent(), 0U) << "the other session has the new one";
    again(Access::read_only);
    EXPECT_EQ(view->count(), 3U);

    append(maildir, "5\n");
    again(Access::read_only);
    EXPECT_EQ(view->recent(), 1U);
    again(Access::read_write);
    EXPECT_EQ(view->recent(), 1U) << "EXAMINE takes nothing away";
    maildir.put("cur/9.foreign:2,S", "foreign\n");
    again(Access::read_write);
    EXPECT_EQ(view->count(), 5U);
    EXPECT_EQ(view->recent(), 0U);
    EXPECT_EQ(view.get(), first) << "it was another view";
}

TEST(View, DoesNotBeginAgainWhereAllIsOther) {
    TestMaildir maildir;
    append(maildir, "1\n");
    Store store = maildir.store();
    ASSERT_TRUE(store.create("Other"));
    auto view = open_view(maildir);
    view = store.mailbox("Other")->open_after(std::move(view), Access::read_write).value();
    EXPECT_EQ(view->count(), 0U);
    const auto validity = view->uid_validity();
    // Deleted and made again by another session.
    ASSERT_TRUE(store.remove("Other"));
    ASSERT_TRUE(store.create("Other"));
    view = store.mailbox("Other")->open_after(std::move(view), Access::read_write).value();
    EXPECT_NE(view->uid_validity(), validity);

    for (const char* file : {"postern.log", "postern.uids", "postern.index"}) {
        view = maildir.inbox().open_after(std::move(view), Access::read_write).value();
        EXPECT_EQ(view->count(), 1U);
        maildir.remove(file);
    }
    view = maildir.inbox().open_after(std::move(view), Access::read_write).value();
    EXPECT_EQ(view->count(), 1U);
    EXPECT_EQ(uids_of(*view), uids_of(*open_view(maildir)));
}

TEST(View, SyncReportsDeliveriesOfOthers) {
    TestMaildir maildir;
    auto view = open_view(maildir);
    append(maildir, "one\n");
    append(maildir, "two\n");
    const auto changes = view->sync(Expunges::report);
    ASSERT_TRUE(changes);
    EXPECT_EQ(changes->added, 2U);
    EXPECT_THAT(changes->expunged, IsEmpty());
    EXPECT_THAT(changes->changed, IsEmpty());
    EXPECT_EQ(view->recent(), 2U);
    EXPECT_FALSE(view->sync(Expunges::report)->any());
}

TEST(View, ExpungedByOthersStayUntilReported) {
    TestMaildir maildir;
    for (const char* text : {"1\n", "2\n", "3\n", "4\n"}) append(maildir, text);
    auto view = open_view(maildir);
    auto other = open_view(maildir);
    const std::vector<std::uint32_t> gone{2, 3};
    ASSERT_TRUE(other->expunge(gone));
    EXPECT_THAT(other->sync(Expunges::report)->expunged, ElementsAre(2, 2));
    EXPECT_THAT(uids_of(*other), ElementsAre(1, 4));

    EXPECT_FALSE(view->sync(Expunges::hold)->any());
    EXPECT_EQ(view->count(), 4U);
    EXPECT_EQ(view->read(2).error().code, Errc::not_found);
    EXPECT_TRUE(view->store(gone, StoreMode::add, {kSeen, 0})) << "silently passed over";
    EXPECT_EQ(*view->read(4), "4\n");
    EXPECT_THAT(view->sync(Expunges::report)->expunged, ElementsAre(2, 2));
    EXPECT_THAT(uids_of(*view), ElementsAre(1, 4));
    EXPECT_EQ(view->seq_of(4), 2U);
    EXPECT_EQ(view->seq_of(2), 0U);
    EXPECT_EQ(view->seq_at_or_after(2), 2U);
}

TEST(View, StoreIsSeenAtOnceHereAndAsAChangeElsewhere) {
    TestMaildir maildir;
    for (const char* text : {"1\n", "2\n"}) append(maildir, text);
    auto view = open_view(maildir);
    auto other = open_view(maildir);
    const std::vector<std::uint32_t> both{1, 2};
    const std::vector<std::uint32_t> second{2};
    ASSERT_TRUE(view->store(both, StoreMode::add, {kSeen | kFlagged, 1}));
    ASSERT_TRUE(view->store(second, StoreMode::remove, {kFlagged, 0}));
    EXPECT_EQ(view->message(1).flags, (Flags{kSeen | kFlagged, 1}));
    EXPECT_EQ(view->message(2).flags, (Flags{kSeen, 1}));
    EXPECT_FALSE(view->sync(Expunges::report)->any()) << "own changes are not news";
    EXPECT_THAT(other->sync(Expunges::report)->changed, ElementsAre(1, 2));
    EXPECT_EQ(other->message(2).flags, (Flags{kSeen, 1}));
    ASSERT_TRUE(other->store(both, StoreMode::replace, {kDraft, 0}));
    EXPECT_THAT(view->sync(Expunges::report)->changed, ElementsAre(1, 2));
    EXPECT_EQ(view->message(1).flags, (Flags{kDraft, 0}));
}

TEST(View, KeywordsLiveInTheLog) {
    TestMaildir maildir;
    for (const char* text : {"1\n", "2\n"}) append(maildir, text);
    auto view = open_view(maildir);
    auto other = open_view(maildir);
    const std::vector<std::string> names{"Work", "$Junk", "work"};
    const KeywordBits bits = *view->keyword_bits(names);
    EXPECT_EQ(bits, 6U);
    const std::vector<std::uint32_t> first{1};
    ASSERT_TRUE(view->store(first, StoreMode::add, {0, bits}));
    const auto changes = other->sync(Expunges::report);
    EXPECT_THAT(changes->changed, ElementsAre(1));
    EXPECT_TRUE(changes->new_keywords);
    EXPECT_THAT(other->keywords(), ElementsAre("$Forwarded", "Work", "$Junk"));
    EXPECT_EQ(other->message(1).flags.keywords, 6U);
    ASSERT_TRUE(other->store(first, StoreMode::remove, {0, 2}));
    EXPECT_THAT(view->sync(Expunges::report)->changed, ElementsAre(1));
    EXPECT_EQ(view->message(1).flags.keywords, 4U);
    EXPECT_EQ(open_view(maildir)->message(1).flags.keywords, 4U);
    ASSERT_TRUE(view->store(first, StoreMode::replace, {kSeen, 0}));
    EXPECT_EQ(open_view(maildir)->message(1).flags, (Flags{kSeen, 0}));
}

TEST(View, ADamagedTailOfTheLogIsIgnored) {
    TestMaildir maildir;
    append(maildir, "1\n");
    auto view = open_view(maildir);
    const std::vector<std::uint32_t> first{1};
    const std::vector<std::string> names{"Work"};
    ASSERT_TRUE(view->store(first, StoreMode::add, {0, *view->keyword_bits(names)}));
    maildir.put("postern.log", maildir.text("postern.log") + "00000000 1 Evil\nrubbish\n0");
    EXPECT_THAT(open_view(maildir)->keywords(), ElementsAre("$Forwarded", "Work"));
    auto writer = open_view(maildir);
    ASSERT_TRUE(writer->store(first, StoreMode::add,
                              {0, *writer->keyword_bits(std::vector<std::string>{"More"})}));
    EXPECT_EQ(open_view(maildir)->message(1).flags.keywords, 6U)
        << "a torn tail is repaired before writing";
}

TEST(View, ForeignRenamesAndDeletes) {
    TestMaildir maildir;
    (void)maildir.store();
    maildir.put("cur/1.h:2,", "one");
    maildir.put("cur/2.h:2,", "two");
    auto view = open_view(maildir);
    maildir.move("cur/1.h:2,", "cur/1.h:2,FSa");
    EXPECT_EQ(*view->read(1), "one") << "found under its new name";
    EXPECT_THAT(view->sync(Expunges::hold)->changed, ElementsAre(1));
    EXPECT_EQ(view->message(1).flags.system, kFlagged | kSeen);
    maildir.move("cur/1.h:2,FSa", "cur/1.h:2,Sa");
    const std::vector<std::uint32_t> first{1};
    EXPECT_THAT(view->sync(Expunges::hold)->changed, ElementsAre(1));
    ASSERT_TRUE(view->store(first, StoreMode::add, {kAnswered, 0}));
    while (*view->tidy()) {
    }
    EXPECT_THAT(maildir.files("cur"), ElementsAre("1.h:2,RSa", "2.h:2,"))
        << "merged with what the other did";
    maildir.remove("cur/1.h:2,RSa");
    EXPECT_THAT(view->sync(Expunges::report)->expunged, ElementsAre(1));
    EXPECT_THAT(uids_of(*view), ElementsAre(2));
}

TEST(View, AFileThatComesBackIsANewMessage) {
    TestMaildir maildir;
    (void)maildir.store();
    maildir.put("cur/1.h:2,", "one");
    maildir.put("cur/2.h:2,", "two");
    auto view = open_view(maildir);
    maildir.remove("cur/1.h:2,");
    EXPECT_THAT(view->sync(Expunges::report)->expunged, ElementsAre(1));
    maildir.put("cur/1.h:2,S", "one");
    EXPECT_EQ(view->sync(Expunges::report)->added, 1U);
    EXPECT_THAT(uids_of(*view), ElementsAre(2, 3));
    EXPECT_THAT(uids_of(*open_view(maildir)), ElementsAre(2, 3));
}

TEST(View, ASecondDeliveryOfTheSameNameDoesNotHideTheFirst) {
    TestMaildir maildir;
    (void)maildir.store();
    maildir.put("cur/1.h:2,S", "one");
    auto view = open_view(maildir);
    maildir.put("new/1.h", "one");
    EXPECT_FALSE(view->sync(Expunges::report)->any());
    EXPECT_EQ(view->count(), 1U);
    EXPECT_EQ(view->message(1).flags.system, kSeen);
}

TEST(View, UidsAreStableAndNeverReused) {
    TestMaildir maildir;
    for (const char* text : {"1\n", "2\n", "3\n"}) append(maildir, text);
    const std::vector<std::uint32_t> last{3};
    {
        auto view = open_view(maildir);
        ASSERT_TRUE(view->expunge(last));
    }
    append(maildir, "4\n");
    EXPECT_THAT(uids_of(*open_view(maildir)), ElementsAre(1, 2, 4));
    EXPECT_EQ(open_view(maildir)->next_uid(), 5U);
}

TEST(View, ADamagedUidListMeansANewUidValidity) {
    TestMaildir maildir;
    append(maildir, "1\n");
    const auto before = open_view(maildir)->uid_validity();
    for (const char* damage :
         {"", "rubbish", "postern-uids 1 5 1\n3 a\n2 b\n", "postern-uids 2 5 1\n", "\n\n"}) {
        maildir.put("postern.uids", damage);
        auto view = open_view(maildir);
        EXPECT_GT(view->uid_validity(), before) << damage;
        EXPECT_THAT(uids_of(*view), ElementsAre(1)) << damage;
    }
}

TEST(View, ATornUidLineIsRepaired) {
    TestMaildir maildir;
    append(maildir, "1\n");
    const auto before = open_view(maildir)->uid_validity();
    maildir.put("postern.uids", maildir.text("postern.uids") + "2 half-a-na");
    append(maildir, "2\n");
    auto view = open_view(maildir);
    EXPECT_THAT(uids_of(*view), ElementsAre(1, 2));
    EXPECT_EQ(view->uid_validity(), before);
    EXPECT_EQ(maildir.text("postern.uids").find("half-a-na"), std::string::npos);
}

TEST(View, TheUidListIsCompacted) {
    TestMaildir maildir;
    (void)maildir.store();
    for (int i = 0; i < 600; ++i) maildir.put("cur/" + std::to_string(i) + ".h:2,", "x");
    std::size_t size = 0;
    {
        auto view = open_view(maildir);
        size = maildir.text("postern.uids").size();
        std::vector<std::uint32_t> most;
        for (std::uint32_t seq = 1; seq < 600; ++seq) most.push_back(seq);
        ASSERT_TRUE(view->expunge(most));
    }
    EXPECT_THAT(uids_of(*open_view(maildir)), ElementsAre(600));
    EXPECT_LT(maildir.text("postern.uids").size(), size / 10);
    append(maildir, "next\n");
    EXPECT_THAT(uids_of(*open_view(maildir)), ElementsAre(600, 601));
}

TEST(View, AViewNoticesThatTheListWasCompacted) {
    TestMaildir maildir;
    (void)maildir.store();
    for (int i = 0; i < 600; ++i) maildir.put("cur/" + std::to_string(i) + ".h:2,", "x");
    auto watching = open_view(maildir);
    std::vector<std::uint32_t> most;
    for (std::uint32_t seq = 2; seq <= 600; ++seq) most.push_back(seq);
    ASSERT_TRUE(open_view(maildir)->expunge(most));
    (void)open_view(maildir);
    append(maildir, "next\n");
    const auto changes = watching->sync(Expunges::report);
    EXPECT_EQ(changes->expunged.size(), 599U);
    EXPECT_EQ(changes->added, 1U);
    EXPECT_THAT(uids_of(*watching), ElementsAre(1, 601));
}

TEST(Append, KeepsFlagsKeywordsDateAndSize) {
    TestMaildir maildir;
    const std::vector<AppendMessage> two{
        append_text("a\nb\n", kSeen | kDraft, {"Work", "$Forwarded"}, 1'000'000'000),
        append_text("c\r\n")};
    const auto appended = maildir.inbox().append(two);
    ASSERT_TRUE(appended) << appended.error().what;
    EXPECT_THAT(appended->uids, ElementsAre(1, 2));
    auto view = open_view(maildir);
    EXPECT_EQ(appended->uid_validity, view->uid_validity());
    EXPECT_EQ(view->message(1).flags.system, kSeen | kDraft);
    EXPECT_EQ(view->message(1).flags.keywords, 3U);
    EXPECT_TRUE(view->message(1).recent);
    EXPECT_EQ(*view->internal_date(1), 1'000'000'000);
    EXPECT_EQ(*view->crlf_size(1), 6U);
    EXPECT_EQ(*view->crlf_size(2), 3U);
}

TEST(Append, AllOrNone) {
    TestMaildir maildir;
    std::vector<AppendMessage> two{append_text("fine\n"), append_text("")};
    two[1].content = [](MessageWriter&) {
        return Result<void>(Error{Errc::closed, "client went away"});
    };
    EXPECT_EQ(maildir.inbox().append(two).error().code, Errc::closed);
    EXPECT_EQ(open_view(maildir)->count(), 0U);
    EXPECT_TRUE(maildir.files("tmp").empty());
}

TEST(View, CrlfSizeOfForeignMessages) {
    TestMaildir maildir;
    (void)maildir.store();
    maildir.put("new/1.h,S=4", "a\nb\n");
    EXPECT_EQ(*open_view(maildir)->crlf_size(1), 6U);
}

TEST(Copy, LinksWithFlagsKeywordsAndDate) {
    TestMaildir maildir;
    auto store = maildir.store();
    ASSERT_TRUE(store.create("Archive"));
    const auto archive = store.mailbox("Archive").value();
    ASSERT_TRUE(maildir.inbox().append(
        std::vector{append_text("a\n", kSeen, {"Work"}, 1'000'000'000), append_text("b\n")}));
    auto view = open_view(maildir);
    const std::vector<std::uint32_t> both{1, 2};
    const auto copied = view->copy(both, archive);
    ASSERT_TRUE(copied) << copied.error().what;
    EXPECT_THAT(copied->uids, ElementsAre(1, 2));
    auto target = archive.open(Access::read_write).value();
    EXPECT_EQ(target->message(1).flags, (Flags{kSeen, 2}));
    EXPECT_EQ(target->keywords()[1], "Work");
    EXPECT_EQ(*target->internal_date(1), 1'000'000'000);
    EXPECT_EQ(*target->read(2), "b\n");
    EXPECT_EQ(*target->crlf_size(2), 3U);
    ASSERT_TRUE(view->expunge(both));
    EXPECT_EQ(*target->read(1), "a\n") << "the copy does not depend on the original";
}

TEST(Copy, NothingWhenOneIsGone) {
    TestMaildir maildir;
    auto store = maildir.store();
    ASSERT_TRUE(store.create("Archive"));
    const auto archive = store.mailbox("Archive").value();
    for (const char* text : {"1\n", "2\n"}) append(maildir, text);
    auto view = open_view(maildir);
    const std::vector<std::uint32_t> both{1, 2};
    const std::vector<std::uint32_t> second{2};
    ASSERT_TRUE(open_view(maildir)->expunge(second));
    EXPECT_EQ(view->copy(both, archive).error().code, Errc::not_found);
    EXPECT_EQ(archive.status()->messages, 0U);
    EXPECT_TRUE(maildir.files(".Archive/tmp").empty());
}

TEST(Copy, IntoTheSameFolder) {
    TestMaildir maildir;
    append(maildir, "1\n");
    auto view = open_view(maildir);
    const std::vector<std::uint32_t> first{1};
    ASSERT_TRUE(view->copy(first, maildir.inbox()));
    EXPECT_EQ(view->sync(Expunges::report)->added, 1U);
    EXPECT_EQ(view->count(), 2U);
}

TEST(Watch, TellsOfDeliveriesAndKeywords) {
    TestMaildir maildir;
    append(maildir, "1\n");
    auto view = open_view(maildir);
    const Fd watch = maildir.inbox().watch().value();
    pollfd ready{watch.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ready, 1, 0), 0);
    append(maildir, "2\n");
    EXPECT_EQ(::poll(&ready, 1, 5000), 1);
    Mailbox::drain_watch(watch.get());
    EXPECT_EQ(::poll(&ready, 1, 0), 0);
    const std::vector<std::uint32_t> first{1};
    ASSERT_TRUE(view->store(first, StoreMode::add,
                            {0, *view->keyword_bits(std::vector<std::string>{"Work"})}));
    EXPECT_EQ(::poll(&ready, 1, 5000), 1);
}

// A folder that is just being made: its parts come one after the other.
TEST(Watch, OfAFolderThatIsNotWholeYet) {
    TestMaildir maildir;
    auto watch = *FolderWatch::make();
    const std::string path = maildir.root() + "/.new";
    EXPECT_EQ(watch.add("new", path).error().code, Errc::not_found);
    std::filesystem::create_directories(path);
    ASSERT_TRUE(watch.add("new", path));
    EXPECT_FALSE(watch.has("new"));
    std::filesystem::create_directory(path + "/new");
    std::filesystem::create_directory(path + "/cur");
    EXPECT_THAT(watch.take().folders, ElementsAre("new"));
    ASSERT_TRUE(watch.add("new", path));
    EXPECT_TRUE(watch.has("new"));
    std::ofstream(path + "/new/1") << "x";
    EXPECT_THAT(watch.take().folders, ElementsAre("new"));
    watch.remove("new");
    EXPECT_FALSE(watch.has("new"));
}

TEST(Watch, OfFilesByTheirNames) {
    TestMaildir maildir;
    maildir.store();
    auto watch = *FolderWatch::make();
    ASSERT_TRUE(watch.add("INBOX", maildir.root()));
    const std::string path = maildir.root() + "/files";
    EXPECT_FALSE(watch.add_files(path));
    std::filesystem::create_directory(path);
    (void)watch.take();
    ASSERT_TRUE(watch.add_files(path));
    std::ofstream(path + "/.a.17") << "x";
    std::ofstream(path + "/b.18") << "x";
    const auto seen = watch.take();
    EXPECT_THAT(seen.files, ElementsAre(".a.17", "b.18"));
    EXPECT_THAT(seen.folders, testing::IsEmpty());
    EXPECT_FALSE(seen.tree) << "no folder";
}

// Deleted and made anew, and with the name of another: the watch is for what has the name.
TEST(Watch, OfAFolderThatIsAnotherOne) {
    TestMaildir maildir;
    auto store = maildir.store();
    ASSERT_TRUE(store.create("a"));
    ASSERT_TRUE(store.create("b"));
    auto watch = *FolderWatch::make();
    const std::string a = maildir.root() + "/.a", b = maildir.root() + "/.b";
    EXPECT_TRUE(watch.add("a", a).value());
    EXPECT_FALSE(watch.add("a", a).value());
    ASSERT_TRUE(watch.add("b", b));
    std::filesystem::remove_all(a + "/new");
    EXPECT_THAT(watch.take().folders, ElementsAre("a"));
    EXPECT_FALSE(watch.has("a"));
    std::filesystem::create_directory(a + "/new");
    EXPECT_TRUE(watch.add("a", a).value());
    EXPECT_TRUE(watch.has("a"));

    std::filesystem::rename(a, a + "2");
    std::filesystem::rename(b, a);
    std::filesystem::rename(a + "2", b);
    EXPECT_TRUE(watch.add("a", a).value());
    EXPECT_TRUE(watch.add("b", b).value());
    (void)watch.take();
    std::ofstream(a + "/new/1") << "x";
    EXPECT_THAT(watch.take().folders, ElementsAre("a"));
    std::ofstream(b + "/new/1") << "x";
    EXPECT_THAT(watch.take().folders, ElementsAre("b"));
    watch.remove("a");
    std::ofstream(b + "/new/2") << "x";
    EXPECT_THAT(watch.take().folders, ElementsAre("b"));
}

// What changes with every delivery is no news of the folders.
TEST(Watch, TellsWhetherFoldersChanged) {
    TestMaildir maildir;
    auto store = maildir.store();
    auto watch = *FolderWatch::make();
    ASSERT_TRUE(watch.add("INBOX", maildir.root()));
    append(maildir, "1\n");
    (void)maildir.inbox().open(Access::read_write);
    const auto delivered = watch.take();
    EXPECT_THAT(delivered.folders, ElementsAre("INBOX"));
    EXPECT_FALSE(delivered.tree);
    ASSERT_TRUE(store.create("a"));
    EXPECT_TRUE(watch.take().tree);
    ASSERT_TRUE(store.subscribe("a"));
    EXPECT_TRUE(watch.take().tree);
    ASSERT_TRUE(store.set_special_use("a", {"\\Sent"}));
    EXPECT_TRUE(watch.take().tree);
    ASSERT_TRUE(store.set_metadata("", {{"/shared/comment", "x"}}));
    EXPECT_TRUE(watch.take().tree);
    ASSERT_TRUE(store.remove("a"));
    EXPECT_TRUE(watch.take().tree);
}

// Several processes deliver, flag and expunge at once; in the end all agree and no UID was given
// twice.
TEST(View, ProcessesConverge) {
    constexpr int kProcesses = 4;
    constexpr int kMessages = 30;
    TestMaildir maildir;
    (void)maildir.store();
    std::vector<pid_t> children;
    for (int p = 0; p < kProcesses; ++p) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            bool good = true;
            auto view = maildir.inbox().open(Access::read_write).value();
            for (int i = 0; i < kMessages; ++i) {
                const std::string text = std::to_string(p) + "-" + std::to_string(i) + "\n";
                good = good && maildir.inbox().append(std::vector{append_text(text)}).has_value();
                auto changes = view->sync(Expunges::report);
                good = good && changes.has_value();
                const auto uids = uids_of(*view);
                good = good && std::is_sorted(uids.begin(), uids.end());
                const std::uint32_t last = view->count();
                if (last > 0)
                    good = good && view->store({&last, 1}, StoreMode::add, {kSeen, 0}).has_value();
                if (last > 0 && i % 3 == 0) good = good && view->expunge({&last, 1}).has_value();
            }
            ::_exit(good ? 0 : 1);
        }
        children.push_back(pid);
    }
    for (const pid_t pid : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        EXPECT_EQ(status, 0);
    }
    auto one = open_view(maildir);
    auto two = open_view(maildir);
    EXPECT_EQ(uids_of(*one), uids_of(*two));
    const auto list = maildir.text("postern.uids");
    EXPECT_EQ(std::count(list.begin(), list.end(), '\n'), kProcesses * kMessages + 1)
        << "one UID for each message";
}

TEST(ToCrlf, ConvertsBareLineFeedsOnly) {
    EXPECT_EQ(to_crlf("a\nb\r\n\nc"), "a\r\nb\r\n\r\nc");
    EXPECT_EQ(to_crlf(""), "");
    EXPECT_EQ(to_crlf("\n"), "\r\n");
    EXPECT_EQ(to_crlf("a\rb\n"), "a\rb\r\n");
}

}  // namespace
}  // namespace postern::mailbox
