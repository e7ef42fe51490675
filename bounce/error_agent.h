// The agents that deliver nowhere: error refuses, retry defers, discard swallows. The next hop is
// the reason, "5.7.1 text" or just "text".
#pragma once

#include <string_view>

#include "lib/base/verdict.h"
#include "lib/ipc/messages/deliver.h"
#include "lib/service/service.h"

namespace postern::bounce {

// What the agent of this kind ("error", "retry", "discard") says about every recipient. Pure.
Verdict verdict_of(std::string_view agent, std::string_view next_hop);

class ErrorAgent final : public service::Worker {
  public:
    explicit ErrorAgent(std::string kind) : kind_(std::move(kind)) {}
    Conversation serve(ipc::Channel& channel) override {
        take_request(channel);
        return Conversation::over;
    }

  private:
    void take_request(ipc::Channel& channel);
    ipc::DeliverReport deliver(const ipc::DeliverRequest& request) const;

    std::string kind_;
};

}  // namespace postern::bounce
