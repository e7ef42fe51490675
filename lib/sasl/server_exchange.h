// ServerExchange: the half of a SASL conversation that whoever faces the network has. PLAIN (RFC
// 4616) and LOGIN (the obsolete draft that every client speaks) are gathered into one message, so
// that auth is asked once; what other mechanisms say is carried to auth, message by message, which
// alone understands it. Pure; base64 is the caller's (the protocols differ).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::sasl {

struct Credentials {
    std::string authorization;  // whom to act as; empty: the same as user
    std::string user;
    std::string password;
};

inline constexpr std::size_t kMaxUser = 255;

// Splits a PLAIN message: [authzid] NUL authcid NUL passwd. Errc::invalid otherwise.
Result<Credentials> parse_plain(std::string_view message);
std::string make_plain(std::string_view user, std::string_view password);

class ServerExchange {
  public:
    // Any mechanism of ours, in any case; whether it may be used is the caller's business
    // (mechanisms.h). Errc::not_found: not a mechanism of ours.
    static Result<ServerExchange> start(std::string_view mechanism);
    ~ServerExchange();
    ServerExchange(ServerExchange&&) = default;
    ServerExchange& operator=(ServerExchange&&) = default;

    struct Step {
        enum class Kind : unsigned char { challenge, ask, malformed };
        Kind kind = Kind::malformed;
        std::string challenge;  // to be sent (before base64), for Kind::challenge
    };
    // The initial response, decoded; nothing when the client sent none.
    Step begin(std::optional<std::string_view> initial_response);
    // The answer to the last challenge, ours or auth's, decoded.
    Step on_response(std::string_view response);

    // After Kind::ask: what to ask auth.
    struct Question {
        std::string mechanism;  // LOGIN has become PLAIN
        std::string response;   // secret
        bool has_response = true;
        bool goes_on = false;  // it answers auth's last challenge
    };
    Question take_question();
    const std::string& mechanism() const { return mechanism_; }  // as the client asked, upper case

  private:
    explicit ServerExchange(std::string mechanism) : mechanism_(std::move(mechanism)) {}
    Step carry(std::optional<std::string_view> response);
    Step finish(std::string message);

    std::string mechanism_;
    std::string user_;  // LOGIN: once given
    Question question_;
    enum class Expect : unsigned char {
        nothing,
        plain,
        login_user,
        login_password,
        carried
    } expect_ = Expect::nothing;
};

}  // namespace postern::sasl
