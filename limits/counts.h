// Counts: how often each client of each service has done what, and the largest of these numbers
// since they were last told. Pure: the time comes with every call. A number of a client begins anew
// with a unit of time (anvil_rate_time_unit), as in Postfix, not with every event.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/clock.h"
#include "lib/ipc/messages/anvil.h"

namespace postern::limits {

class Counts {
  public:
    struct Options {
        Millis unit{60'000};             // anvil_rate_time_unit
        std::size_t max_idle = 100'000;  // clients without a session that are remembered
    };
    struct Moment {
        SteadyTime steady;
        WallTime wall;  // for the statistics
    };

    explicit Counts(Options options) : options_(options) {}

    // What is to be answered. `who` is "service:client".
    ipc::AnvilAnswer note(ipc::AnvilEvent event, const std::string& who, Moment now);

    // One more session (`began`), a new connection (`connects`): a session that somebody tells of
    // again, because we have begun anew, is the former only.
    ipc::AnvilAnswer note_session(const std::string& who, bool began, bool connects, Moment now);

    // "statistics: max connection rate 3/60s for (smtp:192.0.2.1) at Nov 22 10:00:00" and its kind,
    // in Postfix's order; then everything begins anew.
    std::vector<std::string> statistics();

    std::size_t size() const { return clients_.size(); }

  private:
    // What is counted, in the order of the statistics.
    enum What : unsigned char {
        connection_rate,
        sessions,
        messages,
        recipients,
        tls,
        auth,
        kWhats
    };
    struct Client {
        std::array<std::uint32_t, kWhats> numbers{};
        SteadyTime begun;
        std::list<std::string>::iterator idle;  // valid while it has no session
    };
    struct Record {
        std::uint32_t most = 0;
        std::string who;
        WallTime when{};
    };
    using Clients = std::unordered_map<std::string, Client>;

    static What what_of(ipc::AnvilEvent event);
    Client& find(const std::string& who, Moment now);
    void increment(Client& client, const std::string& who, What what, Moment now);
    void forget_idle(SteadyTime now);

    const Options options_;
    Clients clients_;
    std::list<std::string> idle_;  // those without a session, who was seen longest ago first
    std::array<Record, kWhats> records_;
    Record most_clients_;
};

}  // namespace postern::limits
