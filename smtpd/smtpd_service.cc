// The service, see smtpd_service.h.
#include "smtpd/smtpd_service.h"

namespace postern::smtpd {

Result<std::unique_ptr<service::LoopService>> SmtpdService::create(
    const service::LoopContext& context) {
    TRY_ASSIGN(auto options, read_options(context.config, context.service, context.keys));
    return std::unique_ptr<service::LoopService>(
        std::make_unique<SmtpdService>(context.loop, std::move(options), context.session_ended));
}

SmtpdService::SmtpdService(loop::Loop& loop, Options options, std::function<void()> session_ended)
    : options_(std::move(options)),
      policy_(loop, options_.policy_path, ipc::Client::Connections::kept),
      auth_(loop, options_.auth_path),
      names_(loop, options_.peername_path),
      qmgr_(loop, options_.qmgr_path),
      anvil_(loop, options_.anvil_path),
      cleanup_(loop, options_.cleanup_path),
      notices_(cleanup_, options_.notices),
      dovecot_(options_.sasl_server
                   ? std::make_unique<DovecotAuth>(loop, options_.sasl_server->address,
                                                   options_.sasl_server->name)
                   : nullptr),
      shared_{options_, loop,           policy_,
              auth_,    names_,         qmgr_,             anvil_,
              cleanup_, dovecot_.get(), SystemRandom::instance(),
              notices_},
      session_ended_(std::move(session_ended)) {}

void SmtpdService::on_connection(Fd socket) {
    auto driver =
        std::make_shared<SessionDriver>(shared_, std::move(socket), [this](SessionDriver* session) {
            sessions_.erase(session);
            session_ended_();
        });
    sessions_.emplace(driver.get(), driver);
    driver->start();
}

void SmtpdService::drain() {
    shared_.draining = true;
    policy_.drain();
    cleanup_.drain();
    for (auto& [session, owner] : sessions_) session->drain();
}

}  // namespace postern::smtpd
