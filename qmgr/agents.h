// Agents: hands requests to the delivery agents and makes of whatever comes back (a report, half a
// report, none) one RecipientReport for every recipient.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/ipc/client.h"
#include "lib/ipc/messages/deliver.h"
#include "lib/loop/loop.h"

#include "qmgr/message.h"

namespace postern::qmgr {

struct DeliveryResult {
    Scheduler::Outcome outcome = Scheduler::Outcome::answered;
    Verdict reason;      // of an outcome other than answered
    bool silent = true;  // false: no agent has logged the recipients; the caller does
    std::vector<ipc::RecipientReport> reports;  // one for each recipient, in the request's order
};

// The request for these recipients of a message. Stops before they outgrow a packet: the request
// may name fewer than were asked for, at least one.
ipc::DeliverRequest make_request(const ActiveMessage& message, const std::string& transport,
                                 const std::string& next_hop,
                                 std::span<const std::uint32_t> recipients);

// What an answer means for the recipients that were asked for. Pure.
DeliveryResult judge(const ipc::DeliverRequest& request, const Result<ipc::DeliverReport>& answer);

class Agents {
  public:
    Agents(loop::Loop& loop, std::string directory, Millis timeout)
        : loop_(loop), directory_(std::move(directory)), timeout_(timeout) {}

    // `done` is called exactly once, never from inside deliver(). The descriptor is borrowed until then.
    void deliver(const ipc::DeliverRequest& request, int queue_file,
                 std::function<void(DeliveryResult)> done);

  private:
    ipc::Client& client_for(const std::string& transport);

    loop::Loop& loop_;
    std::string directory_;
    Millis timeout_;
    std::unordered_map<std::string, std::unique_ptr<ipc::Client>> clients_;
};

}  // namespace postern::qmgr
