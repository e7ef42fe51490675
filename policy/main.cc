// policy: answers smtpd's questions whether a client, sender, recipient or message may proceed.
#include "lib/base/strings.h"
#include "lib/dns/unbound_resolver.h"
#include "lib/service/service.h"

#include "policy/dns_names.h"
#include "policy/users.h"
#include "policy/verify_client.h"
#include "policy/worker.h"

namespace {

namespace config = postern::config;
namespace dns = postern::dns;
namespace service = postern::service;

postern::Result<std::unique_ptr<dns::BlockingResolver>> make_resolver(
    const config::Config& config) {
    dns::Options options;
    options.forwarders = config.get(postern::param::dns_forwarders);
    TRY_ASSIGN(auto resolver, dns::WorkerResolver::make(options));
    return std::unique_ptr<dns::BlockingResolver>(std::move(resolver));
}

class Policy final : public service::Worker {
  public:
    Policy(const service::Context& context, config::MasterFile master)
        : users_(context.config.get(postern::param::auth_passwd_file), "private/postern-auth"),
          names_([&config = context.config] { return make_resolver(config); }),
          verifier_(postern::cat(
              {"private/", context.config.get(postern::param::address_verify_service_name)})),
          worker_(context.config, std::move(master), &users_, &names_, &verifier_) {}
    Conversation serve(postern::ipc::Channel& channel) override { return worker_.serve(channel); }

  private:
    postern::policy::MailUsers users_;
    postern::policy::DnsNames names_;
    postern::policy::VerifyClient verifier_;
    postern::policy::PolicyWorker worker_;
};

postern::Result<std::unique_ptr<service::Worker>> make(const service::Context& context) {
    TRY_ASSIGN(auto master, config::load_master(context.config.directory()));
    return std::unique_ptr<service::Worker>(std::make_unique<Policy>(context, std::move(master)));
}

}  // namespace

int main(int argc, char** argv) { return service::run_worker(argc, argv, make); }
