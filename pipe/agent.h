// pipe: hands messages to foreign commands, as their user. The parent (root) reads qmgr's typed
// request and forks; the child becomes the user, runs the command with the message on its standard
// input, logs and reports.
#pragma once

#include <string>

#include "lib/base/verdict.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/deliver.h"
#include "lib/queue/agent_report.h"
#include "lib/service/service.h"
#include "lib/sys/fs.h"

#include "pipe/attributes.h"

namespace postern::pipe {

struct Options {
    std::string service;      // master.cf name: the relay in the log
    std::string delimiters;   // recipient_delimiter
    std::string environment;  // export_environment
    Millis time_limit{1'000'000};
    queue::VerdictFilter status_filter;  // pipe_delivery_status_filter
    Attributes attributes;
    // As whom; as an ordinary user: oneself.
    std::string user_name;
    uid_t uid = 0;
    gid_t gid = 0;
};
// Errors say what in master.cf or in the user database is wrong.
Result<Options> options_from(const service::Context& context);

class Agent final : public service::Worker {
  public:
    explicit Agent(Options options) : options_(std::move(options)) {}
    Conversation serve(ipc::Channel& channel) override {
        take_request(channel);
        return Conversation::over;
    }

    // Runs the command for all recipients of the request. Already as the user.
    ipc::DeliverReport deliver(sys::Fs& fs, const ipc::DeliverRequest& request, int file) const;

  private:
    void take_request(ipc::Channel& channel);
    void become_user_and_deliver(ipc::Channel& channel, const ipc::DeliverRequest& request,
                                 int file) const;
    Verdict run(sys::Fs& fs, const ipc::DeliverRequest& request, int file, WallTime started) const;
    std::string head(const ipc::DeliverRequest& request, WallTime started) const;

    const Options options_;
};

}  // namespace postern::pipe
