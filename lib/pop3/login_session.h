// LoginSession: POP3 until the user is known (the AUTHORIZATION state of RFC 1939 4): USER and
// PASS, AUTH, STLS, CAPA, QUIT. Pure: lines in, actions out; the driver (login/) owns socket, TLS
// and the question to auth. Whoever is authenticated is handed to pop3d, which answers "+OK Logged
// in." itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/pop3/command.h"

namespace postern::pop3 {

struct LoginOptions {
    bool starttls_available = false;
    bool plaintext_allowed = false;  // passwords without TLS
    bool passwords = true;           // USER and PASS at all
    std::string greeting = "Postern ready.";
    std::uint32_t login_delay = 0;  // seconds; RFC 2449 6.5
};

struct LoginAction {
    enum class Then : unsigned char { go_on, start_tls, authenticate, close };
    std::string reply;  // to be sent first; may be empty
    Then then = Then::go_on;
    std::string message;    // authenticate: what to ask auth (secret: wipe after use)
    std::string mechanism;  // authenticate: what the client used, for the log
};

// What the SASL exchange of an AUTH command says next; implemented with lib/sasl by the driver,
// which this library does not know.
class SaslExchange {
  public:
    virtual ~SaslExchange() = default;
    enum class Next : unsigned char { challenge, ask, malformed };
    // The names of those that may be used, parted by spaces. `in_clear`: also such as give away
    // what others on the wire could use.
    virtual std::string mechanisms(bool in_clear) = 0;
    // Precondition: one of them.
    virtual Next begin(std::string_view mechanism, std::optional<std::string_view> initial) = 0;
    virtual Next on_response(std::string_view decoded) = 0;
    virtual std::string challenge() = 0;     // after Next::challenge, decoded
    virtual std::string take_message() = 0;  // after Next::ask
    virtual std::string make_plain(std::string_view user, std::string_view password) = 0;
};

class LoginSession {
  public:
    LoginSession(LoginOptions options, SaslExchange& sasl)
        : options_(std::move(options)), sasl_(sasl) {}

    LoginAction greet() const;
    // One line without CRLF.
    LoginAction on_line(std::string_view line);
    LoginAction on_line_too_long();
    std::size_t line_limit() const { return in_sasl_ ? kMaxSaslLine : kMaxCommandLine; }

    // TLS is up: RFC 2595 4: forget what was said before.
    void on_tls();
    // auth wants to hear more of the client; `challenge` before base64.
    LoginAction on_challenge(std::string_view challenge);
    // auth refused (or could not answer: temporary). Success has no answer here.
    LoginAction on_auth_failed(bool temporary);
    // auth said yes, but the user has too many sessions, or comes too soon after the last one.
    LoginAction on_refused(bool too_soon, std::string_view text);
    // auth said yes, but there is no worker to serve the user.
    LoginAction on_no_worker();

  private:
    LoginAction user(const Command& command);
    LoginAction pass(const Command& command);
    LoginAction auth(const Command& command);
    LoginAction stls();
    LoginAction capa() const;
    LoginAction on_sasl_line(std::string_view line);
    LoginAction advance(SaslExchange::Next next);
    LoginAction error(std::string_view text);
    bool in_clear() const { return secured_ || options_.plaintext_allowed; }
    bool offers(std::string_view mechanism, bool in_clear) const;

    LoginOptions options_;
    SaslExchange& sasl_;
    bool secured_ = false;
    bool in_sasl_ = false;
    std::string user_;
    std::string mechanism_;
    unsigned bad_commands_ = 0;
};

}  // namespace postern::pop3
