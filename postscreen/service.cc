#include "postscreen/service.h"

#include "lib/base/strings.h"
#include "lib/dns/unbound_resolver.h"
#include "lib/log/log.h"

namespace postern::postscreen {
namespace {

constexpr Millis kWriteAfter{5000};

}  // namespace

Result<std::unique_ptr<service::LoopService>> PostscreenService::create(
    const service::LoopContext& context) {
    TRY_ASSIGN(Options options, Options::from(context.config, context.keys));
    TRY_ASSIGN(Cache cache, Cache::open(options.cache_map));
    dns::Options dns_options;
    dns_options.forwarders = options.forwarders;
    TRY_ASSIGN(auto resolver, dns::LoopResolver::make(context.loop, dns_options));
    return std::unique_ptr<service::LoopService>(std::make_unique<PostscreenService>(
        context, std::move(options), std::move(cache), std::move(resolver)));
}

PostscreenService::PostscreenService(const service::LoopContext& context, Options options,
                                     Cache cache, std::unique_ptr<dns::AsyncResolver> resolver)
    : context_(context),
      options_(std::move(options)),
      access_(options_),
      cache_(std::move(cache)),
      resolver_(std::move(resolver)),
      screen_{context.loop,
              options_,
              access_,
              cache_,
              *resolver_,
              [this] {
                  if (!writer_.active()) writer_.start(kWriteAfter);
              },
              {},
              0,
              0},
      writer_(context.loop, [this] { write_cache(); }),
      cleaner_(context.loop, [this] { clean_cache(); }) {
    if (options_.cache_cleanup > Seconds{0}) cleaner_.start(options_.cache_cleanup);
}

PostscreenService::~PostscreenService() { write_cache(); }

void PostscreenService::on_connection(Fd socket) {
    auto client = std::make_shared<Client>(screen_, std::move(socket), [this](Client* over) {
        // It is in the middle of a callback: it goes on the next turn.
        const auto found = clients_.find(over);
        if (found == clients_.end()) return;
        context_.loop.post([this, kept = std::move(found->second)]() mutable {
            kept.reset();
            context_.session_ended();
        });
        clients_.erase(found);
    });
    clients_.emplace(client.get(), client);
    client->start();
}

void PostscreenService::drain() {
    std::vector<std::shared_ptr<Client>> all;
    for (const auto& [raw, client] : clients_) all.push_back(client);
    for (const auto& client : all) client->drain();
    write_cache();
}

void PostscreenService::write_cache() {
    const auto written = cache_.write();
    if (!written) log::warning("", cat({"postscreen_cache_map: ", written.error().what}));
}

void PostscreenService::clean_cache() {
    const auto now =
        std::chrono::duration_cast<Seconds>(context_.loop.clock().now().time_since_epoch());
    const auto cleaned = cache_.clean((now - options_.cache_retention).count());
    if (!cleaned)
        log::warning("", cat({"postscreen_cache_map: ", cleaned.error().what}));
    else
        log::info("", cat({"cache ", options_.cache_map,
                           " full cleanup: retained=", std::to_string(cleaned->kept),
                           " dropped=", std::to_string(cleaned->removed), " entries"}));
    cleaner_.start(options_.cache_cleanup);
}

}  // namespace postern::postscreen
