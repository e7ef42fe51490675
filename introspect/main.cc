// introspect: asks an authorization server about tokens, for auth, which has no network.
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

#include "introspect/introspector.h"

namespace postern::introspect {
namespace {

Result<Options> options_from(const service::Context& context) {
    const auto& config = context.config;
    Options options;
    auto url = net::parse_url(config.get(param::auth_oauth2_introspection_url));
    if (!url) return std::move(url).error().within("auth_oauth2_introspection_url");
    options.url = *std::move(url);
    const auto mode = config.get(param::auth_oauth2_introspection_mode);
    options.mode = mode == "auth" ? Mode::auth : mode == "get" ? Mode::get : Mode::post;
    options.client_id = config.get(param::auth_oauth2_client_id);
    options.timeout = config.get(param::auth_oauth2_timeout);
    const auto secret_file = config.get(param::auth_oauth2_client_secret_file);
    if (secret_file.empty()) return options;
    auto secret = context.keys.read(secret_file);
    if (!secret) return std::move(secret).error().within("auth_oauth2_client_secret_file");
    options.client_secret = trim(*secret);
    return options;
}

class IntrospectWorker final : public service::Worker {
  public:
    IntrospectWorker(Options options, tls::ClientContext context)
        : options_(std::move(options)), context_(std::move(context)) {}
    Conversation serve(ipc::Channel& channel) override {
        auto question = channel.receive<ipc::TokenQuestion>(Deadline::in(Seconds{10}));
        if (!question) return Conversation::over;
        const auto answer = introspect(options_, context_, question->token);
        crypto::wipe(question->token);
        if (!answer.error.empty()) log::warning("", cat({"introspection: ", answer.error}));
        if (const auto sent = channel.send(answer, Deadline::in(Seconds{10})); !sent)
            log::debug("", sent.error().what);  // auth did not wait so long
        return Conversation::over;
    }

  private:
    Options options_;
    tls::ClientContext context_;
};

Result<std::unique_ptr<service::Worker>> make(const service::Context& context) {
    TRY_ASSIGN(auto options, options_from(context));
    tls::ClientOptions tls;
    tls.verify = true;
    tls.trusted_ca_file = context.config.get(param::auth_oauth2_tls_CAfile);
    TRY_ASSIGN(auto client, tls::ClientContext::make(tls));
    return std::unique_ptr<service::Worker>(
        std::make_unique<IntrospectWorker>(std::move(options), std::move(client)));
}

}  // namespace
}  // namespace postern::introspect

int main(int argc, char** argv) {
    return postern::service::run_worker(argc, argv, postern::introspect::make);
}
