#include "auth/exchange.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/log/log.h"
#include "lib/mail/saslprep.h"
#include "lib/sasl/password.h"
#include "lib/sasl/server_exchange.h"

namespace postern::auth {
namespace {

std::string_view name_of(ipc::AuthProtocol protocol) {
    switch (protocol) {
        case ipc::AuthProtocol::smtp: return "smtp";
        case ipc::AuthProtocol::imap: return "imap";
        case ipc::AuthProtocol::pop3: return "pop3";
    }
    return "unknown";
}

ipc::AuthAnswer answer_with(ipc::AuthOutcome outcome, const std::string& user,
                            const std::string& text) {
    ipc::AuthAnswer a;
    a.outcome = outcome;
    a.user = user.substr(0, ipc::kMaxUser);
    a.text = text.substr(0, ipc::kMaxText);
    return a;
}

// PLAIN (RFC 4616), which is also what smtpd and login make of LOGIN, of IMAP's command LOGIN and
// of USER and PASS.
class PlainExchange final : public Exchange {
  public:
    PlainExchange(Backend& backend, ipc::AuthRequest request)
        : Exchange(backend, std::move(request)) {}

  private:
    void on_message(std::string& message) override;
    void on_no_message() override { refuse({}, "malformed authentication message"); }
    void verify(std::string stored, const std::string& password, const std::string& name,
                bool known);
};

void PlainExchange::on_message(std::string& message) {
    auto credentials = sasl::parse_plain(message);
    if (!credentials) return refuse({}, "malformed authentication message");
    const crypto::WipeGuard password_guard(credentials->password);
    const std::string name = canonical(credentials->user);
    if (!is_self(credentials->authorization, name))
        return refuse(name, "acting as another user is not allowed");
    auto user = find(name);
    if (user.failed()) return defer(name, "user database: " + user.error().what.substr(0, 500));
    // Unknown users cost the same hash, so that time does not tell who exists.
    if (!user.found())
        return verify(std::string(sasl::dummy_password()), credentials->password, name, false);
    verify(user->password, credentials->password, user->name, true);
}

void PlainExchange::verify(std::string stored, const std::string& password, const std::string& name,
                           bool known) {
    backend_.pool.verify(std::move(stored), password,
                         [this, weak = weak_from_this(), name, known](Result<bool> fits) {
                             const auto self = weak.lock();
                             if (!self) return;
                             if (!fits) return defer(name, fits.error().what);
                             if (known && *fits) return admit(name);
                             refuse(name, std::string(known ? "password mismatch" : stranger_));
                         });
}

// EXTERNAL (RFC 4422 A): TLS has shown who the client is; it says at most whom it wants to be.
class ExternalExchange final : public Exchange {
  public:
    ExternalExchange(Backend& backend, ipc::AuthRequest request)
        : Exchange(backend, std::move(request)) {}

  private:
    void on_message(std::string& message) override;
};

void ExternalExchange::on_message(std::string& message) {
    const std::string name = prepared(request_.certificate_user);
    if (name.empty()) return refuse({}, "no client certificate that is trusted and names a user");
    if (!is_self(message, name)) return refuse(name, "acting as another user is not allowed");
    auto user = find(name);
    if (user.failed()) return defer(name, "user database: " + user.error().what.substr(0, 500));
    if (!user.found()) return refuse(name, std::string(stranger_));
    admit(user->name);
}

// A mechanism that we do not have: smtpd and login offer none such.
class NoExchange final : public Exchange {
  public:
    NoExchange(Backend& backend, ipc::AuthRequest request)
        : Exchange(backend, std::move(request)) {}

  private:
    void on_message(std::string&) override { refuse({}, "unsupported mechanism"); }
    void on_no_message() override { refuse({}, "unsupported mechanism"); }
};

}  // namespace

Exchange::Exchange(Backend& backend, ipc::AuthRequest request)
    : backend_(backend), request_(std::move(request)) {}

Exchange::~Exchange() { crypto::wipe(request_.response); }

std::shared_ptr<Exchange> Exchange::make(Backend& backend, ipc::AuthRequest request) {
    if (iequals(request.mechanism, "PLAIN"))
        return std::make_shared<PlainExchange>(backend, std::move(request));
    if (sasl::scram_kind(request.mechanism))
        return make_scram_exchange(backend, std::move(request));
    if (iequals(request.mechanism, "EXTERNAL"))
        return std::make_shared<ExternalExchange>(backend, std::move(request));
    if (iequals(request.mechanism, "OAUTHBEARER") || iequals(request.mechanism, "XOAUTH2"))
        return make_oauth_exchange(backend, std::move(request));
    return std::make_shared<NoExchange>(backend, std::move(request));
}

void Exchange::begin(Done done) {
    done_ = std::move(done);
    if (!request_.has_response) return on_no_message();
    std::string message = request_.response;
    const crypto::WipeGuard guard(message);
    crypto::wipe(request_.response);
    on_message(message);
}

void Exchange::respond(std::string response, Done done) {
    done_ = std::move(done);
    const crypto::WipeGuard guard(response);
    on_message(response);
}

// --- Answers

void Exchange::answer(ipc::AuthAnswer answer) {
    const Done done = std::move(done_);
    done_ = nullptr;
    if (done) done(std::move(answer));
}

void Exchange::challenge(std::string text, const std::string& user) {
    ipc::AuthAnswer a = answer_with(ipc::AuthOutcome::challenge, user, {});
    a.challenge = std::move(text);
    answer(std::move(a));
}

void Exchange::admit(const std::string& user) {
    log::debug(request_.session.str(), story(user) + ": authenticated");
    ipc::AuthAnswer a = answer_with(ipc::AuthOutcome::success, user, {});
    if (request_.protocol != ipc::AuthProtocol::smtp)
        a.token = backend_.tokens.mint(user, request_.session, request_.protocol);
    answer(std::move(a));
}

void Exchange::refuse(const std::string& user, const std::string& why) {
    log::info(request_.session.str(), cat({story(user), ": authentication failed: ", why}));
    answer(answer_with(ipc::AuthOutcome::failure, user, why));
}

void Exchange::defer(const std::string& user, const std::string& why) {
    log::warning(request_.session.str(), cat({story(user), ": ", why}));
    answer(answer_with(ipc::AuthOutcome::temporary, user, why));
}

std::string Exchange::story(const std::string& user) const {
    return cat({name_of(request_.protocol), ": ", request_.mechanism, " user=<",
                printable(user, 100), ">, client=[", printable(request_.client_address, 64), "]",
                request_.secured ? ", secured" : ""});
}

// --- Users and their names

Lookup<User> Exchange::find(const std::string& name) {
    auto user = backend_.users.find(name);
    if (!user.found() || user->networks.allow(request_.client_address)) return user;
    stranger_ = "the client is in none of the user's allow_nets";
    return NotFound{};
}

std::string Exchange::prepared(const std::string& name) {
    return mail::saslprep(name).value_or(name);
}

std::string Exchange::canonical(const std::string& name) const {
    std::string out = prepared(name);
    if (backend_.drops_domain) out.resize(std::min(out.find('@'), out.size()));
    return out;
}

bool Exchange::is_self(const std::string& authorization, const std::string& name) const {
    return authorization.empty() || iequals(prepared(authorization), name) ||
           iequals(canonical(authorization), name);
}

}  // namespace postern::auth
