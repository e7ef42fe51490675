// TokenChecker: what a bearer token is worth. One that is a JWT is judged here, with the keys of
// its issuer (auth_oauth2_keys); others by the authorization server itself, which `introspect`
// asks.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/ipc/client.h"
#include "lib/loop/loop.h"
#include "lib/sasl/jwt.h"

namespace postern::auth {

struct TokenOptions {
    sasl::TokenRules rules;
    std::string keys;          // a file or a folder; empty: no keys
    bool introspects = false;  // there is a server to ask
    std::string introspect_path = "private/postern-introspect";
    Millis introspect_timeout{10'000};
    std::string openid_configuration;  // for clients that had no luck
};

// The keys of a file or of all files of a folder: JWK sets (*.json, *.jwk, *.jwks), public keys and
// certificates in PEM, which are for tokens that name the file without what is behind its last dot.
Result<std::vector<sasl::TokenKey>> read_token_keys(const std::string& path);

class TokenChecker {
  public:
    TokenChecker(loop::Loop& loop, TokenOptions options);

    using Done = std::function<void(Result<sasl::TokenVerdict>)>;
    // An error is "try later". May call back from inside.
    void check(const std::string& token, std::string_view trace, Done done);
    const TokenOptions& options() const { return options_; }

  private:
    Result<sasl::TokenVerdict> judge(std::string_view token);
    Result<void> refresh();
    void introspect(const std::string& token, std::string_view trace, Done done);

    loop::Loop& loop_;
    TokenOptions options_;
    ipc::Client introspector_;
    std::vector<sasl::TokenKey> keys_;
    SteadyTime read_{};  // when the keys were
};

}  // namespace postern::auth
