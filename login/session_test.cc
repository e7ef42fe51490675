#include "login/login_fixture.h"

namespace postern::login {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(LoginTest, AWholePlainLogin) {
    start();
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK [CAPABILITY"));
    say(client, "a LOGIN u1 wrong\r\n");
    EXPECT_THAT(line(client), StartsWith("a NO [AUTHENTICATIONFAILED]"));
    say(client, "b LOGIN broken x\r\n");
    EXPECT_THAT(line(client), StartsWith("b NO [UNAVAILABLE]"));
    say(client, "c LOGIN u1 secret\r\n");
    EXPECT_EQ(line(client), "c OK secured=yes pending=");
    wait_until_all_ended();
    say(client, "x\r\n");
    EXPECT_EQ(line(client), "echo x");
}

TEST_F(LoginTest, WhatWasPipelinedGoesAlong) {
    start();
    auto client = connect();
    say(client, "c LOGIN u1 secret\r\nd SEL");
    EXPECT_THAT(line(client), StartsWith("* OK"));
    EXPECT_EQ(line(client), "c OK secured=yes pending=d SEL");
    say(client, "ECT\r\n");
    EXPECT_EQ(line(client), "echo d SELECT");
}

TEST_F(LoginTest, MuchPipelinedInputIsRelayed) {
    start();
    auto client = connect();
    const std::string much(60'000, 'm');
    say(client, "c LOGIN u1 secret\r\n" + much + "\r\nquit\r\n");
    EXPECT_THAT(line(client), StartsWith("* OK"));
    EXPECT_THAT(line(client), StartsWith("c OK"));
    const auto echoed = line(client);
    EXPECT_GE(echoed.size(), 60'000U);
    EXPECT_EQ(line(client), "echo quit");
}

TEST_F(LoginTest, StartTlsThenRelayBothWays) {
    start(with_tls);
    auto client = connect();
    EXPECT_THAT(line(client), HasSubstr("STARTTLS"));
    say(client, "a STARTTLS\r\n");
    EXPECT_THAT(line(client), StartsWith("a OK"));
    start_tls(client);
    say(client, "b CAPABILITY\r\n");
    EXPECT_THAT(line(client), testing::Not(HasSubstr("STARTTLS")));
    EXPECT_THAT(line(client), StartsWith("b OK"));
    say(client, "c LOGIN u1 secret\r\nearly\r\n");
    EXPECT_EQ(line(client), "c OK secured=yes pending=");
    EXPECT_EQ(line(client), "echo early");
    say(client, "big\r\n");
    auto big = client.read_line(4'000'000, soon());
    ASSERT_TRUE(big);
    EXPECT_EQ(big->size(), 3'000'000U);
    EXPECT_EQ(line(client), "echo big");
    say(client, "quit\r\n");
    EXPECT_EQ(line(client), "echo quit");
    EXPECT_THAT(line(client), StartsWith("ERROR"));
    wait_until_all_ended();
}

TEST_F(LoginTest, ImplicitTls) {
    start([](Options& options) {
        with_tls(options);
        options.wrapper_mode = true;
        options.protocol = ipc::AuthProtocol::pop3;
    });
    auto client = connect();
    start_tls(client);
    EXPECT_EQ(line(client), "+OK Postern ready.");
    say(client, "USER u1\r\nPASS secret\r\n");
    EXPECT_EQ(line(client), "+OK");
    EXPECT_EQ(line(client), " OK secured=yes pending=");
    say(client, "x\r\n");
    EXPECT_EQ(line(client), "echo x");
    // The client goes without a word: the worker hears it, and everything ends.
    { const net::Stream gone = std::move(client); }
    wait_until_all_ended();
}

TEST_F(LoginTest, InjectedPlaintextEndsTheSession) {
    start(with_tls);
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a STARTTLS\r\nb LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("a OK"));
    EXPECT_THAT(line(client), StartsWith("ERROR"));
    wait_until_all_ended();
}

TEST_F(LoginTest, NoWorker) {
    start({}, false);
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("a NO [UNAVAILABLE]"));
    EXPECT_THAT(line(client), StartsWith("* BYE"));
    wait_until_all_ended();
}

TEST_F(LoginTest, TimesOut) {
    start([](Options& options) { options.login_timeout = Millis{50}; });
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    EXPECT_EQ(line(client), "* BYE Disconnected for inactivity.");
    wait_until_all_ended();
}

// A reload between token and hand-off: the new auth does not know the old one's token.
TEST_F(LoginTest, ARefusedHandOffIsTriedOnceMore) {
    refusals_ = 1;
    start();
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a LOGIN u1 secret\r\nmore\r\n");
    EXPECT_EQ(line(client), "a OK secured=yes pending=more");
    wait_until_all_ended();
}

// The new auth may have another users file, in which that password is wrong.
TEST_F(LoginTest, ARefusedHandOffAndThenNoLogin) {
    refusals_ = 1;
    right_answers_ = 1;
    start();
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("a NO [AUTHENTICATIONFAILED]"));
    say(client, "b NOOP\r\n");
    EXPECT_THAT(line(client), StartsWith("b OK")) << "the client is listened to again";
}

TEST_F(LoginTest, AWorkerThatRefusesTwiceIsBelieved) {
    refusals_ = 2;
    start(with_tls);
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a STARTTLS\r\n");
    EXPECT_THAT(line(client), StartsWith("a OK"));
    start_tls(client);
    say(client, "b LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("b NO [UNAVAILABLE]"));
    EXPECT_THAT(line(client), StartsWith("* BYE"));
    wait_until_all_ended();
}

TEST_F(LoginTest, AReloadLeavesClientsAlone) {
    start();
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    drain_ = true;
    say(client, "a LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("a OK"));
    wait_until_all_ended();
}

TEST_F(LoginTest, StopSaysGoodbyeToThoseWhoHaveNotLoggedIn) {
    start();
    auto waiting = connect();
    auto working = connect();
    EXPECT_THAT(line(waiting), StartsWith("* OK"));
    EXPECT_THAT(line(working), StartsWith("* OK"));
    say(working, "a LOGIN u1 secret\r\n");
    EXPECT_THAT(line(working), StartsWith("a OK"));
    stop_service_ = true;
    EXPECT_THAT(line(waiting), StartsWith("* BYE [UNAVAILABLE]"));
    say(working, "x\r\n");
    EXPECT_EQ(line(working), "echo x");
    wait_until_all_ended();
}

TEST_F(LoginTest, ClientsThatLeave) {
    start();
    for (int i = 0; i < 20; ++i) {
        auto client = connect();
        if (i % 2 == 0) say(client, "a LOGIN u1 wro");
        if (i % 3 == 0) say(client, "ng\r\n");
    }
    wait_until_all_ended();
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
}

// Sends `text` again and again, up to so many times, until the other end has taken nothing for a
// while. How many whole ones have gone.
std::size_t ask_without_reading(int socket, std::string_view text, std::size_t times) {
    for (std::size_t done = 0; done < times; ++done) {
        std::string_view rest = text;
        while (!rest.empty()) {
            const ssize_t sent = ::send(socket, rest.data(), rest.size(), MSG_DONTWAIT);
            if (sent > 0) {
                rest.remove_prefix(static_cast<std::size_t>(sent));
                continue;
            }
            pollfd room{socket, POLLOUT, 0};
            if (::poll(&room, 1, 300) <= 0) return done;
        }
    }
    return times;
}

class PileTest : public LoginTest, public testing::WithParamInterface<ipc::AuthProtocol> {};

// Before any login, so nobody may have us keep more than a little.
TEST_P(PileTest, RepliesThatNobodyReadsMakeTheClientWait) {
    start([](Options& options) { options.protocol = GetParam(); });
    const bool imap = GetParam() == ipc::AuthProtocol::imap;
    auto client = connect();
    const auto asked =
        ask_without_reading(client.fd(), imap ? "a CAPABILITY\r\n" : "CAPA\r\n", 200'000);
    EXPECT_LT(asked, 100'000U);
    ::shutdown(client.fd(), SHUT_WR);
    std::size_t answered = 0;
    for (std::string text; !text.starts_with("ERROR"); text = line(client))
        if (text.starts_with(imap ? "a OK" : "CAPA")) ++answered;
    EXPECT_EQ(answered, asked) << "and whoever reads again gets them all";
    wait_until_all_ended();
}

INSTANTIATE_TEST_SUITE_P(Protocols, PileTest,
                         testing::Values(ipc::AuthProtocol::imap, ipc::AuthProtocol::pop3),
                         [](const auto& protocol) {
                             return protocol.param == ipc::AuthProtocol::imap ? "Imap" : "Pop3";
                         });

TEST_F(LoginTest, ManyAtATime) {
    start();
    std::vector<net::Stream> clients;
    for (int i = 0; i < 50; ++i) clients.push_back(connect());
    for (auto& client : clients) say(client, "a LOGIN u1 secret\r\n");
    for (auto& client : clients) {
        EXPECT_THAT(line(client), StartsWith("* OK"));
        EXPECT_THAT(line(client), StartsWith("a OK"));
    }
    wait_until_all_ended();
}

// --- Hibernation

class SleepTest : public LoginTest, public testing::WithParamInterface<bool> {
  protected:
    // A client whose worker has gone to sleep, with TLS or without.
    net::Stream sleeper(int count = 1) {
        if (count <= 1)
            start([this](Options& o) {
                if (GetParam()) with_tls(o);
            });
        auto client = connect();
        EXPECT_THAT(line(client), StartsWith("* OK"));
        if (GetParam()) {
            say(client, "a STARTTLS\r\n");
            EXPECT_THAT(line(client), StartsWith("a OK"));
            start_tls(client);
        }
        say(client, "c LOGIN u1 secret\r\n");
        EXPECT_THAT(line(client), StartsWith("c OK"));
        say(client, "sleep\r\n");
        wait_asleep(count);
        return client;
    }
};

TEST_P(SleepTest, TheClientSpeaks) {
    auto client = sleeper();
    say(client, "DONE\r\n");
    EXPECT_EQ(line(client), "awake: resume token sealed");
    EXPECT_EQ(line(client), "echo DONE") << "the worker gets what was said";
    say(client, "sleep\r\n");
    wait_asleep(2);
    say(client, "x\r\n");
    EXPECT_EQ(line(client), "awake: resume token sealed");
    EXPECT_EQ(line(client), "echo x");
    say(client, "quit\r\n");
    EXPECT_EQ(line(client), "echo quit");
    wait_until_all_ended();
    // The number of sessions may be the one of a moment ago, when the client slept.
    const auto limit = soon();
    while (ended_ <= began_ && !limit.passed()) std::this_thread::yield();
    // A client that a worker has is a session of this process; a relayed one is one anyway.
    EXPECT_EQ(began_, GetParam() ? 0 : 1);
    EXPECT_EQ(ended_, began_ + 1);
}

TEST_P(SleepTest, ItsFolderChanges) {
    auto client = sleeper();
    ASSERT_EQ(::write(folder_changes_.get(), "x", 1), 1);
    EXPECT_EQ(line(client), "awake: resume token sealed");
}

TEST_P(SleepTest, TheClientGoes) {
    { const auto client = sleeper(); }
    wait_until_all_ended();
    const auto limit = soon();
    while (links_ > 0 && !limit.passed()) std::this_thread::yield();
    stop_ = true;
    loop_thread_.join();
    EXPECT_THAT(log::take_captured(),
                HasSubstr("client closed the connection (hibernating): user=<u1>"));
    EXPECT_EQ(began_, GetParam() ? 0 : 1);
    EXPECT_EQ(ended_, began_ + 1);
}

TEST_P(SleepTest, SilentForTooLong) {
    silence_ = Millis{50};
    auto client = sleeper();
    EXPECT_EQ(line(client), "* BYE Disconnected for inactivity.");
    EXPECT_THAT(line(client), StartsWith("ERROR"));
}

TEST_P(SleepTest, TheSystemStops) {
    auto client = sleeper();
    drain_ = true;
    stop_service_ = true;
    EXPECT_EQ(line(client), "* BYE [UNAVAILABLE] Server shutting down.");
    EXPECT_THAT(line(client), StartsWith("ERROR"));
}

TEST_P(SleepTest, AReloadLetsItSleep) {
    auto client = sleeper();
    drain_ = true;
    say(client, "DONE\r\n");
    EXPECT_EQ(line(client), "awake: resume token sealed");
}

TEST_P(SleepTest, AWorkerThatRefusesTheState) {
    auto client = sleeper();
    refusals_ = 3;
    say(client, "DONE\r\n");
    EXPECT_EQ(line(client), "* BYE [UNAVAILABLE] Session cannot be continued, connect again");
    EXPECT_THAT(line(client), StartsWith("ERROR"));
}

TEST_P(SleepTest, AWorkerThatRefusesOnce) {
    auto client = sleeper();
    refusals_ = 1;
    say(client, "DONE\r\n");
    EXPECT_EQ(line(client), "awake: resume token sealed");
}

// A worker that was taken over may send what it likes.
TEST_P(SleepTest, ADescriptorThatNobodyCanWaitFor) {
    watch_a_file_ = true;
    auto client = sleeper(0);
    say(client, "x\r\n");
    EXPECT_EQ(line(client), "echo x") << "the worker keeps its client";
}

TEST_P(SleepTest, NoWorkerForAWhile) {
    auto client = sleeper();
    worker_.reset();
    say(client, "DONE\r\n");
    EXPECT_EQ(line(client), "* BYE [UNAVAILABLE] Session cannot be continued, connect again");
}

TEST_P(SleepTest, DismissedAsleep) {
    with_anvil_ = true;
    auto client = sleeper();
    *dismiss_.lock() = wait_told("u1 asleep");
    EXPECT_EQ(line(client), "* BYE Disconnected by the administrator.");
    EXPECT_THAT(line(client), StartsWith("ERROR"));
    wait_told("u1 over");
}

TEST(WakeSlots, OthersWaitForTheirTurn) {
    WakeSlots slots(2);
    std::string order;
    for (const char* name : {"a", "b", "c", "d"}) slots.take([&order, name] { order += name; });
    EXPECT_EQ(order, "ab");
    slots.give_back();
    EXPECT_EQ(order, "abc");
    slots.give_back();
    slots.give_back();
    slots.give_back();
    slots.take([&order] { order += "e"; });
    EXPECT_EQ(order, "abcde");
    int done = 0;
    WakeSlots one(1);
    for (int i = 0; i < 100'000; ++i)
        one.take([&] {
            if (++done > 1) one.give_back();
        });
    one.give_back();
    EXPECT_EQ(done, 100'000) << "and the stack has not grown";
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, SleepTest, testing::Bool(),
                         [](const auto& tls) { return tls.param ? "Tls" : "Plain"; });

}  // namespace
}  // namespace postern::login
