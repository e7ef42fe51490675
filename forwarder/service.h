// ForwarderService: many deliveries on one loop, sharing resolver and connections.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>

#include "lib/base/random.h"
#include "lib/dns/resolver.h"
#include "lib/ipc/client.h"
#include "lib/ipc/loop_channel.h"
#include "lib/service/service.h"

#include "forwarder/connection_pool.h"
#include "forwarder/delivery.h"

namespace postern::forwarder {

class ForwarderService final : public service::LoopService {
  public:
    static Result<std::unique_ptr<service::LoopService>> create(
        const service::LoopContext& context);
    ForwarderService(const service::LoopContext& context, Options options,
                     std::unique_ptr<dns::AsyncResolver> resolver);

    void on_connection(Fd socket) override;
    void drain() override;
    bool busy() const override { return pool_.size() > 0 || telling_ > 0; }
    std::size_t session_limit() const override { return 100; }

  private:
    // With qmgr: request and report, one after the other. A connection that breaks off before a
    // request changes nothing; one that breaks later is carried through all the same. Between two
    // requests it is no session: the process may end.
    struct Conversation {
        std::unique_ptr<ipc::LoopChannel> channel;  // null: qmgr is gone
        std::shared_ptr<Delivery> delivery;
        bool is_session = true;
    };

    void on_request(std::uint64_t number, ipc::Packet packet);
    void on_report(std::uint64_t number, const ipc::DeliverReport& report, const std::string& id);
    void on_hangup(std::uint64_t number);
    void end(std::uint64_t number);
    dns::AsyncResolver& wrapped_resolver();
    void tell_postmaster(const std::string& peer, const std::string& transcript);

    service::LoopContext context_;
    const Options options_;
    std::unique_ptr<dns::AsyncResolver> resolver_;
    // Around it, where main.cf wants that.
    table::Maps reply_filter_;
    std::unique_ptr<dns::AsyncResolver> filtered_, searching_;
    TlsPolicies tls_;
    Passwords passwords_;
    Outgoing outgoing_;
    TargetFinder finder_;
    ConnectionPool pool_;
    std::optional<TlsReports> reports_;
    Tools tools_;
    ipc::Client postmaster_;
    std::size_t telling_ = 0;
    std::unordered_map<std::uint64_t, Conversation> conversations_;
    std::uint64_t next_number_ = 0;
    std::size_t idle_ = 0;  // conversations between two requests
    bool draining_ = false;
};

}  // namespace postern::forwarder
