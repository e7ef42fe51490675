// master <-> its children, on the descriptor each child is born with; and commands <-> master.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/limits.h"

namespace postern::ipc {

// A message without content where the event itself is the news (postdrop -> pickup).
struct Wakeup {
    static constexpr Type kType = Type::wakeup;

    void attributes(auto&) {}
};

// child -> master. `ready`: initialised, will take work. `all_busy`: this was the last idle process of
// the service; more work needs another one. `retired`: it has served its share and takes no more, but what it
// serves goes on: it counts like one that drains. The generation makes late news of dead children harmless.
enum class StatusEvent : std::uint8_t { ready, all_busy, retired, kLast = retired };

struct Status {
    static constexpr Type kType = Type::status;

    StatusEvent event = StatusEvent::ready;
    std::uint64_t generation = 0;

    void attributes(auto& io) {
        io.attr("event", event);
        io.attr("generation", generation);
    }
};

// master -> child. `drain`: take nothing new, finish, exit (reload). `stop`: the same, in a hurry.
enum class Order : std::uint8_t { wakeup, drain, stop, kLast = stop };

struct Control {
    static constexpr Type kType = Type::control;

    Order order = Order::wakeup;

    void attributes(auto& io) { io.attr("order", order); }
};

// A command asks master (private/master): what runs?
struct ListingRequest {
    static constexpr Type kType = Type::listing_request;

    void attributes(auto&) {}
};

struct ListedProcess {
    std::uint32_t pid = 0;
    std::uint32_t sessions = 0;
    std::uint64_t served = 0;  // connections since its start
    bool draining = false;

    void attributes(auto& io) {
        io.attr("pid", pid);
        io.attr("sessions", sessions);
        io.attr("served", served);
        io.attr("draining", draining);
    }
};

// One message per service, the last one with `last` set.
struct Listing {
    static constexpr Type kType = Type::listing;

    std::string service, type, program;
    std::vector<std::string> endpoints;  // "127.0.0.1:2525" as bound, or a path
    std::uint32_t limit = 0;             // processes; 0: none
    bool throttled = false;              // its processes fail at the start; tried again later
    std::vector<ListedProcess> processes;
    bool last = false;

    void attributes(auto& io) {
        io.attr("service", service, kMaxName);
        io.attr("type", type, 16);
        io.attr("program", program, kMaxName);
        io.attr("endpoints", endpoints, 64, kMaxPath);
        io.attr("limit", limit);
        io.attr("throttled", throttled);
        io.attr("processes", processes, 500);
        io.attr("last", last);
    }
};

}  // namespace postern::ipc
