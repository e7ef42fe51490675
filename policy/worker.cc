#include "policy/worker.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::policy {
namespace {

constexpr Millis kPatience{100'000};  // for a peer's next question; peers close when they are done

}  // namespace

PolicyWorker::PolicyWorker(const config::Config& config, config::MasterFile master,
                           UserDirectory* users, Names* names, AddressVerifier* verifier)
    : config_(config),
      master_(std::move(master)),
      users_(users),
      names_(names),
      verifier_(verifier) {}

// A service that master.cf does not list gets main.cf's settings. The names come from a peer, but
// only listed ones get rules of their own, so their number is bounded.
Result<config::Config> PolicyWorker::config_of(const std::string& name) const {
    const auto* entry = master_.find(name, config::MasterEntry::Type::inet);
    if (entry == nullptr) entry = master_.find(name);
    auto own = config_.with(entry == nullptr ? config::Overrides{} : entry->overrides);
    if (!own) log::warning("", cat({"master.cf entry ", name, ": ", own.error().what}));
    return own;
}

PolicyWorker::Service& PolicyWorker::service_of(const std::string& name) {
    auto& service = services_[master_.find(name) == nullptr ? std::string() : name];
    if (service.engine) return service;
    auto own = config_of(name);
    if (!own) {
        // Its own smtpd does not start with such options either; nothing is permitted meanwhile.
        Options broken;
        broken.relay_restrictions = "broken_master_cf_entry, reject";
        service.engine = std::make_unique<Engine>(std::move(broken), users_, names_, verifier_);
    } else {
        service.engine = std::make_unique<Engine>(options_from(*own), users_, names_, verifier_);
    }
    return service;
}

// Null where the service's options cannot be read.
ClientRules* PolicyWorker::client_rules_of(const std::string& name) {
    auto& service = service_of(name);
    if (!service.clients) {
        auto own = config_of(name);
        if (!own) return nullptr;
        service.clients = std::make_unique<ClientRules>(*own);
    }
    return service.clients.get();
}

Result<void> PolicyWorker::answer(const ipc::Packet& packet, ipc::Channel& channel,
                                  const Deadline& deadline) {
    if (packet.type() == ipc::ClientQuestion::kType) {
        TRY_ASSIGN(const auto question, packet.as<ipc::ClientQuestion>());
        ipc::ClientTraits unclear;
        unclear.failed = true;
        auto* rules = client_rules_of(question.service);
        return channel.send(rules ? rules->about(question) : unclear, deadline);
    }
    if (packet.type() == ipc::MapQuestion::kType) {
        TRY_ASSIGN(const auto question, packet.as<ipc::MapQuestion>());
        ipc::MapAnswer unclear;
        unclear.failed = true;
        auto* rules = client_rules_of(question.service);
        return channel.send(rules ? rules->find(question) : unclear, deadline);
    }
    TRY_ASSIGN(const auto question, packet.as<ipc::PolicyQuestion>());
    return channel.send(service_of(question.service).engine->answer(question), deadline);
}

service::Worker::Conversation PolicyWorker::serve(ipc::Channel& channel) {
    using Conversation = service::Worker::Conversation;
    const auto deadline = Deadline::in(kPatience);
    const auto packet = channel.receive_packet(deadline);
    if (!packet) {
        if (packet.error().code == Errc::invalid) log::warning("", packet.error().what);
        return Conversation::over;
    }
    if (packet->descriptor_count() != 0) {
        log::warning("", "message: descriptors not expected");
        return Conversation::over;
    }
    if (auto answered = answer(*packet, channel, deadline); !answered) {
        log::warning("", answered.error().what);
        return Conversation::over;
    }
    return Conversation::goes_on;
}

}  // namespace postern::policy
