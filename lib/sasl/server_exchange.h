// ServerExchange: the server's half of a SASL conversation, gathered into one message for auth.
// PLAIN (RFC 4616) and LOGIN (the obsolete draft that every client speaks): whoever faces the
// network collects what the client says and asks auth once. Pure; base64 is the caller's (the
// protocols differ).
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
    // Names that start() accepts, strongest first.
    static std::vector<std::string_view> mechanisms();
    // Errc::not_found: not a mechanism of ours. Any case.
    static Result<ServerExchange> start(std::string_view mechanism);
    ~ServerExchange();
    ServerExchange(ServerExchange&&) = default;
    ServerExchange& operator=(ServerExchange&&) = default;

    struct Step {
        enum class Kind : unsigned char { challenge, done, malformed };
        Kind kind = Kind::malformed;
        std::string challenge;  // to be sent (before base64), for Kind::challenge
    };
    // The initial response, decoded; nothing when the client sent none.
    Step begin(std::optional<std::string_view> initial_response);
    // The answer to the last challenge, decoded.
    Step on_response(std::string_view response);

    // After Kind::done: what to ask auth with: always a PLAIN message, under message_mechanism().
    std::string take_message();
    static constexpr std::string_view message_mechanism() { return "PLAIN"; }
    const std::string& mechanism() const { return mechanism_; }  // as the client asked, upper case

  private:
    explicit ServerExchange(std::string mechanism) : mechanism_(std::move(mechanism)) {}
    Step finish(std::string message);

    std::string mechanism_;
    std::string user_;  // LOGIN: once given
    std::string message_;
    enum class Expect : unsigned char {
        nothing,
        plain,
        login_user,
        login_password
    } expect_ = Expect::nothing;
};

}  // namespace postern::sasl
