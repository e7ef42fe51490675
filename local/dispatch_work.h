// What the Dispatcher makes of one request: for its own files.
#pragma once

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "lib/base/clock.h"
#include "lib/ipc/messages/deliver.h"

#include "local/dispatcher.h"

namespace postern::local {

// For another delivery agent; the request names the transport.
struct AgentJob {
    ipc::DeliverRequest request;
};

inline std::string intention(const AgentJob&) { return {}; }  // it says for itself

// What one request comes to: recipients that are decided already, and jobs for workers.
struct Dispatcher::Work {
    struct Job {
        Place place;  // of a mailbox or runner job
        std::variant<MailboxJob, ForwardJob, RunnerJob, AgentJob> job;
    };
    ipc::DeliverReport decided;
    std::vector<Job> jobs;
    WallTime started{};

    // Whether somebody must speak to another delivery agent.
    bool needs_agents() const {
        return std::any_of(jobs.begin(), jobs.end(), [](const Job& one) {
            const auto* runner = std::get_if<RunnerJob>(&one.job);
            return std::holds_alternative<AgentJob>(one.job) ||
                   (runner != nullptr && !runner->targets.front().transport.empty());
        });
    }
};

}  // namespace postern::local
