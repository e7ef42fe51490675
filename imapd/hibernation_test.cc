// Sessions that give their process up in IDLE and go on in another one (hibernation.h). The client
// must not notice: the same scripts run with and without.
#include "imapd/hibernation.h"

#include <poll.h>

#include <atomic>

#include "imapd/deflate.h"
#include "imapd/test_client.h"
#include "lib/crypto/seal.h"
#include "lib/ipc/messages/login.h"

namespace postern::imapd {
namespace {

// What login does: keeps descriptors and state, and starts another session when one is readable.
class Bed final : public Sleeper {
  public:
    bool sleep(const SleepState& state, int client, int watch, Millis silence_left) override {
        if (!open) return ++refusals, false;
        states.push_back(state);
        client_ = Fd(::dup(client));
        watch_ = watch < 0 ? Fd() : Fd(::dup(watch));
        left = silence_left;
        return true;
    }
    bool wait() const {
        pollfd both[] = {{client_.get(), POLLIN, 0}, {watch_.get(), POLLIN, 0}};
        return ::poll(both, 2, 10'000) > 0;
    }
    // The kernel tells of a change of the folder before the call that makes it returns.
    bool folder_changed() const {
        pollfd one{watch_.get(), POLLIN, 0};
        return ::poll(&one, 1, 0) > 0;
    }
    Fd take() { return std::move(client_); }

    bool open = true;
    std::atomic<int> refusals = 0;
    std::vector<SleepState> states;
    Millis left{0};

  private:
    Fd client_, watch_;
};

// A client whose session lives through as many processes as it hibernates.
class SleepyClient {
  public:
    explicit SleepyClient(const TempMaildir& maildir,
                          std::function<void(SleepState&)> between = {}) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        socket_ = Fd(ends[0]);
        const timeval limit{30, 0};
        ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        server_ = std::thread([this, fd = ends[1], root = maildir.root(), between] {
            live(Fd(fd), mailbox::Store::open(root).value(), between);
        });
        until("t0 ");
    }
    ~SleepyClient() { finish(); }
    SleepyClient(const SleepyClient&) = delete;
    SleepyClient& operator=(const SleepyClient&) = delete;

