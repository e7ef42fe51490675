// Exchange: one attempt of a client to prove who it is, from AuthRequest to the verdict. A
// mechanism of one message asks and is done; others send challenges, which login and smtpd carry.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "auth/hash_pool.h"
#include "auth/tokens.h"
#include "auth/users.h"
#include "lib/base/random.h"
#include "lib/ipc/messages/auth.h"

namespace postern::auth {

class TokenChecker;

// What exchanges share; outlives them.
struct Backend {
    Users& users;
    Tokens& tokens;
    HashPool& pool;
    Random& random;
    TokenChecker& token_checker;
    std::string salt_key;       // unknown users' salts are made with it
    bool drops_domain = false;  // of the names that clients give
};

class Exchange : public std::enable_shared_from_this<Exchange> {
  public:
    using Done = std::function<void(ipc::AuthAnswer)>;

    // For a mechanism that is not there: an exchange that refuses.
    static std::shared_ptr<Exchange> make(Backend& backend, ipc::AuthRequest request);
    virtual ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    // Each calls `done` once, unless the exchange is dropped before. After a challenge comes
    // respond(); after any other answer nothing.
    void begin(Done done);
    void respond(std::string response, Done done);

  protected:
    Exchange(Backend& backend, ipc::AuthRequest request);

    // A message of the client, or that it has sent none with its request. Wiped afterwards.
    virtual void on_message(std::string& message) = 0;
    virtual void on_no_message() { challenge({}); }

    // The answers.
    // `user`: where the name is known by now; it may be held back for earlier failures.
    void challenge(std::string text, const std::string& user = {});
    void admit(const std::string& user);
    void refuse(const std::string& user, const std::string& why);
    void defer(const std::string& user, const std::string& why);

    // The user of that name, unless he may not come from where this client is. Nobody is told of
    // that: whoever is not found goes the way of the unknown, and `stranger_` is for the log.
    Lookup<User> find(const std::string& name);

    // The name as users are known by it: prepared (RFC 4013) where that is possible.
    static std::string prepared(const std::string& name);
    // The same of a name that a client gives, which may have a domain that users' names have not.
    // Not of one that an issuer of tokens or certificates gives: his domains tell users apart.
    std::string canonical(const std::string& name) const;
    // Whether `authorization` is the user of that name himself; nobody acts for others here.
    bool is_self(const std::string& authorization, const std::string& name) const;

    Backend& backend_;
    ipc::AuthRequest request_;  // without the response
    std::string_view stranger_ = "unknown user";

  private:
    void answer(ipc::AuthAnswer answer);
    std::string story(const std::string& user) const;
    Done done_;
};

// Exchanges that have files of their own.
std::shared_ptr<Exchange> make_scram_exchange(Backend& backend, ipc::AuthRequest request);
std::shared_ptr<Exchange> make_oauth_exchange(Backend& backend, ipc::AuthRequest request);

}  // namespace postern::auth
