// LoginEngine: what login's driver sees of a protocol until the user is known: bytes in, steps out.
// Pure. Two implementations: imap_login.h and pop3_login.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/ipc/messages/auth.h"
#include "lib/sasl/mechanisms.h"
#include "lib/sasl/server_exchange.h"

namespace postern::login {

struct EngineOptions {
    bool starttls_available = false;
    bool plaintext_allowed = false;  // passwords without TLS
    std::string greeting = "Postern ready.";
    sasl::Mechanisms mechanisms = {};
    bool tls_required = false;  // nobody logs in without TLS, by whatever mechanism
    std::uint32_t login_delay = 0;  // POP3: seconds between two logins, announced
};

// Why somebody who has proved who he is may not log in now.
enum class Refusal : unsigned char { too_many_sessions, too_soon };

// What the driver does next: say `reply`, then ...
struct Step {
    enum class Then : unsigned char { go_on, start_tls, authenticate, close };
    std::string reply;
    Then then = Then::go_on;
    // authenticate: what to ask auth (secret: wiped by the driver), and the client's way, for the
    // log.
    sasl::ServerExchange::Question question = {};
    std::string mechanism = {};
};

class LoginEngine {
  public:
    virtual ~LoginEngine() = default;

    virtual Step greet() = 0;
    // Takes bytes off the front of input up to the next step; nothing when it needs more bytes.
    virtual std::optional<Step> feed(std::string_view& input) = 0;
    // TLS is up; what was said before is forgotten (RFC 3501 6.2.1, RFC 2595 4).
    virtual void on_tls(const sasl::Security& security) = 0;
    // auth wants to hear more of the client; `challenge` before base64.
    virtual Step on_challenge(std::string_view challenge) = 0;
    virtual Step on_auth_failed(bool temporary) = 0;
    virtual Step on_refused(Refusal why, std::string_view text) = 0;
    virtual Step on_no_worker() = 0;
    // Farewells that the client did not ask for.
    virtual std::string on_timeout() = 0;
    virtual std::string on_shutdown() = 0;
    virtual std::string on_dismissal() = 0;          // by an operator
    virtual std::string on_too_many_clients() = 0;  // from where it comes

    virtual ipc::AuthProtocol protocol() const = 0;
    virtual std::string tag()
        const = 0;  // IMAP: of the command that authenticates; the worker answers it
};

std::unique_ptr<LoginEngine> make_imap_login(EngineOptions options);
std::unique_ptr<LoginEngine> make_pop3_login(EngineOptions options);

// Cuts a line (without its end) off the front of input. Lines over the limit are dropped as they
// come and reported once, as too_long, when they end. Nothing: no whole line there yet.
class LineCutter {
  public:
    struct Line {
        std::string_view text;
        bool too_long = false;
    };
    std::optional<Line> cut(std::string_view& input, std::size_t limit);

  private:
    bool skipping_ = false;
};

}  // namespace postern::login
