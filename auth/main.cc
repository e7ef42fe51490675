// auth: the only reader of the password data. Answers smtpd and login, grants identities to imapd
// and pop3d.
#include <unistd.h>

#include "auth/auth_service.h"
#include "lib/base/strings.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"
#include "lib/mail/saslprep.h"
#include "lib/sasl/passwd_file.h"
#include "lib/service/client_networks.h"
#include "lib/service/service.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"

namespace postern::auth {
namespace {

// Unknown users' salts must not change when known users' do not. "postern user" makes the file with
// the first SCRAM password; without it they stay the same until master ends.
std::string salt_key(const std::string& passwd_file, const std::string& resume_key) {
    constexpr std::size_t kMaxSaltFile = 1024;
    auto kept = sys::read_file(sasl::salt_key_file(passwd_file), kMaxSaltFile);
    if (kept && !kept->empty()) return *std::move(kept);
    if (!kept && kept.error().code != Errc::not_found) log::warning("", kept.error().what);
    return resume_key.empty() ? std::string()
                              : crypto::hmac(crypto::Digest::sha256, resume_key, "salts");
}

TokenOptions token_options(const config::Config& config) {
    TokenOptions options;
    options.rules.issuers = config.get(param::auth_oauth2_issuers);
    options.rules.audiences = config.get(param::auth_oauth2_audiences);
    options.rules.scopes = config.get(param::auth_oauth2_scopes);
    options.rules.username_attribute = config.get(param::auth_oauth2_username_attribute);
    options.keys = config.get(param::auth_oauth2_keys);
    options.introspects = !config.get(param::auth_oauth2_introspection_url).empty();
    options.openid_configuration = config.get(param::auth_oauth2_openid_configuration_url);
    // Twice the time of introspect, which may first have to start.
    options.introspect_timeout = config.get(param::auth_oauth2_timeout) * 2;
    return options;
}

Options options_from(const config::Config& config, const service::KeyFiles& keys) {
    Options options;
    options.users.passwd_file = config.get(param::auth_passwd_file);
    options.users.quota_rule = config.get(param::mailbox_quota_rule);
    options.users.mailbox_path = config.get(param::mailbox_path);
    options.users.inbox_file = config.get(param::mailbox_inbox_file);
    options.users.first_valid_uid = static_cast<std::uint32_t>(config.get(param::first_valid_uid));
    options.users.own_uid = ::geteuid();
    options.users.own_gid = ::getegid();
    options.drops_domain = config.get(param::auth_username_format).ends_with('n');
    options.bearer = token_options(config);
    options.workers = config.get(param::auth_worker_limit);
    options.failure_delay = config.get(param::auth_failure_delay);
    options.failures.longest = config.get(param::auth_failure_delay_limit);
    options.failures.memory = config.get(param::auth_failure_memory);
    options.failure_exceptions = service::networks_of(
        config.get(param::auth_failure_exceptions), "auth_failure_exceptions");
    options.v4_bits = static_cast<int>(config.get(param::smtpd_client_ipv4_prefix_length));
    options.v6_bits = static_cast<int>(config.get(param::smtpd_client_ipv6_prefix_length));
    options.token_lifetime = config.get(param::auth_token_lifetime);
    // Without it (an older master, before it was restarted) a reload ends hibernated sessions.
    options.resume_key = keys.find(service::kResumeKey);
    // Before this process may read nothing but its own files.
    if (const auto loaded = mail::load_saslprep(); !loaded)
        log::warning("", cat({"names and passwords beyond ASCII are compared as they are: ",
                              loaded.error().what}));
    options.salt_key = salt_key(options.users.passwd_file, options.resume_key);
    return options;
}

class Service final : public service::LoopService {
  public:
    explicit Service(const service::LoopContext& context)
        : auth_(context.loop, options_from(context.config, context.keys), SystemRandom::instance(),
                context.session_ended) {}

    void on_connection(Fd socket) override {
        // Tokens become identities for those only who can become users: root, or everybody's own
        // uid.
        const auto peer = sys::peer_credentials(socket.get());
        const bool may_redeem = peer && (peer->uid == 0 || peer->uid == ::geteuid());
        auth_.serve(std::move(socket), may_redeem);
    }
    std::size_t session_limit() const override { return AuthService::kMaxSessions; }
    // While tokens are out this process stays, though it has nothing to do. After a reload it has no
    // socket any more at which they could be presented: who comes to its successor with such a token
    // is refused, and login asks again.
    bool busy() const override { return !draining_ && auth_.busy(); }
    void drain() override { draining_ = true; }

  private:
    bool draining_ = false;
    AuthService auth_;
};

Result<std::unique_ptr<service::LoopService>> make(const service::LoopContext& context) {
    return std::unique_ptr<service::LoopService>(std::make_unique<Service>(context));
}

}  // namespace
}  // namespace postern::auth

int main(int argc, char** argv) {
    return postern::service::run_loop(argc, argv, postern::auth::make);
}
