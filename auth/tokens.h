// Tokens: what auth gives to login instead of an identity: 32 random bytes, good once, for one
// session and one protocol, for a minute. A lying login can present only what auth minted for that
// very session.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lib/base/clock.h"
#include "lib/base/ids.h"
#include "lib/base/random.h"
#include "lib/ipc/messages/auth.h"

namespace postern::auth {

class Tokens {
  public:
    static constexpr std::size_t kMaxOutstanding = 10'000;  // the oldest go first

    Tokens(const Clock& clock, Random& random, Millis lifetime)
        : clock_(clock), random_(random), lifetime_(lifetime) {}

    std::string mint(std::string user, const SessionId& session, ipc::AuthProtocol protocol);
    // The user, once; nothing for a token that is unknown, used, too old or meant for something
    // else.
    std::optional<std::string> redeem(std::string_view token, const SessionId& session,
                                      ipc::AuthProtocol protocol);

    std::size_t outstanding() const;  // that are still good

  private:
    struct Entry {
        std::string user;
        SessionId session;
        ipc::AuthProtocol protocol;
        SteadyTime expires;
    };
    void forget_old();

    const Clock& clock_;
    Random& random_;
    Millis lifetime_;
    // Keyed by a digest of the token, so that the time of a look-up tells nothing about tokens.
    std::unordered_map<std::string, Entry> tokens_;
    std::deque<std::pair<SteadyTime, std::string>> by_age_;
};

}  // namespace postern::auth
