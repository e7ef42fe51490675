#include "forwarder/passwords.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/crypto/digest.h"
#include "lib/service/key_files.h"

namespace postern::forwarder {
namespace {

class Authenticator final : public smtp::ClientAuthenticator {
  public:
    Authenticator(const SaslSettings& settings, Login login)
        : settings_(settings), login_(std::move(login)) {}

    Result<std::string> choose(const std::vector<std::string>& offered,
                               smtp::Protection protection) override {
        std::vector<std::string> allowed;
        for (const auto& word : offered) {
            if (passes(word)) allowed.push_back(word);
        }
        const auto& policy = protection == smtp::Protection::none        ? settings_.plain
                             : protection == smtp::Protection::encrypted ? settings_.secured
                                                                         : settings_.verified;
        TRY_ASSIGN(auto exchange,
                   sasl::ClientExchange::start(allowed, policy, std::move(login_.user),
                                               std::move(login_.password)));
        exchange_.emplace(std::move(exchange));
        return exchange_->mechanism();
    }
    std::optional<std::string> initial_response() override { return exchange_->initial_response(); }
    Result<std::string> respond(std::string_view challenge) override {
        return exchange_->respond(challenge);
    }

  private:
    // "plain, !gssapi, login": the first word that fits decides; an empty list lets all pass.
    bool passes(const std::string& mechanism) const {
        for (std::string_view word : settings_.mechanism_filter) {
            const bool negated = word.starts_with('!');
            if (negated) word.remove_prefix(1);
            if (iequals(word, mechanism) || iequals(word, "static:all")) return !negated;
        }
        return settings_.mechanism_filter.empty();
    }

    const SaslSettings settings_;
    Login login_;
    std::optional<sasl::ClientExchange> exchange_;
};

}  // namespace

Result<SaslSettings> SaslSettings::from(const config::Config& config, bool lmtp,
                                        const service::KeyFiles& keys) {
    SaslSettings s;
    s.enabled = config.get(lmtp ? param::lmtp_sasl_auth_enable : param::smtp_sasl_auth_enable);
    s.by_sender = config.get(lmtp ? param::lmtp_sender_dependent_authentication
                                  : param::smtp_sender_dependent_authentication);
    s.soft_bounce =
        config.get(lmtp ? param::lmtp_sasl_auth_soft_bounce : param::smtp_sasl_auth_soft_bounce);
    s.delimiter = config.get(lmtp ? param::lmtp_sasl_password_result_delimiter
                                  : param::smtp_sasl_password_result_delimiter);
    s.mechanism_filter =
        config.get(lmtp ? param::lmtp_sasl_mechanism_filter : param::smtp_sasl_mechanism_filter);
    TRY_ASSIGN(s.plain,
               sasl::ClientPolicy::parse(config.get(lmtp ? param::lmtp_sasl_security_options
                                                         : param::smtp_sasl_security_options)));
    TRY_ASSIGN(s.secured,
               sasl::ClientPolicy::parse(config.get(lmtp ? param::lmtp_sasl_tls_security_options
                                                         : param::smtp_sasl_tls_security_options)));
    TRY_ASSIGN(s.verified, sasl::ClientPolicy::parse(
                               config.get(lmtp ? param::lmtp_sasl_tls_verified_security_options
                                               : param::smtp_sasl_tls_verified_security_options)));
    s.plain.authzid = s.secured.authzid = s.verified.authzid =
        config.get(param::send_cyrus_sasl_authzid);
    if (!config.text(lmtp ? "lmtp_sasl_auth_cache_name" : "smtp_sasl_auth_cache_name").empty())
        s.remember_refusals =
            config.get(lmtp ? param::lmtp_sasl_auth_cache_time : param::smtp_sasl_auth_cache_time);
    if (!s.enabled) return s;
    s.password_maps = keys.readable_tables(
        config.get(lmtp ? param::lmtp_sasl_password_maps : param::smtp_sasl_password_maps));
    if (s.password_maps.empty()) {
        return Error{Errc::invalid,
                     cat({lmtp ? "lmtp" : "smtp", "_sasl_auth_enable is set, but not ",
                          lmtp ? "lmtp" : "smtp", "_sasl_password_maps"})};
    }
    return s;
}

Passwords::Passwords(SaslSettings settings)
    : settings_(std::move(settings)), maps_(table::Maps::open(settings_.password_maps)) {}

Lookup<Login> Passwords::find(const std::string& sender, const std::string& host,
                              const std::string& destination) {
    if (!settings_.enabled) return NotFound{};
    std::vector<std::string> keys;
    if (settings_.by_sender && !sender.empty()) {
        keys.push_back(sender);
        const std::size_t at = sender.rfind('@');
        if (at != std::string::npos) keys.push_back(sender.substr(at));
    }
    keys.push_back(host);
    keys.push_back(destination);
    for (const std::string& key : keys) {
        if (key.empty()) continue;
        auto found =
            maps_.find(key, key.front() == '@' ? table::KeyKind::part : table::KeyKind::whole);
        if (found.failed()) return std::move(found).error();
        if (!found.found()) continue;
        const std::size_t end = found->find(settings_.delimiter);
        if (settings_.delimiter.empty() || end == std::string::npos) return Login{*found, ""};
        return Login{found->substr(0, end), found->substr(end + settings_.delimiter.size())};
    }
    return NotFound{};
}

std::string Passwords::refusal_key(const std::string& host, const Login& login) const {
    if (settings_.remember_refusals == Millis{0}) return {};
    const std::string_view end("\0", 1);
    return crypto::digest(crypto::Digest::sha256,
                          cat({to_lower(host), end, login.user, end, login.password}));
}

void Passwords::note_refusal(const std::string& key, std::string status, std::string reply,
                             SteadyTime now) {
    constexpr std::size_t kMost = 1000;
    if (key.empty()) return;
    if (refusals_.size() >= kMost) refusals_.clear();
    refusals_[key] = {std::move(status), std::move(reply), now + settings_.remember_refusals};
}

const LoginRefusal* Passwords::known_refusal(const std::string& key, SteadyTime now) {
    const auto found = refusals_.find(key);
    if (key.empty() || found == refusals_.end()) return nullptr;
    if (now < found->second.until) return &found->second;
    refusals_.erase(found);
    return nullptr;
}

std::shared_ptr<smtp::ClientAuthenticator> Passwords::authenticator(Login login) const {
    return std::make_shared<Authenticator>(settings_, std::move(login));
}

}  // namespace postern::forwarder
