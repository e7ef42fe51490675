// LoginService: the sessions of one login process and what they share.
#pragma once

#include <memory>
#include <unordered_map>

#include "lib/service/service.h"

#include "login/client_session.h"
#include "login/options.h"
#include "login/worker_link.h"

namespace postern::login {

class LoginService final : public service::LoopService {
  public:
    static constexpr std::size_t kWakesAtOnce = 32;

    static Result<std::unique_ptr<service::LoopService>> create(
        const service::LoopContext& context);
    LoginService(loop::Loop& loop, Options options, std::function<void()> session_ended,
                 std::function<void()> session_began);

    void on_connection(Fd socket) override;
    // A reload leaves the sessions alone: who has not logged in may, or is timed out.
    void stop() override;
    std::size_t session_limit() const override { return options_.client_limit; }

    std::size_t sessions() const { return sessions_.size(); }
    std::size_t links() const { return links_.size(); }

  private:
    loop::Loop& loop_;
    Options options_;
    ipc::Client auth_;
    WakeSlots wake_slots_{kWakesAtOnce};
    ipc::Client worker_;
    ipc::SessionLedger ledger_;
    Shared shared_;
    std::function<void()> session_ended_, session_began_;
    void link(LoggedIn client, bool dismissed);
    void dismiss(const std::string& session);

    std::unordered_map<WorkerLink*, std::shared_ptr<WorkerLink>> links_;
    std::unordered_map<ClientSession*, std::shared_ptr<ClientSession>> sessions_;
};

}  // namespace postern::login
