#include "policy/worker.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::policy {
namespace {

constexpr Millis kPatience{100'000};  // for a peer's next question; peers close when they are done

}  // namespace

PolicyWorker::PolicyWorker(const config::Config& config, config::MasterFile master,
                           UserDirectory* users, Names* names)
    : config_(config), master_(std::move(master)), users_(users), names_(names) {}

// A service that master.cf does not list gets main.cf's settings. The names come from a peer, but
// only listed ones get an engine of their own, so their number is bounded.
Engine& PolicyWorker::engine_of(const std::string& service) {
    const auto* entry = master_.find(service, config::MasterEntry::Type::inet);
    if (entry == nullptr) entry = master_.find(service);
    auto& engine = engines_[entry == nullptr ? std::string() : service];
    if (engine) return *engine;
    auto own = config_.with(entry == nullptr ? config::Overrides{} : entry->overrides);
    if (!own) {
        log::warning("", cat({"master.cf entry ", service, ": ", own.error().what}));
        // Its own smtpd does not start with such options either; nothing is permitted meanwhile.
        Options broken;
        broken.relay_restrictions = "broken_master_cf_entry, reject";
        engine = std::make_unique<Engine>(std::move(broken), users_, names_);
    } else {
        engine = std::make_unique<Engine>(options_from(*own), users_, names_);
    }
    return *engine;
}

service::Worker::Conversation PolicyWorker::serve(ipc::Channel& channel) {
    using Conversation = service::Worker::Conversation;
    const auto deadline = Deadline::in(kPatience);
    auto question = channel.receive<ipc::PolicyQuestion>(deadline);
    if (!question) {
        if (question.error().code == Errc::invalid) log::warning("", question.error().what);
        return Conversation::over;
    }
    const auto answer = engine_of(question->service).answer(*question);
    if (auto sent = channel.send(answer, deadline); !sent) {
        log::warning("", sent.error().what);
        return Conversation::over;
    }
    return Conversation::goes_on;
}

}  // namespace postern::policy
