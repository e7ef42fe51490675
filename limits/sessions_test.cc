// Who is here: counted, listed, told to go; and who may log in again.
#include "limits/sessions.h"

#include <poll.h>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/unix_socket.h"
#include "limits/login_times.h"
#include "limits/service.h"

namespace postern::limits {
namespace {

using ipc::SessionState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ipc::SessionFacts session(int number, SessionState state = SessionState::active,
                          const std::string& user = "bob",
                          const std::string& address = "192.0.2.1") {
    ipc::SessionFacts facts;
    const std::string digits = std::to_string(number);
    facts.session = *SessionId::parse(std::string(SessionId::kSize - digits.size(), 'b') + digits);
    facts.state = state;
    facts.service = "imap";
    facts.user = state == SessionState::logging_in ? "" : user;
    facts.address = facts.client = address;
    return facts;
}

std::vector<std::string> users(const Sessions& sessions, const ipc::SessionFilter& filter) {
    std::vector<std::string> names;
    for (const auto& found : sessions.list(*Choice::parse(filter), "", 100))
        names.push_back(found.facts.user);
    return names;
}

TEST(Sessions, CountsByUserAndClient) {
    Sessions sessions(100);
    EXPECT_TRUE(sessions.note(1, session(1, SessionState::logging_in))->began);
    EXPECT_EQ(sessions.logging_in("192.0.2.1"), 1U);
    EXPECT_FALSE(sessions.note(1, session(1))->began);
    EXPECT_EQ(sessions.logging_in("192.0.2.1"), 0U);
    EXPECT_EQ(sessions.of_user(session(1)), 1U);
    ASSERT_TRUE(sessions.note(2, session(2, SessionState::asleep)));
    EXPECT_EQ(sessions.of_user(session(1)), 2U) << "another process's, asleep";
    ASSERT_TRUE(sessions.note(2, session(3, SessionState::active, "bob", "192.0.2.2")));
    auto pop3 = session(4);
    pop3.protocol = ipc::AuthProtocol::pop3;
    ASSERT_TRUE(sessions.note(2, pop3));
    EXPECT_EQ(sessions.of_user(session(1)), 2U) << "other addresses and protocols count apart";
    EXPECT_EQ(sessions.note(1, session(1, SessionState::over))->ended->user, "bob");
    EXPECT_FALSE(sessions.note(1, session(1, SessionState::over))->ended);
    EXPECT_EQ(sessions.of_user(session(1)), 1U);
    EXPECT_EQ(sessions.forget(2).size(), 3U);
    EXPECT_EQ(sessions.of_user(session(1)), 0U);
    EXPECT_EQ(sessions.size(), 0U);
}

TEST(Sessions, AProcessCannotTouchAnothersSession) {
    Sessions sessions(100);
    ASSERT_TRUE(sessions.note(1, session(1)));
    EXPECT_FALSE(sessions.note(2, session(1, SessionState::over))->ended);
    ASSERT_TRUE(sessions.note(2, session(1, SessionState::active, "eve")));
    EXPECT_THAT(users(sessions, {.user = "bob"}), ElementsAre("bob"));
}

TEST(Sessions, ThereIsAnEndOfThem) {
    Sessions sessions(2);
    ASSERT_TRUE(sessions.note(1, session(1)));
    ASSERT_TRUE(sessions.note(1, session(2)));
    const auto third = sessions.note(1, session(3));
    ASSERT_FALSE(third);
    EXPECT_THAT(third.error().what, HasSubstr("more than 2 sessions"));
    EXPECT_TRUE(sessions.note(1, session(2, SessionState::asleep))) << "those it has may change";
}

TEST(Sessions, Filters) {
    Sessions sessions(100);
    ASSERT_TRUE(sessions.note(1, session(1, SessionState::active, "ann", "192.0.2.7")));
    ASSERT_TRUE(sessions.note(1, session(2, SessionState::active, "bob", "2001:db8::1")));
    auto carl = session(3, SessionState::active, "carl", "198.51.100.1");
    carl.protocol = ipc::AuthProtocol::smtp;
    ASSERT_TRUE(sessions.note(2, carl));
    EXPECT_THAT(users(sessions, {}), ElementsAre("ann", "bob", "carl"));
    EXPECT_THAT(users(sessions, {.user = "bob"}), ElementsAre("bob"));
    EXPECT_THAT(users(sessions, {.network = "192.0.2.0/24"}), ElementsAre("ann"));
    EXPECT_THAT(users(sessions, {.network = "2001:db8::/32"}), ElementsAre("bob"));
    EXPECT_THAT(users(sessions, {.protocol = "smtp"}), ElementsAre("carl"));
    EXPECT_THAT(users(sessions, {.session = carl.session.str()}), ElementsAre("carl"));
    EXPECT_THAT(users(sessions, {.user = "bob", .protocol = "smtp"}), IsEmpty());
    EXPECT_THAT(Choice::parse({.network = "192.0.2.1/24"}).error().what,
                HasSubstr("\"192.0.2.1/24\" is no address and no network"));
    EXPECT_THAT(Choice::parse({.protocol = "nntp"}).error().what, HasSubstr("nntp"));
}

TEST(Sessions, ListsInParts) {
    Sessions sessions(100);
    for (int i = 10; i < 35; ++i) ASSERT_TRUE(sessions.note(1, session(i)));
    std::string after;
    std::size_t seen = 0;
    for (;;) {
        const auto part = sessions.list(*Choice::parse({}), after, 10);
        if (part.empty()) break;
        seen += part.size();
        after = part.back().facts.session.str();
    }
    EXPECT_EQ(seen, 25U);
}

TEST(LoginTimes, OnceInAWhile) {
    LoginTimes times(3);
    SteadyTime now{};
    EXPECT_TRUE(times.try_login("bob", Millis{1000}, now));
    now += Millis{999};
    EXPECT_FALSE(times.try_login("bob", Millis{1000}, now)) << "which does not count as a login";
    EXPECT_TRUE(times.try_login("ann", Millis{1000}, now));
    now += Millis{1};
    EXPECT_TRUE(times.try_login("bob", Millis{1000}, now));
    for (const auto* user : {"c", "d", "e"}) EXPECT_TRUE(times.try_login(user, Millis{1000}, now));
    EXPECT_EQ(times.size(), 3U);
    now += Millis{1000};
    EXPECT_TRUE(times.try_login("f", Millis{1000}, now));
    EXPECT_EQ(times.size(), 1U) << "who may come again is forgotten";
}

// --- The conversations

class SessionServiceTest : public testing::Test {
  protected:
    struct Peer {
        std::unique_ptr<ipc::LoopChannel> channel;
        std::string heard;
        bool closed = false;
    };
    SessionServiceTest() { log::open_capture(); }
    std::unique_ptr<Peer> connect(bool operates = false) {
        auto pair = sys::packet_pair();
        conversations_.serve(std::move(pair->second), operates);
        auto peer = std::make_unique<Peer>();
        peer->channel = std::make_unique<ipc::LoopChannel>(
            loop_, std::move(pair->first),
            ipc::LoopChannel::Handler{
                [raw = peer.get()](const ipc::Packet& packet) { raw->heard += text(packet); },
                [raw = peer.get()](const Error&) { raw->closed = true; }});
        return peer;
    }
    static std::string text(const ipc::Packet& packet) {
        if (const auto a = packet.as<ipc::AdmissionAnswer>())
            return cat({"logging in ", std::to_string(a->logging_in), ", count ",
                        std::to_string(a->count), ", rate ", std::to_string(a->rate), ", of user ",
                        std::to_string(a->of_user), a->too_soon ? ", too soon" : "", "\n"});
        if (const auto order = packet.as<ipc::DismissSessions>())
            return cat({"dismiss ", join(order->sessions, " "), "\n"});
        if (const auto list = packet.as<ipc::SessionList>())
            return cat({"list of ", std::to_string(list->sessions.size()),
                        list->more ? ", more\n" : "\n"});
        if (const auto answer = packet.as<ipc::KickAnswer>())
            return cat({"told ", std::to_string(answer->told), ", ended ",
                        std::to_string(answer->ended), "\n"});
        return "?\n";
    }
    template <class Message>
    static void say(Peer& peer, const Message& message) {
        ASSERT_TRUE(peer.channel->send(message));
    }
    void hears(Peer& peer, const std::string& expected) {
        until([&] { return peer.heard == expected; });
        EXPECT_EQ(peer.heard, expected);
        peer.heard.clear();
    }
    void until(const std::function<bool()>& done) {
        const auto deadline = Deadline::in(Millis{30'000});
        while (!done() && !deadline.passed()) loop_.run_for(Millis{1});
    }

    loop::Loop loop_;
    int ended_ = 0;
    Conversations conversations_{loop_, {}, Millis{600'000}, [this] { ++ended_; }};
};

TEST_F(SessionServiceTest, AdmissionCountsOverAllProcesses) {
    auto one = connect(), other = connect();
    say(*one, ipc::AdmissionQuestion{session(1, SessionState::logging_in)});
    hears(*one, "logging in 1, count 1, rate 1, of user 0\n");
    say(*one, ipc::AdmissionQuestion{session(1)});
    hears(*one, "logging in 0, count 1, rate 1, of user 1\n");
    say(*other, ipc::SessionReport{{session(2)}});
    say(*other, ipc::AdmissionQuestion{session(3, SessionState::logging_in)});
    hears(*other, "logging in 1, count 3, rate 2, of user 0\n");
    say(*other, ipc::AdmissionQuestion{session(3)});
    hears(*other, "logging in 0, count 3, rate 2, of user 3\n");
    one.reset();
    until([&] { return ended_ == 1; });
    say(*other, ipc::SessionReport{{session(2, SessionState::over)}});
    say(*other, ipc::AdmissionQuestion{session(3), 60});
    hears(*other, "logging in 0, count 1, rate 2, of user 1\n");
    say(*other, ipc::AdmissionQuestion{session(4), 60});
    hears(*other, "logging in 0, count 2, rate 2, of user 2, too soon\n");
}

// After a reload, when everybody tells all that there is.
TEST_F(SessionServiceTest, SessionsToldOfAgainAreNoNewConnections) {
    auto login = connect();
    ipc::SessionReport again;
    for (int i = 1; i <= 40; ++i) again.sessions.push_back(session(i));
    const auto pending = session(41, SessionState::logging_in);  // its question met the reload
    again.sessions.push_back(pending);
    say(*login, again);
    say(*login, ipc::AdmissionQuestion{pending});
    hears(*login, "logging in 1, count 41, rate 1, of user 0\n");
    say(*login, ipc::AdmissionQuestion{session(42, SessionState::logging_in)});
    hears(*login, "logging in 2, count 42, rate 2, of user 0\n");
}

// Who asks for all at once would hear that nobody is here.
TEST_F(SessionServiceTest, TheFirstMomentsBeginWithTheFirstTurn) {
    ::poll(nullptr, 0, static_cast<int>(Conversations::kSettle.count()) + 20);  // a slow start
    loop_.run_for(Millis{1});
    auto root = connect(true);
    say(*root, ipc::SessionListRequest{});
    loop_.run_for(Millis{1});
    auto login = connect();
    say(*login, ipc::SessionReport{{session(1)}});
    hears(*root, "list of 1\n");
}

TEST_F(SessionServiceTest, ListsInPartsAndKicks) {
    auto login = connect(), root = connect(true);
    for (int i = 100; i < 200; ++i) say(*login, ipc::SessionReport{{session(i)}});
    say(*login, ipc::SessionReport{{session(7, SessionState::active, "eve")}});
    until([&] { return conversations_.sessions().size() == 101; });
    say(*root, ipc::SessionListRequest{});
    hears(*root, "list of 64, more\n");
    say(*root, ipc::SessionListRequest{{}, session(162).session.str()});
    hears(*root, "list of 38\n");
    say(*root, ipc::KickRequest{{.user = "eve"}});
    hears(*login, cat({"dismiss ", session(7).session.str(), "\n"}));
    EXPECT_EQ(root->heard, "");
    say(*login, ipc::SessionReport{{session(7, SessionState::over)}});
    hears(*root, "told 1, ended 1\n");
    say(*root, ipc::KickRequest{{.user = "nobody"}});
    hears(*root, "told 0, ended 0\n");
    say(*root, ipc::KickRequest{{.user = "bob"}});
    until([&] { return login->heard.size() > 1000; });
    login.reset();  // a crash ends sessions, too
    hears(*root, "told 100, ended 100\n");
}

TEST_F(SessionServiceTest, OnlyOperatorsSeeOthers) {
    auto login = connect();
    say(*login, ipc::SessionListRequest{});
    until([&] { return login->closed; });
    EXPECT_TRUE(login->closed);
    EXPECT_THAT(log::take_captured(), HasSubstr("unexpected message from a client of anvil"));
    login = connect();
    say(*login, ipc::KickRequest{{.user = "bob"}});
    until([&] { return login->closed; });
    EXPECT_TRUE(login->closed);
}

TEST_F(SessionServiceTest, DrainsByHangingUp) {
    auto login = connect();
    say(*login, ipc::SessionReport{{session(1)}});
    until([&] { return conversations_.sessions().size() == 1; });
    conversations_.drain();
    until([&] { return login->closed; });
    EXPECT_TRUE(login->closed);
    EXPECT_EQ(conversations_.sessions().size(), 0U);
}

TEST_F(SessionServiceTest, SessionsDoNotEndWithUs) {
    auto login = connect(), root = connect(true);
    say(*login, ipc::SessionReport{{session(1)}});
    say(*root, ipc::KickRequest{{.user = "bob"}});
    hears(*login, cat({"dismiss ", session(1).session.str(), "\n"}));
    conversations_.drain();
    until([&] { return root->closed; });
    EXPECT_TRUE(root->closed);
    EXPECT_EQ(root->heard, "") << "our successor knows whether they have ended";
}

}  // namespace
}  // namespace postern::limits
