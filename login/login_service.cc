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
      ledger_(loop, options_.anvil_path, [this](const std::string& session) { dismiss(session); }),
      shared_{options_,
              loop,
              auth_,
              worker_,
              ledger_,
              SystemRandom::instance(),
              [this](LoggedIn client, bool dismissed) { link(std::move(client), dismissed); }},
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

// A session stays one of this process while a worker has it: it may come back, and anvil hears of its
// end from here. One that is relayed is one already.
void LoginService::link(LoggedIn client, bool dismissed) {
    const bool counts = !client.relayed;
    if (counts) session_began_();
    const auto on_change = [this](const ipc::SessionFacts& facts) { ledger_.note(facts); };
    const auto on_end = [this, counts](WorkerLink* ended) {
        const auto at = links_.find(ended);
        if (at == links_.end()) return;
        // It is at work further up on the stack: let go of it on the next turn.
        loop_.post([kept = std::move(at->second)] {});
        links_.erase(at);
        if (counts) session_ended_();
    };
    auto link = std::make_shared<WorkerLink>(loop_, worker_, wake_slots_, options_.handoff_timeout,
                                             std::move(client), on_change, on_end);
    links_.emplace(link.get(), link);
    link->start();
    if (dismissed) link->dismiss();
}

// An operator's wish, which is rare: no index is kept for it.
void LoginService::dismiss(const std::string& session) {
    const auto named = [&](const auto& entry) { return entry.first->id() == session; };
    if (const auto at = std::find_if(links_.begin(), links_.end(), named); at != links_.end())
        return std::shared_ptr(at->second)->dismiss();
    const auto at = std::find_if(sessions_.begin(), sessions_.end(), named);
    if (at != sessions_.end()) std::shared_ptr(at->second)->dismiss();
}

}  // namespace postern::login
