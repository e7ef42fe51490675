// QueueWhy: for each destination, what holds its mail: the replies that deferred it, back-off,
// hold, its turn. Pure: recipients in, text out. For qshape --why.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace postern::commands {

class QueueWhy {
  public:
    // What main.cf says about mail whose turn has not come.
    struct Limits {
        std::string concurrency;  // "20"
        std::string rate_delay;   // "0s": none
    };
    explicit QueueWhy(Limits limits) : limits_(std::move(limits)) {}

    // A recipient in a queue (as in mailq); reason: why it is deferred; next: when its message is
    // tried again.
    void add(std::string_view domain, std::string_view queue, std::string_view reason,
             std::optional<WallTime> next);
    // The destinations with the most recipients first.
    std::string text(WallTime now) const;

  private:
    struct Cause {
        std::uint64_t count = 0;
        std::optional<WallTime> soonest;
    };
    struct Destination {
        std::uint64_t count = 0;
        std::map<std::string, Cause> causes;
    };
    std::string line(const std::string& name, const Cause& cause, WallTime now) const;

    Limits limits_;
    std::map<std::string, Destination> destinations_;
};

// Replies that differ in numbers only (delays, addresses of a pool, queue ids) count as one.
std::string without_details(std::string_view reason);

}  // namespace postern::commands
