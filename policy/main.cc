// policy: answers smtpd's questions whether a client, sender, recipient or message may proceed.
#include "lib/service/service.h"

#include "policy/users.h"
#include "policy/worker.h"

namespace {

namespace config = postern::config;
namespace service = postern::service;
using postern::policy::MailUsers;
using postern::policy::PolicyWorker;

class Policy final : public service::Worker {
  public:
    Policy(const service::Context& context, config::MasterFile master)
        : users_(context.config.get(postern::param::auth_passwd_file), "private/auth"),
          worker_(context.config, std::move(master), &users_, nullptr) {}
    void serve(postern::ipc::Channel& channel) override { worker_.serve(channel); }

  private:
    MailUsers users_;
    PolicyWorker worker_;
};

postern::Result<std::unique_ptr<service::Worker>> make(const service::Context& context) {
    TRY_ASSIGN(auto master, config::master_of(context.snapshot));
    return std::unique_ptr<service::Worker>(std::make_unique<Policy>(context, std::move(master)));
}

}  // namespace

int main(int argc, char** argv) { return service::run_worker(argc, argv, make); }
