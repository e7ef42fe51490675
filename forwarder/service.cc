#include "forwarder/service.h"

namespace postern::forwarder {
namespace {

Result<std::optional<tls::ClientContext>> make_tls(const Options& options,
                                                   const config::Config& config) {
    if (options.tls == smtp::TlsLevel::none) return std::optional<tls::ClientContext>();
    tls::ClientOptions tls;
    tls.verify = false;  // RFC 7435: opportunistic; nobody said whose certificate to expect
    tls.trusted_ca_file = config.get(param::smtp_tls_CAfile);
    tls.trusted_ca_path = config.get(param::smtp_tls_CApath);
    TRY_ASSIGN(tls::ClientContext context, tls::ClientContext::make(tls));
    return std::optional<tls::ClientContext>(std::move(context));
}

}  // namespace

Result<std::unique_ptr<service::LoopService>> ForwarderService::create(
    const service::LoopContext& context) {
    // Started as "lmtp", or by a service of that name, the same program speaks LMTP.
    bool lmtp = context.program == "lmtp";
    TRY_ASSIGN(Options options, Options::from(context.config, lmtp));
    TRY_ASSIGN(auto tls_context, make_tls(options, context.config));
    TRY_ASSIGN(auto resolver, dns::LoopResolver::make(context.loop, options.resolver));
    return std::unique_ptr<service::LoopService>(std::make_unique<ForwarderService>(
        context, std::move(options), std::move(resolver), std::move(tls_context)));
}

ForwarderService::ForwarderService(const service::LoopContext& context, Options options,
                                   std::unique_ptr<dns::AsyncResolver> resolver,
                                   std::optional<tls::ClientContext> tls_context)
    : context_(context),
      options_(std::move(options)),
      resolver_(std::move(resolver)),
      tls_context_(std::move(tls_context)),
      finder_(context.loop, *resolver_, options_, SystemRandom::instance()),
      pool_(context.loop, options_, tls_context_ ? &*tls_context_ : nullptr),
      tools_{context.loop, options_, finder_, pool_} {}

void ForwarderService::on_connection(Fd socket) {
    auto delivery = std::make_unique<Delivery>(tools_, std::move(socket), [this](Delivery* over) {
        if (deliveries_.erase(over) > 0) context_.session_ended();
    });
    Delivery* key = delivery.get();
    deliveries_[key] = std::move(delivery);
}

}  // namespace postern::forwarder