    std::string finish() {
        ::shutdown(socket_.get(), SHUT_WR);
        if (server_.joinable()) server_.join();
        return reason_;
    }
    void send(const std::string& bytes) {
        EXPECT_EQ(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    // Lines up to the one that begins with the word, or (until_with) has it somewhere.
    std::string until(const std::string& word) {
        return lines([&](const std::string& line) { return line.starts_with(word); });
    }
    std::string until_with(const std::string& word) {
        return lines([&](const std::string& line) { return line.find(word) != line.npos; });
    }
    std::string lines(const std::function<bool(const std::string&)>& is_last) {
        std::string out;
        for (;;) {
            const auto at = in_.find('\n');
            if (at != std::string::npos) {
                const std::string line = in_.substr(0, at + 1);
                in_.erase(0, at + 1);
                out += line;
                if (is_last(line)) return out;
                continue;
            }
            char chunk[65536];
            ssize_t count = 0;
            do {
                count = ::recv(socket_.get(), chunk, sizeof chunk, 0);
            } while (count < 0 && errno == EINTR);
            if (count <= 0) return out + "(end)";
            in_.append(chunk, static_cast<std::size_t>(count));
        }
    }
    std::string operator()(const std::string& command) {
        send("t " + command + "\r\n");
        return until("t ");
    }
    void idle() {
        const int before = naps;
        send("t IDLE\r\n");
        EXPECT_EQ(until("+ "), "+ idling\r\n");
        wait_asleep(before + 1);
    }
    void wait_asleep(int count) {
        const auto limit = Deadline::in(Seconds{10});
        while (naps < count && !limit.passed()) std::this_thread::yield();
        EXPECT_GE(naps, count);
    }
    std::atomic<int> naps = 0;
    std::atomic<bool> disturbed = false;  // something had changed by the time that a process ended
    const SleepState& last_state() const { return bed_.states.back(); }

  private:
    void live(Fd client, mailbox::Store store, const std::function<void(SleepState&)>& between) {
        Options options;
        options.hibernate_after = Millis{20};
        options.sleeper = &bed_;
        std::optional<SleepState> state;
        for (;;) {
            {
                Connection connection(std::move(client));
                Session session(connection, store, options);
                reason_ = state ? session.resume(*state) : session.run("t0");
                if (!session.hibernates()) return;
            }
            disturbed = disturbed || bed_.folder_changed();
            state = decode_state(encode_state(bed_.states.back()).value(), WallTime(), Millis{0})
                        .value();
            if (between) between(*state);
            ++naps;
            if (!bed_.wait()) return;
            client = bed_.take();
        }
    }

    Bed bed_;
    Fd socket_;
    std::string in_;
    std::string reason_;
    std::thread server_;
};

class HibernationTest : public SessionTest {
  protected:
    void fill(int count) {
        Client c(maildir);
        for (int i = 0; i < count; ++i) c.append("INBOX", kPlain);
    }
};

TEST_F(HibernationTest, TheClientSpeaks) {
    fill(3);
    SleepyClient c(maildir);
    EXPECT_THAT(c("SELECT INBOX"), HasSubstr("* 3 EXISTS"));
    c.idle();
    c.send("DONE\r\n");
    EXPECT_EQ(c.until("t "), "t OK Idle completed.\r\n") << "and nothing is said twice";
    EXPECT_THAT(c("FETCH 2 UID"), HasSubstr("* 2 FETCH (UID 2)"));
    c.idle();
    c.send("DONE\r\nt NOOP\r\n");
    EXPECT_EQ(c.until("t "), "t OK Idle completed.\r\n");
    EXPECT_EQ(c.until("t "), "t OK NOOP completed.\r\n");
    c.send("t LOGOUT\r\n");
    c.until("t OK");
    EXPECT_EQ(c.finish(), "Logged out");
}

TEST_F(HibernationTest, ADeliveryWakesItAndItSleepsAgain) {
    fill(1);
    SleepyClient c(maildir);
    c("SELECT INBOX");
    c.idle();
    maildir.deliver("1.one.host", kPlain);
    EXPECT_EQ(c.until_with("RECENT"), "* 2 EXISTS\r\n* 2 RECENT\r\n");
    c.wait_asleep(2);
    maildir.deliver("2.two.host", kPlain);
    EXPECT_EQ(c.until_with("RECENT"), "* 3 EXISTS\r\n* 3 RECENT\r\n") << "recent ones stay so";
    c.send("DONE\r\n");
    c.until("t OK");
    EXPECT_THAT(c("FETCH 2 FLAGS"), HasSubstr("\\Recent"));
}

TEST_F(HibernationTest, ItDoesNotWakeItself) {
    fill(1);
    maildir.deliver("1.one.host", kPlain);  // it is renamed into cur
    SleepyClient c(maildir);
    c("SELECT INBOX");
    c("STORE 1 +FLAGS (\\Seen)");  // and this renamed later
    c.idle();
    EXPECT_FALSE(c.disturbed) << "what it had put off, it did before";
    EXPECT_EQ(c.naps, 1);
}

TEST_F(HibernationTest, ExpungesHaveTheNumbersOfTheOldView) {
    fill(6);
    SleepyClient c(maildir);
    c("SELECT INBOX");
    c.idle();
    {
        Client other(maildir);
        other("SELECT INBOX");
        other("STORE 2,3,5 +FLAGS (\\Deleted)");
        other("EXPUNGE");
        other("STORE 1 +FLAGS ($Keyword)");
        other.append("INBOX", kPlain);
    }
    // However many naps it takes, the client can follow.
    std::vector<int> uids{1, 2, 3, 4, 5, 6};
    std::string seen;
    while (seen.find("EXISTS") == std::string::npos) {
        const std::string line = c.until_with("\n");
        seen += line;
        int number = 0;
        if (line.find(" EXPUNGE") != std::string::npos &&
            std::sscanf(line.c_str(), "* %d", &number) == 1)
            uids.erase(uids.begin() + number - 1);
    }
    EXPECT_THAT(uids, testing::ElementsAre(1, 4, 6)) << seen;
    c.send("DONE\r\n");
    seen += c.until("t OK");
    EXPECT_THAT(
        seen,
        HasSubstr("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $Keyword)"));
    EXPECT_THAT(seen, HasSubstr("* 4 EXISTS"));
    EXPECT_THAT(c("FETCH 3 UID"), HasSubstr("* 3 FETCH (UID 6)"));
}

TEST_F(HibernationTest, WhatIsEnabledAndFoundStays) {
    fill(4);
    SleepyClient c(maildir);
    c("ENABLE QRESYNC IMAP4rev2");
    c("EXAMINE INBOX");
    c("UID SEARCH RETURN (SAVE) UID 2:3");
    c.idle();
    {
        Client other(maildir);
        other("SELECT INBOX");
        other("STORE 1 +FLAGS (\\Deleted)");
        other("EXPUNGE");
    }
    EXPECT_THAT(c.until_with("VANISHED"), HasSubstr("* VANISHED 1\r\n"));
    c.send("DONE\r\n");
    c.until("t OK");
    EXPECT_THAT(c("FETCH $ UID"),
                testing::AllOf(HasSubstr("* 1 FETCH (UID 2)"), HasSubstr("* 2 FETCH (UID 3)")));
    EXPECT_THAT(c("STORE 1 +FLAGS (\\Seen)"), HasSubstr("t NO")) << "it was an EXAMINE";
}

TEST_F(HibernationTest, WithoutAFolderToo) {
    SleepyClient c(maildir);
    c.idle();
    EXPECT_EQ(c.last_state().folder, "");
    c.send("DONE\r\n");
    EXPECT_EQ(c.until("t "), "t OK Idle completed.\r\n");
    EXPECT_THAT(c("FETCH 1 UID"), HasSubstr("t BAD No mailbox selected"));
}

TEST_F(HibernationTest, ByeWhereItCannotBeTold) {
    fill(3);
    SleepyClient c(maildir, [](SleepState& state) { ++state.view.uid_validity; });
    c("SELECT INBOX");
    c.idle();
    c.send("DONE\r\n");
    EXPECT_THAT(c.until("(end)"), StartsWith("* BYE [UNAVAILABLE] Mailbox has changed too much"));
    EXPECT_EQ(c.finish(), "hibernated for too long");
}

TEST_F(HibernationTest, ByeWhereTheFolderIsGone) {
    Client other(maildir);
    other("CREATE Work");
    SleepyClient c(maildir);
    c("SELECT Work");
    c.idle();
    other("DELETE Work");
    EXPECT_THAT(c.until("(end)"), HasSubstr("* BYE"));
}

TEST_F(HibernationTest, NotCompressedNotInTheMiddleOfALine) {
    Bed bed;
    Options options;
    options.hibernate_after = Millis{10};
    options.keepalive = Millis{60};  // tells that it has been awake for so long
    options.sleeper = &bed;
    {
        Client c(maildir, options);  // without a folder there is nothing to settle first
        c.send("i IDLE\r\nDO");
        EXPECT_THAT(c.until("* OK Still here"), HasSubstr("* OK Still here"));
        c.send("NE\r\n");
        EXPECT_THAT(c.until("i "), HasSubstr("i OK"));
    }
    {
        Client c(maildir, options);
        c("COMPRESS DEFLATE");
        c.send(*Deflater::make()->compress("i IDLE\r\n"));
        Inflater in = *Inflater::make();
        std::string heard;
        while (heard.find("* OK Still here") == std::string::npos) {
            const std::string bytes = c.some();
            ASSERT_FALSE(bytes.empty()) << heard;
            heard += *in.expand(bytes);
        }
    }
    EXPECT_TRUE(bed.states.empty());
}

TEST_F(HibernationTest, WhereNobodyTakesItItStaysAwake) {
    Bed bed;
    bed.open = false;
    Options options;
    options.hibernate_after = Millis{10};
    options.keepalive = Millis{60};
    options.sleeper = &bed;
    Client c(maildir, options);
    c("SELECT INBOX");
    c.send("i IDLE\r\n");
    for (int i = 0; i < 100 && bed.refusals == 0; ++i) c.until("* OK Still here");
    EXPECT_THAT(c.until("* OK Still here"), HasSubstr("* OK Still here"));
    EXPECT_EQ(bed.refusals, 1) << "and is not asked again";
    maildir.deliver("1.one.host", kPlain);
    EXPECT_THAT(c.until("* 1 EXISTS"), HasSubstr("* 1 EXISTS"));
    c.send("DONE\r\n");
    EXPECT_THAT(c.until("i "), HasSubstr("i OK"));
}

TEST(SleepState, ComesBackAsItWas) {
    SleepState state;
    state.tag = "a1";
    state.folder = "Work.2026";
    state.read_only = true;
    state.view = {7, 1ULL << 40, 5, 99, 3, {1, 4'000'000'000U}};
    state.saved_result = {2, 3};
    state.qresync = true;
    state.bytes_out = 12;
    const auto text = encode_state(state).value();
    EXPECT_LT(text.size(), 500U);
    const auto back = decode_state(text, WallTime(), Millis{1}).value();
    EXPECT_EQ(back.tag, "a1");
    EXPECT_EQ(back.folder, "Work.2026");
    EXPECT_TRUE(back.read_only && back.qresync && !back.condstore);
    EXPECT_EQ(back.view.modseq, 1ULL << 40);
    EXPECT_EQ(back.view.recent, state.view.recent);
    EXPECT_EQ(back.saved_result, state.saved_result);
    EXPECT_EQ(back.bytes_out, 12U);
    for (std::size_t size = 0; size < text.size(); ++size)
        EXPECT_FALSE(decode_state(text.substr(0, size), WallTime(), Millis{1})) << size;
    EXPECT_FALSE(decode_state(text + "x", WallTime(), Millis{1}));
}

TEST(SleepState, OldAndForeignOnesAreRefused) {
    SleepState state;
    state.sealed_at = WallTime(Seconds{1000});
    const auto text = encode_state(state).value();
    EXPECT_TRUE(decode_state(text, WallTime(Seconds{1010}), Seconds{10}));
    EXPECT_EQ(decode_state(text, WallTime(Seconds{1011}), Seconds{10}).error().code, Errc::denied);
    state.version = SleepState::kVersion + 1;
    EXPECT_FALSE(decode_state(encode_state(state).value(), WallTime(Seconds{1000}), Seconds{10}));
}

TEST(SleepState, IsAtMostFourKilobytes) {
    SleepState state;
    state.view.recent.assign(SleepState::kMaxNumbers, 1);
    EXPECT_TRUE(encode_state(state));
    state.view.recent.push_back(1);
    EXPECT_EQ(encode_state(state).error().code, Errc::no_space);
    state.view.recent.clear();
    state.folder.assign(2000, 'x');
    EXPECT_FALSE(encode_state(state));
}

}  // namespace
}  // namespace postern::imapd
