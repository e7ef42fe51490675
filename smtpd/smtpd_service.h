// SmtpdService: the sessions of one smtpd process and what they share.
#pragma once

#include <memory>
#include <unordered_map>

#include "lib/base/random.h"
#include "lib/ipc/loop_channel.h"
#include "lib/service/service.h"

#include "smtpd/options.h"
#include "smtpd/session_driver.h"
#include "smtpd/upstream_proxy.h"

namespace postern::smtpd {

class SmtpdService : public service::LoopService {
  public:
    static Result<std::unique_ptr<service::LoopService>> create(
        const service::LoopContext& context);
    SmtpdService(loop::Loop& loop, Options options, std::function<void()> session_ended);

    void on_connection(Fd socket) override;
    void drain() override;
    std::size_t session_limit() const override { return options_.client_limit; }

  private:
    void dismiss(const std::string& session);
    void take_over(Fd socket);
    void ask_proxy(Fd socket);
    std::function<void(SessionDriver*)> ending();
    void add(std::shared_ptr<SessionDriver> driver);

    Options options_;
    ipc::Client policy_;
    ipc::Client auth_;
    ipc::Client names_;
    ipc::Client qmgr_;
    AnvilLink anvil_;
    ipc::SessionLedger ledger_;
    CleanupLinks cleanup_;
    Notices notices_;
    std::unique_ptr<DovecotAuth> dovecot_;
    Shared shared_;
    std::function<void()> session_ended_;
    loop::Loop& loop_;
    // Connections of postscreen, each of which brings one client.
    std::unordered_map<ipc::LoopChannel*, std::unique_ptr<ipc::LoopChannel>> bringers_;
    // Connections of which a proxy has not told yet who the client is.
    std::unordered_map<UpstreamProxy*, std::unique_ptr<UpstreamProxy>> proxied_;
    std::unordered_map<SessionDriver*, std::shared_ptr<SessionDriver>> sessions_;
};

}  // namespace postern::smtpd
