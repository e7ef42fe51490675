// IMAP until the user is known (the not authenticated state of RFC 3501 3.1): CAPABILITY, NOOP,
// LOGOUT, ID, STARTTLS, LOGIN, AUTHENTICATE with SASL-IR (RFC 4959). imapd answers the command that
// logs in.
#include <algorithm>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/imap/command_reader.h"
#include "lib/imap/parser.h"

#include "login/login_engine.h"

namespace postern::login {
namespace {

constexpr std::size_t kMaxLine = 16 * 1024;     // with an initial SASL response
constexpr std::size_t kMaxLiterals = 4 * 1024;  // user and password
constexpr unsigned kMaxBadCommands = 20;
constexpr std::string_view kPlaintextRefused =
    "NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.";

class ImapLogin final : public LoginEngine {
  public:
    explicit ImapLogin(EngineOptions options) : options_(std::move(options)) {}

    Step greet() override {
        return say(cat({"* OK [CAPABILITY ", capabilities(), "] ", options_.greeting}));
    }
    std::optional<Step> feed(std::string_view& input) override;
    void on_tls(const sasl::Security& security) override {
        secured_ = true;
        security_ = security;
        exchange_.reset();
        in_sasl_ = false;
        reader_ = imap::CommandReader(kLimits);
    }
    Step on_challenge(std::string_view challenge) override {
        in_sasl_ = true;
        return say("+ " + base64_encode(challenge));
    }
    Step on_auth_failed(bool temporary) override {
        exchange_.reset();
        // RFC 5530 3: the codes tell a client whether asking for another password would help.
        return bad_command(temporary ? "NO [UNAVAILABLE] Temporary authentication failure."
                                     : "NO [AUTHENTICATIONFAILED] Authentication failed.");
    }
    Step on_refused(Refusal, std::string_view text) override {
        return bad_command(cat({"NO [LIMIT] ", text}));  // RFC 9051 7.1
    }
    Step on_no_worker() override {
        return say(
            cat({tag_,
                 " NO [UNAVAILABLE] Internal error, try again later.\r\n* BYE Internal error."}),
            Step::Then::close);
    }
    std::string on_timeout() override { return "* BYE Disconnected for inactivity.\r\n"; }
    std::string on_shutdown() override { return "* BYE [UNAVAILABLE] Server shutting down.\r\n"; }
    std::string on_dismissal() override { return "* BYE Disconnected by the administrator.\r\n"; }
    std::string on_too_many_clients() override {
        return "* BYE [LIMIT] Too many connections from your address.\r\n";
    }
    ipc::AuthProtocol protocol() const override { return ipc::AuthProtocol::imap; }
    std::string tag() const override { return tag_; }

  private:
    static constexpr imap::ReaderLimits kLimits{kMaxLine, kMaxLiterals};

    static Step say(std::string_view text, Step::Then then = Step::Then::go_on) {
        return {cat({text, "\r\n"}), then};
    }
    Step tagged(std::string_view text, Step::Then then = Step::Then::go_on) {
        return say(cat({tag_, " ", text}), then);
    }
    Step bad_command(std::string_view text);
    std::string capabilities() const;
    bool in_clear() const { return secured_ || options_.plaintext_allowed; }
    std::vector<std::string_view> offered() const {
        if (options_.tls_required && !secured_) return {};
        return options_.mechanisms.offered(in_clear(), security_);
    }
    bool may_login() const { return in_clear() && options_.mechanisms.has_passwords(); }

    Step on_literal();
    Step on_command(std::string_view text);
    Step dispatch(std::string_view verb, imap::Parser& rest);
    Step starttls(imap::Parser& rest);
    Step login(imap::Parser& rest);
    Step authenticate(imap::Parser& rest);
    Step on_sasl_line(const LineCutter::Line& line);
    Step advance(sasl::ServerExchange::Step step);

