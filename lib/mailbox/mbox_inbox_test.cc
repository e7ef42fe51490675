// An INBOX that is an mbox file: sessions, deliveries and another mail program at work on it.
#include "lib/mailbox/mbox_inbox.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/base/strings.h"
#include "lib/mailbox/test_folder.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kEnvelope = "From a@x.example Wed Jul 17 02:23:25 1996\n";

std::string part(const std::string& subject, const std::string& fields = "") {
    return cat({kEnvelope, "Subject: ", subject, "\n", fields, "\nbody of ", subject, "\n\n"});
}

class MboxInboxTest : public testing::Test {
  protected:
    std::string file() {
        return std::filesystem::path(maildir_.root()).parent_path().string() + "/spool";
    }
    std::string text() {
        std::ifstream in(file());
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void write(const std::string& all) { std::ofstream(file()) << all; }
    void deliver(const std::string& one) { std::ofstream(file(), std::ios::app) << one; }
    Store store() {
        Store made = maildir_.store();
        LockRules rules;
        rules.dotlock = true;
        made.set_mbox_inbox(file(), rules);
        return made;
    }
    std::unique_ptr<View> open(Access access = Access::read_write) {
        const Store made = store();
        auto view = made.mailbox("INBOX")->open(access);
        EXPECT_TRUE(view) << view.error().what;
        return std::move(*view);
    }
    static std::vector<std::string> subjects(View& view) {
        std::vector<std::string> out;
        for (std::uint32_t seq = 1; seq <= view.count(); ++seq) {
            const auto all = view.read(seq);
            out.push_back(all ? all->substr(9, all->find('\n') - 9) : all.error().what);
        }
        return out;
    }
    std::vector<std::string> subjects_in_file() {
        const std::string all = text();
        MboxReader reader(all);
        std::vector<std::string> out;
        while (auto message = reader.next())
            out.push_back(message->text.substr(9, message->text.find('\n') - 9));
        return out;
    }
    TestMaildir maildir_;
};

TEST_F(MboxInboxTest, ShowsTheFileAndKeepsIt) {
    write(part("one") + part("two", "Status: RO\nX-Status: F\nX-Keywords: Work\n"));
    {
        const auto view = open();
        EXPECT_THAT(subjects(*view), ElementsAre("one", "two"));
        EXPECT_EQ(view->message(1).flags.system, 0);
        EXPECT_EQ(view->message(2).flags.system, kSeen | kFlagged);
        EXPECT_THAT(view->keywords(), testing::Contains("Work"));
        EXPECT_EQ(view->internal_date(1).value(), 837570205);
    }
    EXPECT_THAT(subjects_in_file(), ElementsAre("one", "two"));
    EXPECT_THAT(text(), HasSubstr("X-UID: 1\n"));
    EXPECT_THAT(text(), HasSubstr("\nX-IMAPbase: "));
    const std::string settled = text();
    { const auto view = open(); }
    EXPECT_EQ(text(), settled) << "nothing to do, nothing done";
}

TEST_F(MboxInboxTest, UidsOfAnotherServerAreKept) {
    write(part("one", "X-IMAPbase: 0846543200 0000000020 Work\nX-UID: 5\nStatus: RO\n") +
          part("two", "X-UID: 17\nX-Keywords: Work\n") + part("three"));
    std::vector<Uid> before;
    {
        const auto view = open();
        EXPECT_EQ(view->uid_validity(), 846543200U);
        EXPECT_THAT(uids_of(*view), ElementsAre(5, 17, 21));
        EXPECT_EQ(view->next_uid(), 22U);
    }
    EXPECT_THAT(text(), HasSubstr("X-IMAPbase: 0846543200 0000000021 Work\n"));
    // All of our own files lost: the mbox knows.
    std::filesystem::remove_all(maildir_.root());
    const auto view = open();
    EXPECT_EQ(view->uid_validity(), 846543200U);
    EXPECT_THAT(uids_of(*view), ElementsAre(5, 17, 21));
    EXPECT_EQ(view->message(1).flags.system, kSeen);
}

TEST_F(MboxInboxTest, TheInternalMessageOfUwIsNotShown) {
    write(cat({kEnvelope,
               "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
               "X-IMAP: 0846543200 0000000007\nStatus: RO\n\nThis text is part of it.\n\n"}) +
          part("one", "X-UID: 7\n") + part("two"));
    const auto view = open();
    EXPECT_THAT(subjects(*view), ElementsAre("one", "two"));
    EXPECT_THAT(uids_of(*view), ElementsAre(7, 8));
    while (*view->tidy()) {
    }
    EXPECT_THAT(text(), HasSubstr("X-IMAP: 0846543200 0000000008\n"));
    EXPECT_THAT(text(), Not(HasSubstr("X-IMAPbase")));
}

TEST_F(MboxInboxTest, AStrangersXUidIsNotBelieved) {
    write(part("one"));
    { const auto view = open(); }
    deliver(part("two", "X-UID: 4000000000\nX-IMAPbase: 1 4000000001\n"));
    const auto view = open();
    EXPECT_THAT(uids_of(*view), ElementsAre(1, 2));
    write(part("first", "X-IMAPbase: 1 4000000001\nX-UID: 4000000000\n"));
    maildir_.remove("postern.mbox");
    ASSERT_TRUE(view->sync(Expunges::report));
    EXPECT_LT(uids_of(*view).back(), 5U);
}

TEST_F(MboxInboxTest, NewMailCannotDeleteItself) {
    const auto view = open();
    deliver(part("one", "X-Status: DF\n"));
    ASSERT_TRUE(view->sync(Expunges::report));
    ASSERT_EQ(view->count(), 1U);
    EXPECT_EQ(view->message(1).flags.system, kFlagged);
    while (*view->tidy()) {
    }
    EXPECT_THAT(text(), HasSubstr("X-Status: F\n"));
    ASSERT_TRUE(view->sync(Expunges::report));
    EXPECT_EQ(view->message(1).flags.system, kFlagged);
}

TEST_F(MboxInboxTest, DeliveriesAreSeenAtOnce) {
    const auto view = open();
    EXPECT_EQ(view->count(), 0U) << "there is no file yet";
    deliver(part("one"));
    EXPECT_EQ(view->sync(Expunges::report)->added, 1U);
    deliver(part("two"));
    deliver(part("three"));
    EXPECT_EQ(view->sync(Expunges::report)->added, 2U);
    EXPECT_THAT(subjects(*view), ElementsAre("one", "two", "three"));
    EXPECT_FALSE(view->sync(Expunges::report)->any());
}

TEST_F(MboxInboxTest, FlagsAndExpungesReachTheFile) {
    write(part("one") + part("two") + part("three"));
    {
        const auto view = open();
        const std::uint32_t second[] = {2}, first[] = {1};
        const std::string work[] = {"Work"};
        const KeywordBits bits = *view->keyword_bits(work);
        ASSERT_TRUE(view->store(second, StoreMode::add, {kSeen | kFlagged, bits}));
        ASSERT_TRUE(view->expunge(first));
    }
    EXPECT_THAT(subjects_in_file(), ElementsAre("two", "three"));
    EXPECT_THAT(text(), HasSubstr("Status: RO\nX-Status: F\nX-Keywords: Work"));
    const auto view = open();
    EXPECT_THAT(uids_of(*view), ElementsAre(2, 3));
}

TEST_F(MboxInboxTest, AppendedMessagesAreInTheFile) {
    write(part("one"));
    const Store made = store();
    const AppendMessage message =
        append_text("Subject: mine\n\nFrom here\r\n\r\nFrom there\r\n", kSeen, {"Work"}, 837570205);
    const auto appended = made.mailbox("INBOX")->append(std::span(&message, 1));
    ASSERT_TRUE(appended) << appended.error().what;
    EXPECT_THAT(appended->uids, ElementsAre(2)) << "what was in the file came first";
    EXPECT_THAT(subjects_in_file(), ElementsAre("one", "mine"));
    EXPECT_THAT(text(), HasSubstr("\n>From here\n\n>From there\n\n"));
    const auto view = open();
    EXPECT_THAT(subjects(*view), ElementsAre("one", "mine"));
    // The record is lost, and the list: the same messages, none twice.
    maildir_.remove("postern.mbox");
    ASSERT_TRUE(view->sync(Expunges::report, true));
    EXPECT_THAT(uids_of(*view), ElementsAre(1, 2));
    EXPECT_THAT(subjects_in_file(), ElementsAre("one", "mine"));
}

TEST_F(MboxInboxTest, CopiesGoBothWays) {
    write(part("one"));
    Store made = store();
    ASSERT_TRUE(made.create("Other"));
    const std::uint32_t first[] = {1};
    {
        const auto view = made.mailbox("INBOX")->open(Access::read_write).value();
        ASSERT_TRUE(view->copy(first, *made.mailbox("Other")));
    }
    const auto other = made.mailbox("Other")->open(Access::read_write).value();
    EXPECT_THAT(subjects(*other), ElementsAre("one"));
    ASSERT_TRUE(other->copy(first, *made.mailbox("INBOX")));
    EXPECT_THAT(subjects_in_file(), ElementsAre("one", "one"));
    ASSERT_TRUE(made.rename("INBOX", "Moved"));
    EXPECT_THAT(subjects_in_file(), ElementsAre());
    EXPECT_EQ(made.mailbox("Moved")->status()->messages, 2U);
}

TEST_F(MboxInboxTest, AnotherProgramChangesFlagsAndRemoves) {
    write(part("one") + part("two") + part("three"));
    const auto view = open();
    while (*view->tidy()) {
    }
    // As mutt writes: fields of its own making, a message less.
    std::string all = text();
    const auto second = all.find("From a@", 10), third = all.find("From a@", second + 10);
    std::string two = all.substr(second, third - second);
    two.replace(two.find("Status: O"), 9, "Status: RO");
    two.replace(two.find("X-Status: "), 10, "X-Status: A");
    write(two + all.substr(third));
    const auto changes = view->sync(Expunges::report, true);
    ASSERT_TRUE(changes);
    EXPECT_THAT(changes->expunged, ElementsAre(1));
    EXPECT_THAT(changes->changed, ElementsAre(1));
    EXPECT_THAT(subjects(*view), ElementsAre("two", "three"));
    EXPECT_THAT(uids_of(*view), ElementsAre(2, 3));
    EXPECT_EQ(view->message(1).flags.system, kSeen | kAnswered);
    // And takes one away again.
    two.replace(two.find("X-Status: A"), 11, "X-Status: ");
    write(two + all.substr(third));
    ASSERT_TRUE(view->sync(Expunges::report, true));
    EXPECT_EQ(view->message(1).flags.system, kSeen);
}

TEST_F(MboxInboxTest, BothChangeAtOnce) {
    write(part("one") + part("two"));
    const auto view = open();
    while (*view->tidy()) {
    }
    std::string all = text();
    const std::uint32_t first[] = {1};
    ASSERT_TRUE(view->store(first, StoreMode::add, {kFlagged, 0}));
    all.replace(all.find("Status: O"), 9, "Status: RO");
    write(all + part("three"));
    ASSERT_TRUE(view->sync(Expunges::report, true));
    EXPECT_EQ(view->message(1).flags.system, kSeen | kFlagged);
    while (*view->tidy()) {
    }
    EXPECT_THAT(text(), HasSubstr("Status: RO\nX-Status: F\n"));
    EXPECT_THAT(subjects_in_file(), ElementsAre("one", "two", "three"));
    EXPECT_THAT(uids_of(*view), ElementsAre(1, 2, 3));
}

TEST_F(MboxInboxTest, EqualMessagesAreKeptApart) {
    write(part("same") + part("same") + part("same"));
    const auto view = open();
    while (*view->tidy()) {
    }
    EXPECT_EQ(view->count(), 3U);
    // The second goes, and the one that stays says who it is.
    const std::string all = text();
    const auto second = all.find("From a@", 10), third = all.find("From a@", second + 10);
    write(all.substr(0, second) + all.substr(third));
    ASSERT_TRUE(view->sync(Expunges::report, true));
    EXPECT_THAT(uids_of(*view), ElementsAre(1, 3));
}

TEST_F(MboxInboxTest, TwoSessionsAgree) {
    write(part("one") + part("two"));
    const auto a = open();
    const auto b = open();
    const std::uint32_t first[] = {1}, second[] = {2};
    ASSERT_TRUE(a->expunge(first));
    ASSERT_TRUE(b->store(second, StoreMode::add, {kSeen, 0}));
    while (*a->tidy() || *b->tidy()) {
    }
    ASSERT_TRUE(a->sync(Expunges::report));
    ASSERT_TRUE(b->sync(Expunges::report));
    EXPECT_THAT(uids_of(*a), ElementsAre(2));
    EXPECT_THAT(uids_of(*b), ElementsAre(2));
    EXPECT_EQ(a->message(1).flags.system, kSeen);
    EXPECT_THAT(subjects_in_file(), ElementsAre("two"));
}

TEST_F(MboxInboxTest, ALockedFileIsShownAsItWas) {
    write(part("one"));
    const auto view = open();
    while (*view->tidy()) {
    }
    deliver(part("two"));
    std::ofstream(file() + ".lock") << "another program\n";
    EXPECT_FALSE(view->sync(Expunges::report)->any());
    const std::uint32_t first[] = {1};
    ASSERT_TRUE(view->store(first, StoreMode::add, {kSeen, 0})) << "that does not wait";
    ASSERT_TRUE(view->tidy());
    EXPECT_THAT(text(), Not(HasSubstr("Status: RO")));
    std::filesystem::remove(file() + ".lock");
    EXPECT_EQ(view->sync(Expunges::report)->added, 1U);
    while (*view->tidy()) {
    }
    EXPECT_THAT(text(), HasSubstr("Status: RO"));
}

TEST_F(MboxInboxTest, WhatIsNoMboxLosesNothing) {
    write(part("one"));
    const auto view = open();
    while (*view->tidy()) {
    }
    write("garbage");
    ASSERT_TRUE(view->sync(Expunges::report));
    EXPECT_THAT(subjects(*view), ElementsAre("one"));
    ASSERT_TRUE(view->tidy());
    EXPECT_EQ(text(), "garbage");
    EXPECT_THAT(subjects(*open()), ElementsAre("one"));
}

TEST_F(MboxInboxTest, AFolderThatIsNotThereIsNoEmptyMailbox) {
    std::filesystem::create_directory(file() + ".d");
    const std::string inside = file() + ".d/user";
    std::ofstream(inside) << part("one");
    Store made = maildir_.store();
    made.set_mbox_inbox(inside, {});
    EXPECT_EQ((*made.mailbox("INBOX")->open(Access::read_write))->count(), 1U);
    std::filesystem::rename(file() + ".d", file() + ".away");
    EXPECT_EQ((*made.mailbox("INBOX")->open(Access::read_write))->count(), 1U);
    std::filesystem::rename(file() + ".away", file() + ".d");
    EXPECT_EQ((*made.mailbox("INBOX")->open(Access::read_write))->count(), 1U);
    std::filesystem::remove(inside);
    EXPECT_EQ((*made.mailbox("INBOX")->open(Access::read_write))->count(), 0U);
}

// The folder is there: the mount point of what holds the file otherwise.
TEST_F(MboxInboxTest, AMountPointIsNoEmptyMailbox) {
    write(part("one"));
    { const auto view = open(); }
    std::filesystem::remove(file());
    std::string record = maildir_.text("postern.mbox");
    const auto end = record.find('\n'), device = record.rfind(' ', end) + 1;
    record.replace(device, end - device, "4711");
    maildir_.remove("postern.mbox");
    maildir_.put("postern.mbox", record);
    EXPECT_THAT(subjects(*open()), ElementsAre("one"));
    EXPECT_FALSE(std::filesystem::exists(file()));
    // The device has another number since the last start.
    write(part("one") + part("two"));
    EXPECT_THAT(subjects(*open()), ElementsAre("one", "two"));
    std::filesystem::remove(file());
    EXPECT_THAT(subjects(*open()), ElementsAre());
}

// As others may make it where everybody may write in the spool.
TEST_F(MboxInboxTest, WhatIsNotTheUsersIsNotHisInbox) {
    write(part("one"));
    { const auto view = open(); }
    const auto refused = [&] {
        const std::string before = text();
        const std::uint32_t first[] = {1};
        const auto view = open();
        EXPECT_THAT(subjects(*view), ElementsAre("one"));
        EXPECT_TRUE(view->store(first, StoreMode::add, {kSeen, 0}));
        EXPECT_TRUE(view->store(first, StoreMode::remove, {kSeen, 0}));
        while (*view->tidy()) {
        }
        EXPECT_EQ(text(), before);
    };
    deliver(part("two"));
    std::filesystem::create_hard_link(file(), file() + ".other");
    refused();
    std::filesystem::remove(file() + ".other");
    if (::geteuid() == 0) {
        ASSERT_EQ(::chown(file().c_str(), 54321, 54321), 0);
        refused();
        ASSERT_EQ(::chown(file().c_str(), 0, 0), 0);
    }
    EXPECT_THAT(subjects(*open()), ElementsAre("one", "two"));
    std::filesystem::remove(file());
    std::filesystem::create_directory(file());
    EXPECT_EQ(open()->count(), 2U);
}

TEST_F(MboxInboxTest, ManyMessages) {
    std::string all;
    for (int i = 0; i < 1000; ++i) all += part(std::to_string(i));
    write(all);
    const auto view = open();
    ASSERT_EQ(view->count(), 1000U);
    EXPECT_EQ(view->message(1000).uid, 1000U);
    std::vector<std::uint32_t> even;
    for (std::uint32_t seq = 2; seq <= 1000; seq += 2) even.push_back(seq);
    ASSERT_TRUE(view->expunge(even));
    while (*view->tidy()) {
    }
    EXPECT_EQ(subjects_in_file().size(), 500U);
    ASSERT_TRUE(view->sync(Expunges::report));
    EXPECT_EQ(view->count(), 500U);
}

}  // namespace
}  // namespace postern::mailbox
