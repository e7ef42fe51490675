// Passwords: what the client logs in with, by server or by sender (smtp_sasl_password_maps), and
// the mechanisms that it may use. Authenticator is the session's view of it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
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
    // How long a login that a server has refused is not tried again there; 0: it is.
    Millis remember_refusals{0};
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

// What a server said to a login that it refused.
struct LoginRefusal {
    std::string status, reply;
    SteadyTime until{};
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

    // smtp_sasl_auth_cache_name: servers lock accounts that fail too often. Remembered in this
    // process only. The key names a login at a server without telling the password.
    std::string refusal_key(const std::string& host, const Login& login) const;
    void note_refusal(const std::string& key, std::string status, std::string reply,
                      SteadyTime now);
    const LoginRefusal* known_refusal(const std::string& key, SteadyTime now);

  private:
    SaslSettings settings_;
    table::Maps maps_;
    std::map<std::string, LoginRefusal> refusals_;
};

}  // namespace postern::forwarder
