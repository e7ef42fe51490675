// ConnectionPool: owns every connection of the process, and keeps idle ones for the next message to
// the same destination or the same address (Postfix's on-demand connection cache, without its extra
// process).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/loop/loop.h"
#include "lib/tls/context.h"

#include "forwarder/connection.h"
#include "forwarder/server_rules.h"

namespace postern::forwarder {

class ConnectionPool {
  public:
    ConnectionPool(loop::Loop& loop, const Options& options);

    // A new one, not open yet. destination: next hop as written.
    Connection& make(const Target& target, ConnectionPlan plan, const std::string& destination);
    // An idle one with that key (ConnectionPlan): for a destination, or to an endpoint; null when
    // there is none. The caller has it until give_back().
    Connection* take_for_destination(std::string_view destination);
    Connection* take_for_endpoint(std::string_view endpoint);
    // The caller is through with it. With keep it stays open for others, if it is fit for that.
    void give_back(Connection& connection, bool keep);

    // Ends all idle connections; no new ones are kept.
    void drain();
    std::size_t size() const { return all_.size(); }
    std::size_t idle_count() const { return idle_.size(); }

    // What was said with a server that did not understand us, or we not it, when the session is
    // over (Options::tell_protocol).
    using OnTrouble = std::function<void(const std::string& peer, const std::string& transcript)>;
    void on_trouble(OnTrouble tell) { on_trouble_ = std::move(tell); }

  private:
    struct Entry {
        std::unique_ptr<Connection> connection;
        std::string destination;  // empty: not to be found by destination
        std::string endpoint;
    };
    Connection* take(std::string_view key, std::string Entry::*field);
    void over(Connection* connection);

    loop::Loop& loop_;
    const Options& options_;
    ServerRules rules_;
    std::unordered_map<Connection*, Entry> all_;
    std::vector<Connection*> idle_;  // latest last
    OnTrouble on_trouble_;
    bool draining_ = false;
};

}  // namespace postern::forwarder
