// CleanupService: all conversations on one loop, one Committer for all.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <unordered_map>

#include "lib/service/service.h"

#include "cleanup/conversation.h"
#include "cleanup/nudger.h"
#include "cleanup/options.h"

namespace postern::cleanup {

class CleanupService final : public service::LoopService {
  public:
    static Result<std::unique_ptr<service::LoopService>> create(
        const service::LoopContext& context);
    CleanupService(const service::LoopContext& context, const config::MasterFile& master,
                   std::optional<uid_t> network_uid, std::size_t session_limit);

    void on_connection(Fd socket) override;
    void drain() override;
    bool busy() const override { return committer_.outstanding() > 0; }
    std::size_t session_limit() const override { return session_limit_; }

  private:
    void ended(std::uint64_t number);
    void sweep();

    service::LoopContext context_;
    const Options options_;
    const std::optional<uid_t> network_uid_;  // whose submissions are from the network only
    const std::size_t session_limit_;
    Nudger nudger_;
    Committer committer_;
    ipc::Client rewrite_;
    content::TableRules rules_, milter_rules_;
    MilterCatalog milters_;
    Tools tools_;
    loop::Timer sweeper_;
    std::uint64_t last_number_ = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<Conversation>> conversations_;
};

}  // namespace postern::cleanup
