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
    static Result<std::unique_ptr<service::LoopService>> create(
        const service::LoopContext& context);
    LoginService(loop::Loop& loop, Options options, std::function<void()> session_ended,
                 std::function<void()> session_began);

    void on_connection(Fd socket) override;
    // A reload leaves the sessions alone: who has not logged in may, or is timed out.
    void stop() override;
    std::size_t session_limit() const override { return options_.client_limit; }
    // Clients that workers have may come back as long as this process would go on anyway; those
    // that sleep here keep it, after a reload too.
    bool busy() const override;
    void drain() override { draining_ = true; }

    std::size_t sessions() const { return sessions_.size(); }

  private:
    loop::Loop& loop_;
    Options options_;
    ipc::Client auth_;
    ipc::Client worker_;
    Shared shared_;
    std::function<void()> session_ended_, session_began_;
    void link(ipc::Handoff handoff, std::string about, Fd connection, bool relayed);

    bool draining_ = false;
    std::unordered_map<WorkerLink*, std::shared_ptr<WorkerLink>> links_;
    std::unordered_map<ClientSession*, std::shared_ptr<ClientSession>> sessions_;
};

}  // namespace postern::login
