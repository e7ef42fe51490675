// verify(8): remembers which addresses take mail, and sends probes to find out.
#include <memory>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

#include "verify/prober.h"
#include "verify/worker.h"

namespace postern::verify {
namespace {

Verifier::Settings settings_from(const config::Config& config) {
    const auto seconds = [](auto time) { return std::chrono::duration_cast<Seconds>(time); };
    Verifier::Settings settings;
    settings.lifetimes = {seconds(config.get(param::address_verify_positive_expire_time)),
                          seconds(config.get(param::address_verify_positive_refresh_time)),
                          seconds(config.get(param::address_verify_negative_expire_time)),
                          seconds(config.get(param::address_verify_negative_refresh_time))};
    settings.negative_cache = config.get(param::address_verify_negative_cache);
    settings.cleanup_interval = seconds(config.get(param::address_verify_cache_cleanup_interval));
    return settings;
}

Result<std::unique_ptr<service::Worker>> make(const service::Context& context) {
    const auto& config = context.config;
    TRY_ASSIGN(auto cache, table::CacheFile::open(config.get(param::address_verify_map)));
    if (!cache.set_aside().empty())
        log::warning("", cat({"the cache cannot be read and is begun anew; ", cache.set_aside(),
                              ".unreadable is the old one"}));
    const Prober prober({.cleanup = cat({"public/", config.get(param::cleanup_service_name)}),
                         .sender = config::VerifySender::from(config)});
    Verifier verifier(std::move(cache), settings_from(config),
                      [prober](const std::string& address) { return prober.probe(address); });
    return std::unique_ptr<service::Worker>(std::make_unique<VerifyWorker>(std::move(verifier)));
}

}  // namespace
}  // namespace postern::verify

int main(int argc, char** argv) {
    return postern::service::run_worker(argc, argv, postern::verify::make);
}
