// QmgrService: the queue manager as a daemon. Connections bring nudges from cleanup and orders from
// commands; everything else is the Manager's.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "lib/ipc/loop_channel.h"
#include "lib/service/service.h"

#include "qmgr/manager.h"

namespace postern::qmgr {

class QmgrService final : public service::LoopService {
  public:
    explicit QmgrService(const service::LoopContext& context);

    void on_connection(Fd socket) override;
    void on_wakeup() override;
    void drain() override;
    bool busy() const override { return !manager_.drained(); }

  private:
    struct Peer {
        bool may_change = false;  // hold, remove...: root and ourselves
        std::unique_ptr<ipc::LoopChannel> channel;
    };

    void on_packet(std::uint64_t number, const ipc::Packet& packet);
    void on_order(std::uint64_t number, const ipc::QueueControl& order);
    void reply(std::uint64_t number, const ipc::QueueControlAnswer& answer);
    void close(std::uint64_t number);

    service::LoopContext context_;
    Manager manager_;
    std::unordered_map<std::uint64_t, Peer> peers_;
    std::uint64_t next_peer_ = 1;
};

}  // namespace postern::qmgr