    EngineOptions options_;
    imap::CommandReader reader_{kLimits};
    LineCutter lines_;
    std::optional<sasl::ServerExchange> exchange_;
    bool in_sasl_ = false;  // the client's next line is a SASL response
    std::string tag_ = "*";
    bool secured_ = false;
    sasl::Security security_;
    unsigned bad_commands_ = 0;
};

std::optional<Step> ImapLogin::feed(std::string_view& input) {
    if (in_sasl_) {
        const auto line = lines_.cut(input, kMaxLine);
        if (!line) return std::nullopt;
        return on_sasl_line(*line);
    }
    for (;;) {
        switch (reader_.feed(input)) {
            case imap::CommandReader::Event::need_more: return std::nullopt;
            case imap::CommandReader::Event::literal:
                if (Step step = on_literal(); !step.reply.empty()) return step;
                break;
            case imap::CommandReader::Event::complete: return on_command(reader_.text());
            case imap::CommandReader::Event::too_long:
                tag_ = imap::tag_or_star(reader_.text());
                return bad_command("BAD Command line too long.");
        }
    }
}

// An empty reply: go on reading.
Step ImapLogin::on_literal() {
    const auto literal = reader_.literal();
    if (reader_.fits(literal)) {
        reader_.keep_literal();
        return literal.waits ? say("+ OK") : Step{};
    }
    tag_ = imap::tag_or_star(reader_.text());
    reader_.refuse_literal();
    return bad_command("BAD Literal too long.");
}

Step ImapLogin::bad_command(std::string_view text) {
    Step step = tagged(text);
    if (++bad_commands_ < kMaxBadCommands) return step;
    step.reply += "* BYE Too many invalid commands.\r\n";
    step.then = Step::Then::close;
    return step;
}

std::string ImapLogin::capabilities() const {
    std::string text = "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID ENABLE IDLE";
    if (options_.starttls_available && !secured_) text += " STARTTLS";
    if (!may_login()) text += " LOGINDISABLED";
    for (const auto name : offered()) text += cat({" AUTH=", name});
    return text;
}

Step ImapLogin::on_command(std::string_view text) {
    imap::Parser parser(text);
    tag_ = imap::tag_or_star(text);
    const auto tag = parser.tag();
    if (!tag || !parser.space())
        return bad_command("BAD Error in IMAP command received by server.");
    const auto verb = parser.word();
    if (!verb) return bad_command("BAD Error in IMAP command received by server.");
    return dispatch(to_upper(*verb), parser);
}

Step ImapLogin::dispatch(std::string_view verb, imap::Parser& rest) {
    if (verb == "LOGIN") return login(rest);
    if (verb == "AUTHENTICATE") return authenticate(rest);
    if (verb == "STARTTLS") return starttls(rest);
    if (verb == "ID")
        return say(cat({"* ID (\"name\" \"Postern\")\r\n", tag_, " OK ID completed."}));
    if (verb == "CAPABILITY" || verb == "NOOP" || verb == "LOGOUT") {
        if (!rest.end()) return bad_command("BAD Too many arguments.");
        if (verb == "NOOP") return tagged("OK NOOP completed.");
        if (verb == "CAPABILITY")
            return say(
                cat({"* CAPABILITY ", capabilities(), "\r\n", tag_, " OK CAPABILITY completed."}));
        return say(cat({"* BYE Logging out\r\n", tag_, " OK Logout completed."}),
                   Step::Then::close);
    }
    return bad_command("BAD Unknown command, or log in first.");
}

Step ImapLogin::starttls(imap::Parser& rest) {
    if (!rest.end()) return bad_command("BAD Too many arguments.");
    if (secured_) return bad_command("BAD TLS is already active.");
    if (!options_.starttls_available) return bad_command("BAD TLS support isn't enabled.");
    return tagged("OK Begin TLS negotiation now.", Step::Then::start_tls);
}

Step ImapLogin::login(imap::Parser& rest) {
    if (!in_clear()) return bad_command(kPlaintextRefused);
    if (!may_login()) return bad_command("NO LOGIN is disabled; use AUTHENTICATE.");
    const auto arguments = [&]() -> Result<std::pair<std::string, std::string>> {
        TRY(rest.space());
        TRY_ASSIGN(std::string user, rest.astring());
        TRY(rest.space());
        TRY_ASSIGN(std::string password, rest.astring());
        TRY(rest.end());
        return std::pair(std::move(user), std::move(password));
    }();
    if (!arguments) return bad_command("BAD Error in IMAP command LOGIN: Invalid arguments.");
    Step step;
    step.then = Step::Then::authenticate;
    step.question = {"PLAIN", sasl::make_plain(arguments->first, arguments->second)};
    step.mechanism = "LOGIN";
    reader_.clear();
    // What PLAIN cannot carry (NUL) or no account has (an empty name) needs no question to auth.
    if (!sasl::parse_plain(step.question.response)) return on_auth_failed(false);
    return step;
}

Step ImapLogin::authenticate(imap::Parser& rest) {
    const auto space = rest.space();
    const auto mechanism = rest.atom();
    if (!space || !mechanism)
        return bad_command("BAD Error in IMAP command AUTHENTICATE: Invalid arguments.");
    auto exchange = sasl::ServerExchange::start(*mechanism);
    if (!exchange || !options_.mechanisms.offers(*mechanism, true, security_))
        return bad_command("NO Unsupported authentication mechanism.");
    const auto names = offered();
    if (std::find(names.begin(), names.end(), exchange->mechanism()) == names.end())
        return bad_command(kPlaintextRefused);
    std::optional<std::string> initial;
    if (!rest.at_end()) {
        // RFC 4959 3: "=" is an empty initial response.
        const std::string_view text = rest.eat(' ') ? rest.rest() : "!";
        initial = text == "=" ? std::string() : base64_decode(text);
        if (!initial) return bad_command("BAD Invalid base64 data in initial response.");
    }
    exchange_.emplace(*std::move(exchange));
    return advance(initial ? exchange_->begin(std::string_view(*initial))
                           : exchange_->begin(std::nullopt));
}

Step ImapLogin::on_sasl_line(const LineCutter::Line& line) {
    in_sasl_ = false;
    if (line.too_long || line.text == "*") {
        exchange_.reset();
        return bad_command(line.too_long ? "BAD Response too long."
                                         : "BAD Authentication aborted by client.");
    }
    const auto decoded = base64_decode(line.text);
    if (decoded) return advance(exchange_->on_response(*decoded));
    exchange_.reset();
    return bad_command("BAD Invalid base64 data in continued response.");
}

Step ImapLogin::advance(sasl::ServerExchange::Step step) {
    using Kind = sasl::ServerExchange::Step::Kind;
    reader_.clear();
    if (step.kind == Kind::challenge) return on_challenge(step.challenge);
    if (step.kind == Kind::malformed) return on_auth_failed(false);
    return {{}, Step::Then::authenticate, exchange_->take_question(), exchange_->mechanism()};
}

}  // namespace

std::unique_ptr<LoginEngine> make_imap_login(EngineOptions options) {
    return std::make_unique<ImapLogin>(std::move(options));
}

}  // namespace postern::login
