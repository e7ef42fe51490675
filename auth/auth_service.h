// AuthService: the conversations of auth. smtpd and login ask whether somebody is who he says;
// imapd and pop3d, as root, redeem tokens. One question at a time per connection.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "auth/exchange.h"
#include "auth/hash_pool.h"
#include "auth/resume.h"
#include "auth/tokens.h"
#include "auth/users.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/auth.h"
#include "lib/loop/loop.h"

namespace postern::auth {

struct Options {
    UserOptions users;
    std::size_t workers = 4;
    Millis failure_delay{2000};
    Millis token_lifetime{60'000};
    std::string resume_key;  // empty: made up, and good for this process only
    std::string salt_key;    // likewise: unknown users' salts (scram_exchange.cc)
};

class AuthService {
  public:
    static constexpr std::size_t kMaxSessions = 2000;

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

    loop::Loop& loop_;
    Options options_;
    Users users_;
    Tokens tokens_;
    Resume resume_;
    HashPool pool_;
    Backend backend_;
    std::function<void()> session_ended_;
    std::map<Conversation*, std::shared_ptr<Conversation>> conversations_;
};

}  // namespace postern::auth
