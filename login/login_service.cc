#include "login/login_service.h"

#include <algorithm>

namespace postern::login {

Result<std::unique_ptr<service::LoopService>> LoginService::create(
    const service::LoopContext& context) {
    TRY_ASSIGN(auto options, read_options(context.config, context.service, context.keys));
    return std::unique_ptr<service::LoopService>(std::make_unique<LoginService>(
        context.loop, std::move(options), context.session_ended, context.session_began));
}

LoginService::LoginService(loop::Loop& loop, Options options, std::function<void()> session_ended,
                           std::function<void()> session_began)
    : loop_(loop),
      options_(std::move(options)),
      auth_(loop, options_.auth_path),
      worker_(loop, options_.worker_path),
      shared_{options_,
              loop,
              auth_,
              worker_,
              SystemRandom::instance(),
              [this](ipc::Handoff handoff, std::string about, Fd connection, bool relayed) {
                  link(std::move(handoff), std::move(about), std::move(connection), relayed);
              }},
      session_ended_(std::move(session_ended)),
      session_began_(std::move(session_began)) {}

void LoginService::on_connection(Fd socket) {
    auto session =
        std::make_shared<ClientSession>(shared_, std::move(socket), [this](ClientSession* ended) {
            const auto at = sessions_.find(ended);
            if (at == sessions_.end()) return;
            // It is at work further up on the stack: let go of it on the next turn.
            loop_.post([kept = std::move(at->second)] {});
            sessions_.erase(at);
            session_ended_();
        });
    sessions_.emplace(session.get(), session);
    session->start();
}

void LoginService::stop() {
    std::vector<std::shared_ptr<ClientSession>> all;
    for (const auto& [session, owner] : sessions_) all.push_back(owner);
    for (const auto& session : all) session->stop();
    std::vector<std::shared_ptr<WorkerLink>> links;
    for (const auto& [link, owner] : links_) links.push_back(owner);
    for (const auto& link : links) link->stop();
}

bool LoginService::busy() const {
    return std::any_of(links_.begin(), links_.end(), [this](const auto& entry) {
        return !draining_ || entry.second->has_client();
    });
}

// A client that sleeps is a session of this process (login_client_limit); one that is relayed is
// one already.
void LoginService::link(ipc::Handoff handoff, std::string about, Fd connection, bool relayed) {
    const auto on_sleep = [this, relayed](bool asleep) {
        if (!relayed) (asleep ? session_began_ : session_ended_)();
    };
    const auto on_end = [this](WorkerLink* ended) {
        const auto at = links_.find(ended);
        if (at == links_.end()) return;
        // It is at work further up on the stack: let go of it on the next turn.
        loop_.post([kept = std::move(at->second)] {});
        links_.erase(at);
    };
    auto link =
        std::make_shared<WorkerLink>(loop_, worker_, options_.handoff_timeout, std::move(handoff),
                                     std::move(about), on_sleep, on_end);
    links_.emplace(link.get(), link);
    link->start(std::move(connection));
}

}  // namespace postern::login
