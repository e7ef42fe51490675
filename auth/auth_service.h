// AuthService: the conversations of auth. smtpd and login ask whether somebody is who he says;
// imapd and pop3d, as root, redeem tokens. One question at a time per connection.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/exchange.h"
#include "auth/failures.h"
#include "auth/hash_pool.h"
#include "auth/resume.h"
#include "auth/token_checker.h"
#include "auth/tokens.h"
#include "auth/users.h"
#include "lib/base/ip_address.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/auth.h"
#include "lib/loop/loop.h"

namespace postern::auth {

struct Options {
    UserOptions users;
    std::size_t workers = 4;
    Millis failure_delay{2000};
    Failures::Options failures;
    std::vector<IpNetwork> failure_exceptions;  // clients whose failures do not count
    int v4_bits = 32, v6_bits = 128;            // of an address that make a client
    Millis token_lifetime{60'000};
    std::string resume_key;  // empty: made up, and good for this process only
    std::string salt_key;    // likewise: unknown users' salts (scram_exchange.cc)
    bool drops_domain = false;  // clients' names: "fred@example.test" is fred
    TokenOptions bearer;
};

class AuthService {
  public:
    // With those whose answer is held back: who guesses must not fill the room of all others.
    static constexpr std::size_t kMaxSessions = 20'000;

    AuthService(loop::Loop& loop, Options options, Random& random,
                std::function<void()> session_ended);
    ~AuthService();

    // A connection from an allowed peer. may_redeem: it may turn tokens into grants.
    void serve(Fd socket, bool may_redeem);
    // Tokens are waiting to be redeemed: they would be lost with this process.
    bool busy() const { return tokens_.outstanding() > 0; }

  private:
    class Conversation;
    friend class Conversation;
    void end(Conversation* conversation);
    ipc::UserAnswer known(const ipc::UserRequest& request);
    ipc::UserAnswer located(const ipc::UserRequest& request);
    ipc::Grant redeem(const ipc::RedeemToken& request);
    std::optional<std::string> user_of(const ipc::RedeemToken& request);
    std::string client_of(const std::string& address) const;

    loop::Loop& loop_;
    Options options_;
    Users users_;
    Tokens tokens_;
    Resume resume_;
    HashPool pool_;
    TokenChecker token_checker_;
    Backend backend_;
    Failures failures_;
    std::function<void()> session_ended_;
    std::map<Conversation*, std::shared_ptr<Conversation>> conversations_;
};

}  // namespace postern::auth
