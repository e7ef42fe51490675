// Delivery: one request of qmgr to its report: finds the hosts, tries them in turn over new or kept
// connections, logs each recipient's line.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/ipc/messages/deliver.h"
#include "lib/loop/loop.h"
#include "lib/queue/delivery_log.h"

#include "forwarder/attempts.h"
#include "forwarder/connection_pool.h"
#include "forwarder/target_finder.h"
#include "forwarder/tls_report.h"

namespace postern::forwarder {

// What all deliveries of the process share.
struct Tools {
    loop::Loop& loop;
    const Options& options;
    TargetFinder& finder;
    ConnectionPool& pool;
    TlsPolicies& tls;
    Passwords& passwords;
    Outgoing& outgoing;
    TlsReports* reports = nullptr;  // where main.cf wants them
};

class Delivery final : private Connection::User {
  public:
    // Called once, as the last thing that it does; must not destroy it.
    using OnReport = std::function<void(const ipc::DeliverReport&)>;

    // `file`: the queue file. Precondition: the request has recipients.
    Delivery(const Tools& tools, ipc::DeliverRequest request, Fd file, OnReport on_report);
    ~Delivery() override;
    void begin();

  private:
    Result<void> map_envelope();
    void look_up();
    bool wants_dane(const std::vector<NextHop>& hops);
    void on_targets(TargetsOrVerdict found);
    void next_target();
    enum class Tls : bool { as_planned, never };
    void try_target(const Target& target, Tls tls, bool may_reuse);
    void skip_target(const std::string& why);
    void tell_tls(const TlsPolicy& policy, TlsFailure failure, std::string_view why = {});
    void tell_refused_dane(const std::string& why);
    void tell_opened();
    void tell_failed(const smtp::RecipientOutcome& failure);
    Result<ConnectionPlan> plan_for(const Target& target, Tls tls);
    void use(Connection& connection);
    void on_ready() override;
    void on_failed() override;
    void on_finished() override;
    void transmit();
    std::unique_ptr<OutgoingFilter> filter() const;
    smtp::Forwarded origin() const;
    bool late_end() const;
    void log_kept_open(const std::vector<std::size_t>& tried) const;
    bool more_targets() const;
    void give_up(const Verdict& verdict);
    void proceed();
    void log_recipient(std::size_t i, const Decision& decision);
    void report();
    const std::string& id() const { return request_.queue_id.str(); }

    Tools tools_;
    ipc::DeliverRequest request_;
    Fd file_;
    OnReport on_report_;
    std::string sender_;                   // as the server is told
    std::vector<std::string> recipients_;  // the same, in the request's order
    std::string destination_;              // next hop, lower case
    std::string destination_key_;          // for the connection cache
    Attempts attempts_;
    std::shared_ptr<TargetFinder::Search> search_;
    std::vector<Target> targets_;
    std::size_t next_target_ = 0;
    std::size_t addresses_tried_ = 0;
    std::size_t sessions_tried_ = 0;
    Connection* connection_ = nullptr;
    std::optional<Target> current_;
    std::string tls_failure_, tls_rule_;  // the last one's words, and what of main.cf wanted TLS
    bool had_kept_ = false;               // present connection came from the pool
    bool looked_up_ = false;              // targets_ are known
    std::string answered_endpoint_;
    std::vector<std::size_t> tried_;
    queue::DeliveryTimes times_;
};

}  // namespace postern::forwarder
