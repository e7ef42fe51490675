// The service, see smtpd_service.h.
#include "smtpd/smtpd_service.h"

#include <sys/socket.h>

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::smtpd {
namespace {

bool is_packet_socket(int fd) {
    int type = 0;
    socklen_t size = sizeof type;
    return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

}  // namespace

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
      ledger_(loop, options_.anvil_path, [this](const std::string& id) { dismiss(id); }),
      cleanup_(loop, options_.cleanup_path),
      notices_(cleanup_, options_.notices),
      dovecot_(options_.sasl_server
                   ? std::make_unique<DovecotAuth>(loop, options_.sasl_server->address,
                                                   options_.sasl_server->name)
                   : nullptr),
      shared_{options_, loop,   policy_,  auth_,          names_,
              qmgr_,    anvil_, ledger_, cleanup_, dovecot_.get(), SystemRandom::instance(),
              notices_},
      session_ended_(std::move(session_ended)),
      loop_(loop) {}

void SmtpdService::on_connection(Fd socket) {
    if (is_packet_socket(socket.get())) return take_over(std::move(socket));
    if (options_.upstream_proxy) return ask_proxy(std::move(socket));
    add(std::make_shared<SessionDriver>(shared_, std::move(socket), ending()));
}

void SmtpdService::ask_proxy(Fd socket) {
    const auto key = std::make_shared<UpstreamProxy*>(nullptr);
    auto proxy = std::make_unique<UpstreamProxy>(
        loop_, std::move(socket), options_.proxy_timeout,
        [this, key](Fd client, const std::optional<smtp::ProxyLine>& names) {
            // In the middle of its call: it goes on the next turn.
            const auto found = proxied_.find(*key);
            loop_.post([kept = std::shared_ptr<UpstreamProxy>(std::move(found->second))] {});
            proxied_.erase(found);
            if (!client) return session_ended_();
            auto driver = std::make_shared<SessionDriver>(shared_, std::move(client), ending());
            if (names) {
                ipc::Handoff handoff;
                handoff.client_address = names->client.str();
                handoff.client_port = names->client_port;
                handoff.server_address = names->server.str();
                handoff.server_port = names->server_port;
                driver->speaks_for(handoff);
            }
            add(std::move(driver));
        });
    *key = proxy.get();
    proxied_.emplace(proxy.get(), std::move(proxy));
}

// A service of type "pass": the connection is postscreen's, and has the client's with it.
void SmtpdService::take_over(Fd socket) {
    const auto key = std::make_shared<ipc::LoopChannel*>(nullptr);
    const auto forget = [this, key] {
        // In the middle of its callback: it goes on the next turn.
        const auto found = bringers_.find(*key);
        if (found == bringers_.end()) return false;
        loop_.post([kept = std::shared_ptr<ipc::LoopChannel>(std::move(found->second))] {});
        bringers_.erase(found);
        return true;
    };
    auto channel = std::make_unique<ipc::LoopChannel>(
        loop_, std::move(socket),
        ipc::LoopChannel::Handler{
            [this, forget](ipc::Packet packet) {
                if (!forget()) return;
                auto message = packet.as<ipc::Handoff>();
                const bool good = message && packet.descriptor_count() == 1;
                if (!good) {
                    log::warning("", cat({"pass service: ", message ? "no client came with it"
                                                                    : message.error().what}));
                    return session_ended_();
                }
                auto driver =
                    std::make_shared<SessionDriver>(shared_, packet.take_descriptor(), ending());
                driver->speaks_for(*message);
                add(std::move(driver));
            },
            [this, forget](const Error&) {
                if (forget()) session_ended_();
            }});
    *key = channel.get();
    bringers_.emplace(channel.get(), std::move(channel));
}

std::function<void(SessionDriver*)> SmtpdService::ending() {
    return [this](SessionDriver* session) {
        sessions_.erase(session);
        session_ended_();
    };
}

void SmtpdService::add(std::shared_ptr<SessionDriver> driver) {
    sessions_.emplace(driver.get(), driver);
    driver->start();
}

// An operator's wish, which is rare: no index is kept for it.
void SmtpdService::dismiss(const std::string& session) {
    const auto at = std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
        return entry.first->id() == session;
    });
    if (at != sessions_.end()) std::shared_ptr(at->second)->dismiss();
}

void SmtpdService::drain() {
    shared_.draining = true;
    policy_.drain();
    cleanup_.drain();
    for (auto& [session, owner] : sessions_) session->drain();
}

}  // namespace postern::smtpd
