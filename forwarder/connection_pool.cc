#include "forwarder/connection_pool.h"

#include <algorithm>

#include "lib/base/check.h"

namespace postern::forwarder {

ConnectionPool::ConnectionPool(loop::Loop& loop, const Options& options)
    : loop_(loop),
      options_(options),
      rules_(options.ignored_extension_maps, options.reply_filter, options.pix_maps) {}

Connection& ConnectionPool::make(const Target& target, ConnectionPlan plan,
                                 const std::string& destination) {
    smtp::ClientOptions session;
    session.lmtp = options_.lmtp;
    session.helo_name = options_.helo_name;
    session.tls = plan.tls.level;
    session.tls_from_start = options_.tls_wrapper;
    session.authenticator = plan.authenticator;
    session.auth_soft_bounce = options_.sasl.soft_bounce;
    session.ignored_extensions = options_.ignored_extensions;
    if (auto words = rules_.ignored_extensions(target.address.str()))
        session.ignored_extensions = std::move(*words);
    if (rules_.filters_replies()) {
        session.reply_filter = [this, server = target.endpoint()](std::string_view line) {
            return rules_.filtered(line, server);
        };
    }
    session.always_ehlo = options_.always_ehlo;
    session.never_ehlo = options_.never_ehlo;
    session.pix = rules_.pix_workarounds(target.address.str()).value_or(options_.pix);
    session.probe_at_data = options_.probe_at_data;
    session.dummy_mail_auth = options_.sasl.enabled && options_.sasl.dummy_mail_auth;
    session.block_early_reply = options_.tls_block_early_reply;
    session.skip_5xx_greeting = options_.skip_5xx_greeting;
    session.skip_quit_response = options_.skip_quit_response;
    session.destination = destination;
    // On another port than SMTP's a server of our own may well be the destination.
    if (!options_.lmtp && target.port == 25) session.own_name = options_.own_name;
    Entry entry{nullptr, target.best ? plan.destination_key : std::string(), plan.endpoint_key};
    entry.connection =
        std::make_unique<Connection>(loop_, options_, std::move(plan), target, std::move(session),
                                     [this](Connection* gone) { over(gone); });
    Connection& made = *entry.connection;
    all_[&made] = std::move(entry);
    return made;
}

Connection* ConnectionPool::take_for_destination(std::string_view destination) {
    return take(destination, &Entry::destination);
}

Connection* ConnectionPool::take_for_endpoint(std::string_view endpoint) {
    return take(endpoint, &Entry::endpoint);
}

Connection* ConnectionPool::take(std::string_view key, std::string Entry::*field) {
    if (key.empty()) return nullptr;
    // The one used last is the least likely to have been closed meanwhile.
    for (std::size_t i = idle_.size(); i-- > 0;) {
        Connection* connection = idle_[i];
        if (!connection->usable() || all_.at(connection).*field != key) continue;
        idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
        return connection;
    }
    return nullptr;
}

void ConnectionPool::give_back(Connection& connection, bool keep) {
    if (!keep || draining_ || !options_.cache || !connection.usable() ||
        connection.open_long_enough()) {
        return connection.leave();
    }
    if (idle_.size() >= options_.cache_size) {
        Connection* oldest = idle_.front();
        idle_.erase(idle_.begin());
        oldest->leave();
    }
    idle_.push_back(&connection);
    connection.idle(options_.cache_time);
}

void ConnectionPool::drain() {
    draining_ = true;
    for (Connection* connection : std::exchange(idle_, {})) connection->leave();
}

void ConnectionPool::over(Connection* connection) {
    const smtp::ClientSession& session = connection->session();
    if (options_.tell_protocol && session.protocol_trouble() && on_trouble_)
        on_trouble_(session.peer().with_port(), connection->transcript().text());
    std::erase(idle_, connection);
    all_.erase(connection);
}

}  // namespace postern::forwarder
