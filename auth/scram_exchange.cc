// SCRAM (RFC 5802): client's name, our salt, client's proof, our proof. The stored keys stay here.
// Whoever is unknown, or has a password that SCRAM cannot use, gets a salt that is always the same
// for that name, and is told at the end what all hear who do not know the password.
#include "auth/exchange.h"
#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/secret.h"
#include "lib/sasl/password.h"
#include "lib/sasl/scram.h"

namespace postern::auth {
namespace {

constexpr std::size_t kScramNonceSize = 18;

class ScramExchange final : public Exchange {
  public:
    ScramExchange(Backend& backend, sasl::ScramKind kind, ipc::AuthRequest request)
        : Exchange(backend, std::move(request)),
          kind_(kind),
          scram_(kind, {request_.tls_unique, request_.tls_exporter, request_.tls_server_end_point},
                 request_.binding_offered, base64_encode(backend.random.bytes(kScramNonceSize))) {}

  private:
    enum class Step : unsigned char { first, last, farewell };

    void on_message(std::string& message) override;
    void on_first(std::string_view message);
    void on_last(std::string_view message);
    void on_farewell(std::string_view message);
    void look_up(const std::string& name);
    void derive(std::optional<sasl::ScramSecret> stored, std::string password);
    std::string made_up(std::string_view purpose, const std::string& name) const;

    sasl::ScramKind kind_;
    sasl::ScramServer scram_;
    Step step_ = Step::first;
    std::string user_;
    std::string trouble_;  // why the proof cannot be right, for the log
};

void ScramExchange::on_message(std::string& message) {
    switch (step_) {
        case Step::first: return on_first(message);
        case Step::last: return on_last(message);
        case Step::farewell: return on_farewell(message);
    }
}

void ScramExchange::on_first(std::string_view message) {
    const auto first = scram_.first(message);
    if (!first) return refuse({}, first.error().what);
    const std::string name = canonical(first->user);
    if (!is_self(first->authorization, name))
        return refuse(name, "acting as another user is not allowed");
    look_up(name);
}

void ScramExchange::look_up(const std::string& name) {
    auto user = find(name);
    if (user.failed()) return defer(name, "user database: " + user.error().what.substr(0, 500));
    user_ = user.found() ? user->name : to_lower(name);
    if (!user.found()) {
        trouble_ = stranger_;
        return derive(std::nullopt, made_up("password", user_));
    }
    auto secret = sasl::stored_scram(user->password, kind_.digest);
    if (!secret) return defer(user_, secret.error().what);
    if (*secret) return derive(**std::move(secret), made_up("password", user_));
    if (const auto password = sasl::stored_plain(user->password))
        return derive(std::nullopt, std::string(*password));
    trouble_ = "the stored password is of another scheme than SCRAM can use";
    derive(std::nullopt, made_up("password", user_));
}

// Where the secret is there already it is derived all the same, of anything: what takes another
// time for some users tells who they are.
void ScramExchange::derive(std::optional<sasl::ScramSecret> stored, std::string password) {
    backend_.pool.derive(kind_.digest, made_up("salt", user_).substr(0, sasl::kScramSaltSize),
                         std::move(password),
                         [this, weak = weak_from_this(),
                          stored = std::move(stored)](Result<sasl::ScramSecret> derived) {
                             const auto self = weak.lock();
                             if (!self) return;
                             if (!derived) return defer(user_, derived.error().what);
                             step_ = Step::last;
                             challenge(scram_.challenge(stored ? *stored : *derived), user_);
                         });
}

void ScramExchange::on_last(std::string_view message) {
    auto proof = scram_.last(message);
    if (!proof && proof.error().code == Errc::denied)
        return refuse(user_, trouble_.empty() ? "password mismatch" : trouble_);
    if (!proof) return refuse(user_, proof.error().what);
    if (!trouble_.empty()) return refuse(user_, trouble_);
    // None of our protocols carries data with its success (RFC 4954 4, RFC 5034 4): our proof is a
    // challenge, which is answered with nothing.
    step_ = Step::farewell;
    challenge(*std::move(proof));
}

void ScramExchange::on_farewell(std::string_view message) {
    if (!message.empty()) return refuse(user_, "malformed SCRAM message: more after the end");
    admit(user_);
}

std::string ScramExchange::made_up(std::string_view purpose, const std::string& name) const {
    const std::string_view nul("\0", 1);
    return crypto::hmac(
        crypto::Digest::sha256, backend_.salt_key,
        cat({"SCRAM ", purpose, nul, std::to_string(static_cast<int>(kind_.digest)), nul, name}));
}

}  // namespace

std::shared_ptr<Exchange> make_scram_exchange(Backend& backend, ipc::AuthRequest request) {
    const auto kind = sasl::scram_kind(request.mechanism);
    return std::make_shared<ScramExchange>(backend, *kind, std::move(request));
}

}  // namespace postern::auth
