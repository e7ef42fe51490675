// Dispatcher: the parent of local (root). Takes a request from qmgr, asks the planner what its
// recipients stand for, and passes request and connection on to workers, which answer qmgr
// themselves. It reads typed messages of qmgr, of auth and of its own children, and no mail.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/verdict.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/quota.h"
#include "lib/service/profiles.h"

#include "local/accounts.h"
#include "local/messages.h"
#include "local/options.h"
#include "local/processes.h"

namespace postern::local {

struct Sockets {
    std::string auth = "private/postern-auth", cleanup = "public/cleanup", agents = "private";
    // Whoever has this uid (policy) may ask for quota, and not have mail delivered.
    std::optional<uid_t> asks_only = std::nullopt;
};

class Dispatcher {
  public:
    // `mail_owner`: who the planner and the forwarding worker run as.
    Dispatcher(Options options, service::Identity mail_owner, Sockets sockets);

    Dispatcher(const Dispatcher&) = delete;  // its parts refer to its options
    Dispatcher& operator=(const Dispatcher&) = delete;

    // One request. The connection is gone afterwards: answered, or in a worker's hands.
    void serve(ipc::Channel& connection);

  private:
    struct Work;
    Result<void> handle(ipc::Channel& connection);
    Result<void> answer_quota(const ipc::QuotaQuestion& question, ipc::Channel& connection);
    Result<void> take_place(const Place& place) const;
    void plan(const ipc::DeliverRequest& request, Work& work);
    // Accepted: a worker will see to it.
    Verdict place_one(const ipc::DeliverRequest& request, const ipc::DeliverRecipient& recipient,
                      Work& work);
    void probe_one(const ipc::DeliverRequest& request, const ipc::DeliverRecipient& recipient,
                   Work& work);
    void plan_one(const ipc::DeliverRequest& request, const ipc::DeliverRecipient& recipient,
                  Work& work);
    void add_mailbox(Work& work, const ipc::DeliverRequest& request,
                     const ipc::DeliverRecipient& recipient, const Place& place, Target target,
                     const std::string& sender);
    Result<Plan> ask_planner(const std::string& address);
    Verdict to_mailbox(Work& work, const ipc::DeliverRequest& request,
                       const ipc::DeliverRecipient& recipient, const Plan& plan);
    Verdict to_user(Work& work, const ipc::DeliverRequest& request,
                    const ipc::DeliverRecipient& recipient, const Plan& plan);
    Verdict to_nobody(Work& work, const ipc::DeliverRequest& request,
                      const ipc::DeliverRecipient& recipient, const Plan& plan);
    Verdict by_transport(Work& work, const ipc::DeliverRequest& request,
                         const ipc::DeliverRecipient& recipient, const Plan& plan,
                         const Account& account);
    static Verdict bad_transport(const ipc::DeliverRequest& request, std::string_view transport);
    void take_entry(Work& work, std::size_t job, ipc::RecipientReport entry, int file) const;
    void call_agent(Work& work, const ipc::DeliverRequest& request, int file) const;
    Verdict to_others(Work& work, const ipc::DeliverRequest& request,
                      const ipc::DeliverRecipient& recipient, const Plan& plan);
    Result<Place> rights_of(const Order& order) const;

    Result<void> hand_over(Work& work, std::size_t job, int file, int connection);
    static void defer_all(Work& work, std::size_t job);
    void join(Work& work, int file, ipc::Channel& connection);

    Result<ipc::Channel*> worker_for(const Work& work, std::size_t job);
    Processes::Body mailbox_body(const Place& place);
    Processes::Body runner_body(const Place& place);
    Processes::Body forward_body();
    void run_as(const Place& place, Fd jobs, Fd forwarding, bool has_mailboxes) const;
    void become_mail_owner() const;

    const Options options_;
    const service::Identity mail_owner_;
    const Sockets sockets_;
    Accounts accounts_;
    Processes processes_;
};

}  // namespace postern::local
