// POP3's login: the engine of lib/pop3 with the mechanisms of lib/sasl, behind login's interface.
#include "lib/pop3/login_session.h"

#include "lib/base/strings.h"

#include "login/login_engine.h"

namespace postern::login {
namespace {

// lib/pop3 and lib/sasl are on one layer and do not know each other; this joins them.
class Sasl final : public pop3::SaslExchange {
  public:
    Sasl(sasl::Mechanisms mechanisms, bool tls_required)
        : mechanisms_(std::move(mechanisms)), tls_required_(tls_required) {}

    std::string mechanisms(bool in_clear) override {
        if (tls_required_ && !in_clear) return {};
        std::string names;
        for (const auto name : mechanisms_.offered(in_clear, security_))
            names += cat({names.empty() ? "" : " ", name});
        return names;
    }
    Next begin(std::string_view mechanism, std::optional<std::string_view> initial) override {
        auto started = sasl::ServerExchange::start(mechanism);
        if (!started) return Next::malformed;
        exchange_.emplace(*std::move(started));
        return keep(exchange_->begin(initial));
    }
    Next on_response(std::string_view decoded) override {
        return exchange_ ? keep(exchange_->on_response(decoded)) : Next::malformed;
    }
    std::string challenge() override { return challenge_; }
    std::string take_message() override {
        question_ = exchange_->take_question();
        std::string message = std::move(question_.response);
        return message;
    }
    std::string make_plain(std::string_view user, std::string_view password) override {
        question_ = {"PLAIN", {}};
        return sasl::make_plain(user, password);
    }

    void secure(const sasl::Security& security) { security_ = security; }
    // What goes with the message that was taken or made last.
    sasl::ServerExchange::Question question(std::string message) const {
        auto question = question_;
        question.response = std::move(message);
        return question;
    }

  private:
    Next keep(sasl::ServerExchange::Step step) {
        challenge_ = std::move(step.challenge);
        switch (step.kind) {
            case sasl::ServerExchange::Step::Kind::challenge: return Next::challenge;
            case sasl::ServerExchange::Step::Kind::ask: return Next::ask;
            case sasl::ServerExchange::Step::Kind::malformed: break;
        }
        return Next::malformed;
    }

    sasl::Mechanisms mechanisms_;
    bool tls_required_;
    sasl::Security security_;
    std::optional<sasl::ServerExchange> exchange_;
    sasl::ServerExchange::Question question_;
    std::string challenge_;
};

class Pop3Login final : public LoginEngine {
  public:
    explicit Pop3Login(EngineOptions options)
        : sasl_(options.mechanisms, options.tls_required),
          session_({options.starttls_available, options.plaintext_allowed,
                    options.mechanisms.has_passwords(), std::move(options.greeting),
                    options.login_delay},
                   sasl_) {}

    Step greet() override { return to_step(session_.greet()); }
    std::optional<Step> feed(std::string_view& input) override {
        const auto line = lines_.cut(input, session_.line_limit());
        if (!line) return std::nullopt;
        return to_step(line->too_long ? session_.on_line_too_long() : session_.on_line(line->text));
    }
    void on_tls(const sasl::Security& security) override {
        sasl_.secure(security);
        session_.on_tls();
    }
    Step on_challenge(std::string_view challenge) override {
        return to_step(session_.on_challenge(challenge));
    }
    Step on_auth_failed(bool temporary) override {
        return to_step(session_.on_auth_failed(temporary));
    }
    Step on_refused(Refusal why, std::string_view text) override {
        return to_step(session_.on_refused(why == Refusal::too_soon, text));
    }
    Step on_no_worker() override { return to_step(session_.on_no_worker()); }
    std::string on_timeout() override { return "-ERR Disconnected for inactivity.\r\n"; }
    std::string on_shutdown() override {
        return "-ERR [SYS/TEMP] Server shutting down, try again.\r\n";
    }
    std::string on_dismissal() override {
        return "-ERR [SYS/TEMP] Disconnected by the administrator.\r\n";
    }
    std::string on_too_many_clients() override {
        return "-ERR [SYS/TEMP] Too many connections from your address.\r\n";
    }
    ipc::AuthProtocol protocol() const override { return ipc::AuthProtocol::pop3; }
    std::string tag() const override { return {}; }

  private:
    Step to_step(pop3::LoginAction action) const;

    Sasl sasl_;
    pop3::LoginSession session_;
    LineCutter lines_;
};

Step Pop3Login::to_step(pop3::LoginAction action) const {
    using Then = pop3::LoginAction::Then;
    Step step{std::move(action.reply)};
    switch (action.then) {
        case Then::go_on: break;
        case Then::start_tls: step.then = Step::Then::start_tls; break;
        case Then::close: step.then = Step::Then::close; break;
        case Then::authenticate:
            step.then = Step::Then::authenticate;
            step.question = sasl_.question(std::move(action.message));
            step.mechanism = std::move(action.mechanism);
    }
    return step;
}

}  // namespace

std::unique_ptr<LoginEngine> make_pop3_login(EngineOptions options) {
    return std::make_unique<Pop3Login>(std::move(options));
}

}  // namespace postern::login
