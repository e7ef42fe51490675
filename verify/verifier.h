// Verifier: answers whether an address takes mail, from the cache; sends a probe for what it does
// not know or has known for long; takes in what probes brought.
#pragma once

#include <functional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/ipc/messages/verify.h"
#include "lib/table/cache_file.h"

#include "verify/entry.h"

namespace postern::verify {

class Verifier {
  public:
    struct Settings {
        Lifetimes lifetimes;
        bool negative_cache = true;
        Seconds cleanup_interval{12 * 3600};  // 0: expired answers stay where they are
    };
    // Sends a probe to the address; an Error says why it could not.
    using Probe = std::function<Result<void>(const std::string& address)>;

    Verifier(table::CacheFile cache, Settings settings, Probe probe,
             const Clock& clock = SystemClock::instance())
        : cache_(std::move(cache)), settings_(settings), probe_(std::move(probe)), clock_(clock) {}

    ipc::VerifyAnswer answer(const std::string& address);
    // False when it could not be kept.
    bool update(const ipc::VerifyUpdate& news);
    // Removes what has expired, when it is time for that.
    void clean();
    bool in_memory() const { return cache_.in_memory(); }

  private:
    Entry find(const std::string& key, std::int64_t now);
    bool keep(const std::string& key, const Entry& entry);
    std::int64_t now() const;

    table::CacheFile cache_;
    Settings settings_;
    Probe probe_;
    const Clock& clock_;
    std::int64_t cleaned_ = -1;  // -1: the cache knows
};

}  // namespace postern::verify
