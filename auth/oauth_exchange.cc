// OAUTHBEARER (RFC 7628) and XOAUTH2: the client shows a token that somebody else gave it. What is
// wrong with one is told as a challenge; the failure follows when the client has heard it.
#include "auth/exchange.h"
#include "auth/token_checker.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/sasl/oauth.h"

namespace postern::auth {
namespace {

class OauthExchange final : public Exchange {
  public:
    OauthExchange(Backend& backend, ipc::AuthRequest request)
        : Exchange(backend, std::move(request)), older_(iequals(request_.mechanism, "XOAUTH2")) {}

  private:
    void on_message(std::string& message) override;
    void on_verdict(const std::string& wanted, const Result<sasl::TokenVerdict>& verdict);
    void let_in(const std::string& name);
    void reject(sasl::BearerError error, const std::string& user, const std::string& why);

    bool older_;
    bool told_ = false;
    std::string user_, why_;
};

void OauthExchange::on_message(std::string& message) {
    if (told_) return refuse(user_, why_);
    auto bearer = older_ ? sasl::parse_xoauth2(message) : sasl::parse_oauthbearer(message);
    if (!bearer) {
        using enum sasl::BearerError;
        const bool without = bearer.error().code == Errc::not_found;
        return reject(without ? invalid_token : invalid_request, {}, bearer.error().what);
    }
    const crypto::WipeGuard guard(bearer->token);
    backend_.token_checker.check(bearer->token, request_.session.str(),
                                 [this, weak = weak_from_this(), wanted = bearer->user](
                                     const Result<sasl::TokenVerdict>& verdict) {
                                     if (const auto self = weak.lock()) on_verdict(wanted, verdict);
                                 });
}

void OauthExchange::on_verdict(const std::string& wanted,
                               const Result<sasl::TokenVerdict>& verdict) {
    using enum sasl::BearerError;
    if (!verdict) return defer(wanted, verdict.error().what);
    if (!verdict->why.empty())
        return reject(verdict->scope ? insufficient_scope : invalid_token, wanted,
                      cat({"the token is not good: ", verdict->why}));
    const std::string name = prepared(verdict->user);
    if (!is_self(wanted, name))
        return reject(invalid_token, wanted,
                      cat({"the token is one of user ", printable(name, 100)}));
    let_in(name);
}

void OauthExchange::let_in(const std::string& name) {
    auto user = find(name);
    if (user.failed()) return defer(name, "user database: " + user.error().what.substr(0, 500));
    if (!user.found())
        return reject(sasl::BearerError::invalid_token, name, std::string(stranger_));
    admit(user->name);
}

void OauthExchange::reject(sasl::BearerError error, const std::string& user,
                           const std::string& why) {
    const auto& options = backend_.token_checker.options();
    const std::string scope = join(options.rules.scopes, " ");
    told_ = true;
    user_ = user;
    why_ = why;
    challenge(older_ ? sasl::xoauth2_error(scope)
                     : sasl::oauthbearer_error(error, scope, options.openid_configuration));
}

}  // namespace

std::shared_ptr<Exchange> make_oauth_exchange(Backend& backend, ipc::AuthRequest request) {
    return std::make_shared<OauthExchange>(backend, std::move(request));
}

}  // namespace postern::auth
