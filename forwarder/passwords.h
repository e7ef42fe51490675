// Passwords: what the client logs in with, by server or by sender (smtp_sasl_password_maps), and
// the mechanisms that it may use. Authenticator is the session's view of it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/lookup.h"
#include "lib/sasl/client_exchange.h"
#include "lib/smtp/client_session.h"
#include "lib/table/match_list.h"

namespace postern::config {
class Config;
}
namespace postern::service {
class KeyFiles;
}

namespace postern::forwarder {

struct SaslSettings {
    bool enabled = false;
    bool by_sender = false;  // smtp_sender_dependent_authentication
    bool soft_bounce = true;
    bool dummy_mail_auth = false;  // MAIL with AUTH=<>
    std::string password_maps, delimiter = ":";
    std::vector<std::string> mechanism_filter;
    // Without TLS, with it, and with it when the server has shown to be who it must be.
    sasl::ClientPolicy plain, secured, verified;

    static Result<SaslSettings> from(const config::Config& config, bool lmtp,
                                     const service::KeyFiles& keys);
};

struct Login {
    std::string user, password;
};

class Passwords {
  public:
    explicit Passwords(SaslSettings settings);

    // For mail of that sender, to that host, that was found for that destination ("[relay]:587").
    Lookup<Login> find(const std::string& sender, const std::string& host,
                       const std::string& destination);
    // Null when there is nothing to log in with. Shares this object.
    std::shared_ptr<smtp::ClientAuthenticator> authenticator(Login login) const;
    const SaslSettings& settings() const { return settings_; }

  private:
    SaslSettings settings_;
    table::Maps maps_;
};

}  // namespace postern::forwarder
