// PolicyWorker: the thin part. Takes questions from a channel, finds (or makes) the Engine of the
// asking service, answers.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "lib/config/config.h"
#include "lib/ipc/channel.h"
#include "lib/service/service.h"

#include "policy/client_rules.h"
#include "policy/engine.h"

namespace postern::policy {

class PolicyWorker {
  public:
    // Borrows all; `users`, `names` and `verifier` may be null.
    PolicyWorker(const config::Config& config, config::MasterFile master, UserDirectory* users,
                 Names* names, AddressVerifier* verifier = nullptr);

    // Answers one question. The conversation is over when the peer closes it or says something that
    // it may not.
    service::Worker::Conversation serve(ipc::Channel& channel);

  private:
    // The rules of one smtpd service.
    struct Service {
        std::unique_ptr<Engine> engine;
        std::unique_ptr<ClientRules> clients;  // when it has asked for them
    };
    Service& service_of(const std::string& name);
    Result<config::Config> config_of(const std::string& name) const;
    ClientRules* client_rules_of(const std::string& name);
    Result<void> answer(const ipc::Packet& packet, ipc::Channel& channel, const Deadline& deadline);

    const config::Config& config_;
    config::MasterFile master_;
    UserDirectory* users_;
    Names* names_;
    AddressVerifier* verifier_;
    std::map<std::string, Service, std::less<>> services_;
};

}  // namespace postern::policy
