// The parts of a client's session that are about its being one of many: what anvil knows of it, and
// whether it, and its user, may have one more. See client_session.h.
#include "lib/base/client_range.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/log/log.h"

#include "login/client_session.h"

namespace postern::login {
namespace {

std::string number_of(std::size_t number) { return std::to_string(number); }

}  // namespace

void ClientSession::introduce() {
    const auto& limits = shared_.options.limits;
    const auto ip = peer_.is_inet() ? peer_.ip().unmapped() : *IpAddress::parse("127.0.0.1");
    limited_ = !limits.except(ip);
    facts_.session = id_;
    facts_.protocol = shared_.options.protocol;
    facts_.service = shared_.options.service;
    facts_.address = ip.str();
    facts_.port = peer_.is_inet() ? peer_.port() : 0;
    facts_.client = client_range(facts_.address, limits.v4_bits, limits.v6_bits);
    facts_.since = shared_.loop.clock().now();
    facts_.security = local_client_ ? ipc::SessionSecurity::local : ipc::SessionSecurity::none;
}

// --- The client

void ClientSession::admit() {
    if (!limited_ || !shared_.options.limits.of_clients()) {
        shared_.ledger.note(facts_);
        return begin();
    }
    waiting_ = true;
    // What it says before TLS has begun must not be read.
    if (shared_.options.wrapper_mode) stream_->pause_reading();
    shared_.ledger.ask(facts_, Seconds{0},
                       [weak = weak_from_this()](const Result<ipc::AdmissionAnswer>& answer) {
                           if (auto self = weak.lock()) self->on_admission(answer);
                       });
}

// Without an answer there is no limit.
void ClientSession::on_admission(const Result<ipc::AdmissionAnswer>& answer) {
    waiting_ = false;
    if (over_) return;
    if (!answer) log::warning(id_.str(), answer.error().what + ": this client is not limited");
    const bool refused = answer && is_one_too_many(*answer);
    if (shared_.options.wrapper_mode) stream_->resume_reading();
    if (refused) {
        const bool in_clear = !shared_.options.wrapper_mode;
        return say_farewell(in_clear ? engine_->on_too_many_clients() : "");
    }
    if (leaving_ != Leaving::no) return leave(leaving_);
    begin();
    if (!over_ && stream_ && !stream_->tls_started()) pump();
    if (stream_) stream_->flush();
}

bool ClientSession::is_one_too_many(const ipc::AdmissionAnswer& answer) {
    const auto& limits = shared_.options.limits;
    const struct {
        std::size_t number, limit;
        std::string_view what, parameter;
    } rules[] = {
        {answer.logging_in, limits.pending, "connections without a login",
         "login_client_pending_limit"},
        {answer.count, limits.connections, "connections", "login_client_connection_count_limit"},
        {answer.rate, limits.connection_rate, "connections in a unit of time",
         "login_client_connection_rate_limit"},
    };
    for (const auto& rule : rules) {
        if (rule.limit == 0 || rule.number <= rule.limit) continue;
        log::warning(id_.str(),
                     cat({"refused: ", number_of(rule.number), " ", rule.what, " from ",
                          facts_.client, ", ", rule.parameter, " = ", number_of(rule.limit),
                          " (service ", shared_.options.service, ")"}));
        return true;
    }
    return false;
}

// --- The user

void ClientSession::admit_user(const ipc::AuthAnswer& answer) {
    if (leaving_ == Leaving::dismissed) {
        waiting_ = false;
        return leave(leaving_);
    }
    facts_.user = user_;
    facts_.state = ipc::SessionState::active;
    if (stream_->secured()) facts_.security = ipc::SessionSecurity::tls;
    const auto& limits = shared_.options.limits;
    const bool pop3 = shared_.options.protocol == ipc::AuthProtocol::pop3;
    const Seconds delay = pop3 ? limits.pop3_login_delay : Seconds{0};
    const bool limited = limited_ && !admitted_ && (limits.of_user > 0 || delay > Seconds{0});
    if (!limited) return hand_off(answer);
    shared_.ledger.ask(facts_, delay,
                       [weak = weak_from_this(),
                        answer](const Result<ipc::AdmissionAnswer>& admission) {
                           if (auto self = weak.lock()) self->on_user_admission(answer, admission);
                       });
}

void ClientSession::on_user_admission(const ipc::AuthAnswer& answer,
                                      const Result<ipc::AdmissionAnswer>& admission) {
    if (over_) return;
    if (!admission)
        log::warning(id_.str(), admission.error().what + ": this user is not limited");
    const auto limit = shared_.options.limits.of_user;
    if (admission && admission->too_soon)
        return refuse_user(
            Refusal::too_soon,
            cat({"The last login was less than ",
                 number_of(static_cast<std::size_t>(
                     shared_.options.limits.pop3_login_delay.count())),
                 " seconds ago (pop3_login_delay)"}));
    if (admission && limit > 0 && admission->of_user > limit)
        return refuse_user(Refusal::too_many_sessions,
                           cat({"Maximum number of connections from user and address exceeded "
                                "(login_user_connection_count_limit = ",
                                number_of(limit), ")"}));
    admitted_ = true;
    hand_off(answer);
}

void ClientSession::refuse_user(Refusal why, const std::string& text) {
    log::info(id_.str(), cat({"login refused: ", text, ": ", facts()}));
    waiting_ = false;
    crypto::wipe(question_.response);
    facts_.user.clear();
    facts_.state = ipc::SessionState::logging_in;
    shared_.ledger.note(facts_);
    if (leaving_ != Leaving::no) return leave(leaving_);
    perform(engine_->on_refused(why, text));
    pump();
    if (stream_) stream_->flush();
}

}  // namespace postern::login
