// postern.cache and what is kept there.
#include <filesystem>

#include "lib/mail/mime.h"
#include "lib/mailbox/message_cache.h"
#include "lib/mailbox/prepare_new.h"
#include "lib/mailbox/test_folder.h"
#include "tests/support/rooted_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kText =
    "Received: from a by b\r\n\tfor c\r\nFrom: Ann <ann@x.test>\r\nSubject: =?utf-8?Q?=C3=BC?=\r\n"
    "DKIM-Signature: v=1\r\nX-Mailer: one\r\n\r\nbody\r\n";

std::size_t prepare(const Mailbox& box, Uid added = 0) {
    PrepareNew all(box, added);
    std::size_t done = 0;
    while (!all.is_over()) {
        const auto some = all.go_on();
        EXPECT_TRUE(some) << some.error().what;
        if (!some) break;
        done += *some;
    }
    return done;
}

Summary summary_of(std::string_view text) { return summarize(text, mail::parse_mime(text)); }

TEST(Summary, HasWhatClientsAskFor) {
    const Summary s = summary_of(kText);
    EXPECT_EQ(s.wire_size, kText.size());
    EXPECT_EQ(s.header,
              "From: Ann <ann@x.test>\r\nSubject: =?utf-8?Q?=C3=BC?=\r\nX-Mailer: one\r\n");
    EXPECT_THAT(s.envelope, testing::HasSubstr(R"((("Ann" NIL "ann" "x.test")))"));
    EXPECT_THAT(s.structure, testing::StartsWith(R"(("text" "plain")"));
    for (const char* name : {"received", "Received", "DKIM-SIGNATURE"})
        EXPECT_TRUE(is_omitted(s.omitted, name)) << name;
    for (const char* name : {"From", "X-Mailer", "X-Other", "Receive", ""})
        EXPECT_FALSE(is_omitted(s.omitted, name)) << name;
}

TEST(Summary, LongFieldsAreLeftOut) {
    const std::string text = "To: " + std::string(5000, 'x') + "\r\nSubject: s\r\n\r\n";
    const Summary s = summary_of(text);
    EXPECT_EQ(s.header, "Subject: s\r\n");
    EXPECT_TRUE(is_omitted(s.omitted, "To"));
}

