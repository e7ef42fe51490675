// What tests of the scheduler share: limits, work and moments in few words.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "qmgr/scheduler.h"

namespace postern::qmgr {

inline SteadyTime at(int seconds) { return SteadyTime{Seconds{seconds}}; }

inline TransportLimits limits(unsigned concurrency, unsigned recipients = 50,
                              unsigned processes = 100) {
    TransportLimits result;
    result.concurrency = concurrency;
    result.recipients = recipients;
    result.processes = processes;
    return result;
}

inline Scheduler make(TransportLimits all) {
    return Scheduler([all](std::string_view) { return all; });
}

inline Work work(MessageKey message, std::uint32_t count, std::uint32_t first = 0) {
    Work result{message, {}};
    for (std::uint32_t i = 0; i < count; ++i) result.recipients.push_back(first + i);
    return result;
}

inline const Verdict kDown = Verdict::defer("4.4.1", "connect to a: Connection refused");

inline Work urgent(MessageKey message, std::uint32_t count, int priority) {
    Work result = work(message, count);
    result.priority = priority;
    return result;
}

}  // namespace postern::qmgr
