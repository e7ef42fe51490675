// peername: finds the names of clients for smtpd, which has neither files nor name servers.
#include "lib/dns/unbound_resolver.h"
#include "lib/service/service.h"
#include "lib/sys/file.h"

#include "peername/service.h"

namespace postern::peername {
namespace {

constexpr std::size_t kMaxHostsFile = 4 << 20;
constexpr Millis kQuestionLimit{10'000};

class Service final : public service::LoopService {
  public:
    Service(const service::LoopContext& context, std::unique_ptr<dns::AsyncResolver> resolver,
            HostsFile hosts)
        : resolver_(std::move(resolver)),
          finder_(*resolver_, std::move(hosts), kQuestionLimit),
          conversations_(context.loop, finder_, context.session_ended) {}
    void on_connection(Fd socket) override { conversations_.serve(std::move(socket)); }
    std::size_t session_limit() const override { return Conversations::kMax; }

  private:
    std::unique_ptr<dns::AsyncResolver> resolver_;
    NameFinder finder_;
    Conversations conversations_;
};

Result<std::unique_ptr<service::LoopService>> make(const service::LoopContext& context) {
    dns::Options options;
    options.forwarders = context.config.get(param::dns_forwarders);
    TRY_ASSIGN(auto resolver, dns::LoopResolver::make(context.loop, options));
    auto hosts = sys::read_file(options.hosts, kMaxHostsFile);
    return std::unique_ptr<service::LoopService>(std::make_unique<Service>(
        context, std::move(resolver), HostsFile::parse(hosts ? *hosts : "")));
}

}  // namespace
}  // namespace postern::peername

int main(int argc, char** argv) {
    return postern::service::run_loop(argc, argv, postern::peername::make);
}