TEST(Cache, RemembersAcrossSessions) {
    TestMaildir maildir;
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(
            maildir.inbox().append(std::vector{append_text("text\n", 0, {}, 1'000'000'000)}));
    {
        auto view = maildir.inbox().open(Access::read_write).value();
        EXPECT_FALSE(view->cached(1));
        view->remember(2, summary_of(kText));
        view->remember(3, summary_of("Subject: three\r\n\r\n"));
        view->flush_cache();
        ASSERT_TRUE(view->cached(2));
        EXPECT_EQ(view->cached(2)->envelope, summary_of(kText).envelope);
        EXPECT_FALSE(view->cached(1));
    }
    auto view = maildir.inbox().open(Access::read_write).value();
    ASSERT_TRUE(view->cached(3));
    EXPECT_EQ(view->cached(3)->header, "Subject: three\r\n");
    EXPECT_EQ(view->cached(3)->date, 1'000'000'000);
    auto other = maildir.inbox().open(Access::read_write).value();
    other->remember(1, summary_of(kText));
    other->flush_cache();
    EXPECT_TRUE(view->cached(1)) << "found when it is missed";
    EXPECT_TRUE(view->cached(2));
}

TEST(Cache, TakesPartInSnapshots) {
    TestMaildir maildir;
    (void)maildir.store();
    for (int i = 0; i < 300; ++i) maildir.put("cur/" + std::to_string(i) + ".h:2,", "x\n");
    {
        auto view = maildir.inbox().open(Access::read_write).value();
        for (std::uint32_t seq = 1; seq <= 300; ++seq)
            view->remember(seq, summary_of("Subject: " + std::to_string(seq) + "\r\n\r\n"));
        view->flush_cache();
        ASSERT_TRUE(view->expunge(std::vector<std::uint32_t>{1}));
    }
    auto view = maildir.inbox().open(Access::read_write).value();
    ASSERT_EQ(view->count(), 299U);
    for (std::uint32_t seq = 1; seq <= 299; ++seq) {
        ASSERT_TRUE(view->cached(seq)) << seq;
        EXPECT_EQ(view->cached(seq)->header, "Subject: " + std::to_string(seq + 1) + "\r\n");
    }
}

TEST(Cache, DamageCostsTimeOnly) {
    TestMaildir maildir;
    ASSERT_TRUE(maildir.inbox().append(std::vector{append_text("text\n")}));
    const auto remember = [&] {
        auto view = maildir.inbox().open(Access::read_write).value();
        view->remember(1, summary_of(kText));
        view->flush_cache();
        return view->cached(1).has_value();
    };
    ASSERT_TRUE(remember());
    const std::string good = maildir.text("postern.cache");
    for (const std::string& bytes : {std::string(), std::string("rubbish"), std::string(200, '\0'),
                                     good.substr(0, good.size() - 9), good + "tail"}) {
        maildir.remove("postern.cache");
        maildir.put("postern.cache", bytes);
        EXPECT_EQ(maildir.inbox().open(Access::read_write).value()->read(1).value(), "text\n");
        EXPECT_TRUE(remember()) << bytes.size();
    }
    std::string flipped = good;
    flipped[good.size() - 20] = static_cast<char>(flipped[good.size() - 20] ^ 1);
    maildir.remove("postern.cache");
    maildir.put("postern.cache", flipped);
    EXPECT_FALSE(maildir.inbox().open(Access::read_write).value()->cached(1));
    EXPECT_TRUE(remember());
}

TEST(Cache, EntriesAreChecked) {
    EXPECT_FALSE(read_entry(""));
    EXPECT_FALSE(read_entry(std::string(48, '\0')));
    EXPECT_FALSE(read_entry(std::string(4096, '\xff')));
}

TEST(Cache, OfAnotherUidValidityIsNone) {
    TestMaildir maildir;
    ASSERT_TRUE(maildir.inbox().append(std::vector{append_text("text\n")}));
    {
        auto view = maildir.inbox().open(Access::read_write).value();
        view->remember(1, summary_of(kText));
        view->flush_cache();
    }
    maildir.put("postern.uids", "");
    EXPECT_FALSE(maildir.inbox().open(Access::read_write).value()->cached(1));
}

TEST(PrepareNew, LeavesWhatWasThereBeforeButNothingThatComes) {
    TestMaildir maildir;
    (void)maildir.store();
    int delivered = 0;
    const auto deliver = [&](std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i)
            maildir.put("new/" + std::to_string(1'700'000'000 + delivered++) + ".Q.host", "S: x\n\n");
    };
    deliver(kMostPrepared + 3);
    { auto view = maildir.inbox().open(Access::read_write).value(); }
    EXPECT_EQ(prepare(maildir.inbox()), kMostPrepared);
    EXPECT_EQ(prepare(maildir.inbox()), 0U);
    deliver(kMostPrepared + 5);
    EXPECT_EQ(prepare(maildir.inbox()), kMostPrepared + 5U);
    {
        const auto view = maildir.inbox().open(Access::read_only).value();
        EXPECT_FALSE(view->cached(3));
        EXPECT_TRUE(view->cached(4));
    }
    // Where nothing is known: what was added by us is new, and what nobody has seen.
    maildir.remove("postern.cache");
    EXPECT_EQ(prepare(maildir.inbox(), 4), 2 * kMostPrepared + 5);
    maildir.remove("postern.cache");
    EXPECT_EQ(prepare(maildir.inbox()), kMostPrepared + 5);
}

TEST(Cache, CopiesAreKnownAsTheirOriginalsAre) {
    TestMaildir maildir;
    Store store = maildir.store();
    ASSERT_TRUE(store.create("Other"));
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(maildir.inbox().append(std::vector{append_text(std::string(kText))}));
    auto view = maildir.inbox().open(Access::read_write).value();
    view->remember(1, summary_of(kText));
    view->remember(3, summary_of(kText));
    view->flush_cache();
    const std::vector<std::uint32_t> all{1, 2, 3};
    ASSERT_TRUE(view->copy(all, *store.mailbox("Other")));
    const auto copies = store.mailbox("Other")->open(Access::read_only).value();
    ASSERT_EQ(copies->count(), 3U);
    EXPECT_FALSE(copies->cached(2));
    for (const std::uint32_t seq : {1U, 3U}) {
        const auto known = copies->cached(seq);
        ASSERT_TRUE(known) << seq;
        EXPECT_EQ(known->header, view->cached(seq)->header);
        EXPECT_EQ(known->date, view->internal_date(seq).value());
    }
}

TEST(PrepareNew, DoesWhatTheFirstFetchWouldHaveTo) {
    TestMaildir maildir;
    (void)maildir.store();
    const auto deliver = [&](int n) {
        maildir.put("new/" + std::to_string(1'700'000'000 + n) + ".Q.host",
                    "Subject: " + std::to_string(n) + "\n\nbody\n");
    };
    for (int i = 0; i < 5; ++i) deliver(i);
    EXPECT_EQ(prepare(maildir.inbox()), 0U) << "nobody has ever opened it";
    EXPECT_FALSE(std::filesystem::exists(maildir.root() + "/postern.log"));
    { auto view = maildir.inbox().open(Access::read_only).value(); }
    {
        PrepareNew all(maildir.inbox());
        EXPECT_EQ(*all.go_on(3), 3U);
        EXPECT_FALSE(all.is_over());
        EXPECT_EQ(*all.go_on(3), 2U);
        EXPECT_TRUE(all.is_over());
        EXPECT_EQ(*all.go_on(3), 0U);
    }
    EXPECT_EQ(prepare(maildir.inbox()), 0U);
    deliver(5);
    maildir.put("new/1700000009.Q.host", "Subject: large\n\n" + std::string(5 << 20, 'x'));
    EXPECT_EQ(prepare(maildir.inbox()), 1U) << "and not the large one";
    auto view = maildir.inbox().open(Access::read_write).value();
    ASSERT_EQ(view->count(), 7U);
    EXPECT_EQ(view->recent(), 7U) << "nobody has seen them";
    for (std::uint32_t seq = 1; seq <= 6; ++seq) {
        ASSERT_TRUE(view->cached(seq)) << seq;
        EXPECT_EQ(view->cached(seq)->header, "Subject: " + std::to_string(seq - 1) + "\r\n");
    }
}

// A header that the cache cannot take, and a file that begins as no compression that we know.
class Unwelcome : public testing::Test {
  protected:
    Unwelcome() { (void)maildir.store(); }
    void put(const std::string& text) {
        maildir.put("new/" + std::to_string(1'700'000'000 + count_++) + ".Q.host", text);
    }
    static std::string long_header() {
        std::string text;
        while (text.size() <= kMaxSummary) text += "X-Long: " + std::string(900, 'x') + "\n";
        return text + "\nbody\n";
    }
    static std::string unreadable() { return "\x28\xb5\x2f\xfd" + std::string(100, 'x'); }

    TestMaildir maildir;

  private:
    int count_ = 0;
};

TEST_F(Unwelcome, MessagesArePassedOver) {
    put(unreadable());
    for (std::size_t i = 0; i <= kPreparedAtOnce; ++i) put(long_header());
    put("Subject: good\n\nbody\n");
    { auto view = maildir.inbox().open(Access::read_only).value(); }
    EXPECT_EQ(prepare(maildir.inbox()), 1U);
    auto view = maildir.inbox().open(Access::read_only).value();
    EXPECT_FALSE(view->read(1));
    EXPECT_FALSE(view->cached(2));
    EXPECT_TRUE(view->cached(view->count()));
}

TEST_F(Unwelcome, MessagesWithoutNumberAreNotAllTried) {
    for (std::size_t i = 0; i < kMostInVain; ++i) put(unreadable());
    put("Subject: good\n\nbody\n");
    { auto view = maildir.inbox().open(Access::read_write).value(); }
    EXPECT_EQ(prepare(maildir.inbox(), 1), 0U);
}

class FullFs final : public support::RootedFs {
  public:
    using RootedFs::RootedFs;
    Result<void> write(int fd, std::string_view bytes) override {
        if (full) return Error{Errc::no_space, "write: No space left on device", ENOSPC};
        return RootedFs::write(fd, bytes);
    }
    bool full = false;
};

TEST(PrepareNew, EndsWhereThereIsNoRoom) {
    const support::TempFolder folder;
    FullFs fs(folder.path());
    const Mailbox inbox = *Store::open("Maildir", fs)->mailbox("INBOX");
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(inbox.append(std::vector{append_text(std::string(kText))}));
    { const auto view = inbox.open(Access::read_only).value(); }
    fs.full = true;
    {
        PrepareNew all(inbox);
        const auto done = all.go_on(2);
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, Errc::no_space);
    }
    fs.full = false;
    EXPECT_EQ(prepare(inbox), 3U) << "by who comes next";
}

}  // namespace
}  // namespace postern::mailbox
