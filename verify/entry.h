// Entry: what is known of one address, as the cache keeps it ("status:probed:updated:text",
// Postfix's form), and when it is old. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/ipc/messages/verify.h"

namespace postern::verify {

struct Lifetimes {
    Seconds positive_expire{31 * 86400}, positive_refresh{7 * 86400};
    Seconds negative_expire{3 * 86400}, negative_refresh{3 * 3600};
};

struct Entry {
    ipc::AddressStatus status = ipc::AddressStatus::unknown;
    std::int64_t probed = 0;   // when a probe was sent that has not come back; seconds, 0: none
    std::int64_t updated = 0;  // when the status became known; 0: never
    std::string text;

    // Nothing for what is no entry.
    static std::optional<Entry> parse(std::string_view value);
    std::string format() const;

    bool positive() const { return status == ipc::AddressStatus::deliverable; }
    // Not to be used any more.
    bool expired(const Lifetimes& lifetimes, std::int64_t now) const;
    // Still used, but asked about again.
    bool needs_refresh(const Lifetimes& lifetimes, std::int64_t now) const;
    // A probe was sent so lately that its answer may still come.
    bool probe_under_way(std::int64_t now) const;
};

}  // namespace postern::verify
