#include "lib/service/user_session.h"

#include "lib/base/random.h"
#include "lib/crypto/seal.h"

namespace postern::service {
namespace {

struct Case {
    std::string name;
    std::function<void(ipc::Grant&)> change;
    std::uint32_t own_uid;
    bool good;
};

TEST(CheckGrant, OnlySaneGrantsAreActedUpon) {
    const auto session = SessionId::make(SystemClock::instance(), SystemRandom::instance());
    const auto other = SessionId::make(SystemClock::instance(), SystemRandom::instance());
    const Case cases[] = {
        {"good", [](auto&) {}, 0, true},
        {"refused", [](auto& g) { g.ok = false; }, 0, false},
        {"other session", [&](auto& g) { g.session = other; }, 0, false},
        {"no user", [](auto& g) { g.user.clear(); }, 0, false},
        {"root", [](auto& g) { g.uid = 0; }, 0, false},
        {"root is not its own user", [](auto& g) { g.uid = 0; }, 0, false},
        {"root group", [](auto& g) { g.gid = 0; }, 0, false},
        {"system user", [](auto& g) { g.uid = 499; }, 0, false},
        {"unprivileged instance of a system user", [](auto& g) { g.uid = 33; }, 33, true},
        {"relative home", [](auto& g) { g.home = "home/u"; }, 0, false},
        {"empty mailbox", [](auto& g) { g.mailbox.clear(); }, 0, false},
        {"climbing mailbox", [](auto& g) { g.mailbox = "/home/u/../v/Maildir"; }, 0, false},
    };
    for (const auto& c : cases) {
        ipc::Grant grant{true, "u", 1000, 1000, "/home/u", "/home/u/Maildir", session};
        c.change(grant);
        EXPECT_EQ(check_grant(grant, session, 500, c.own_uid).has_value(), c.good) << c.name;
    }
}

TEST(OpenState, OfThisVerySessionOnly) {
    auto& random = SystemRandom::instance();
    ipc::Grant grant;
    grant.session_key = std::string(ipc::kSessionKeySize, 'k');
    ipc::Handoff handoff;
    handoff.session = SessionId::make(SystemClock::instance(), random);
    const auto sealed_for = [&](const SessionId& session, char key) {
        return crypto::seal(std::string(ipc::kSessionKeySize, key), session.str(), "state", random);
    };
    handoff.state = sealed_for(handoff.session, 'k');
    EXPECT_EQ(open_state(handoff, grant).value_or("refused"), "state");
    handoff.state = sealed_for(SessionId::make(SystemClock::instance(), random), 'k');
    EXPECT_EQ(open_state(handoff, grant).error().code, Errc::denied) << "another session's";
    handoff.state = sealed_for(handoff.session, 'l');
    EXPECT_FALSE(open_state(handoff, grant)) << "another key: forged, or of another boot";
    handoff.state = "state";
    EXPECT_FALSE(open_state(handoff, grant));
}

}  // namespace
}  // namespace postern::service
