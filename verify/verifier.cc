#include "verify/verifier.h"

#include <chrono>
#include <vector>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::verify {
namespace {

constexpr std::string_view kInProgress = "Address verification in progress";
// Postfix's key for the time of the last cleaning.
constexpr std::string_view kCleanedKey = "_LAST_CACHE_CLEANUP_COMPLETED_";

}  // namespace

std::int64_t Verifier::now() const {
    return std::chrono::duration_cast<Seconds>(clock_.now().time_since_epoch()).count();
}

// What cannot be read is asked about again.
Entry Verifier::find(const std::string& key, std::int64_t now) {
    const Entry nothing{ipc::AddressStatus::unknown, 0, 0, std::string(kInProgress)};
    auto found = cache_.get(key);
    if (found.failed()) log::warning("", found.error().what);
    if (!found.found()) return nothing;
    auto entry = Entry::parse(*found);
    if (!entry) {
        log::warning("", cat({"verify cache: bad entry for ", printable(key, 200)}));
        return nothing;
    }
    if (entry->status == ipc::AddressStatus::unknown || entry->expired(settings_.lifetimes, now))
        return {nothing.status, entry->probed, 0, nothing.text};
    return std::move(*entry);
}

bool Verifier::keep(const std::string& key, const Entry& entry) {
    auto kept = cache_.put(key, entry.format());
    if (!kept) log::warning("", kept.error().what);
    return kept.has_value();
}

ipc::VerifyAnswer Verifier::answer(const std::string& address) {
    const std::string key = to_lower(address);
    const std::int64_t moment = now();
    Entry entry = find(key, moment);
    ipc::VerifyAnswer answer{entry.status, entry.text};
    if (!entry.needs_refresh(settings_.lifetimes, moment) || entry.probe_under_way(moment))
        return answer;
    if (auto sent = probe_(address); !sent) {
        log::warning("",
                     cat({"address probe for ", printable(address, 200), ": ", sent.error().what}));
        return answer;
    }
    entry.probed = moment;
    keep(key, entry);
    return answer;
}

// One failed probe does not take away what is known to be good before that expires: it is asked
// about again. As long as some probes succeed, the address stays good.
bool Verifier::update(const ipc::VerifyUpdate& news) {
    if (news.status == ipc::AddressStatus::unknown || news.address.empty()) return false;
    const std::string key = to_lower(news.address);
    const std::int64_t moment = now();
    Entry fresh{news.status, 0, moment, printable(news.text, ipc::kMaxText)};
    if (!fresh.positive()) {
        if (!settings_.negative_cache) return true;
        if (find(key, moment).positive()) return true;
    }
    return keep(key, fresh);
}

void Verifier::clean() {
    const std::int64_t interval = settings_.cleanup_interval.count();
    if (interval <= 0) return;
    const std::int64_t moment = now();
    if (cleaned_ < 0) {
        auto last = cache_.get(kCleanedKey);
        cleaned_ = last.found() ? parse_number<std::int64_t>(*last).value_or(0) : 0;
    }
    if (cleaned_ <= moment && moment - cleaned_ < interval) return;
    cleaned_ = moment;
    std::vector<std::string> old;
    auto seen = cache_.each([&](std::string_view key, std::string_view value) {
        if (key == kCleanedKey) return;
        const auto entry = Entry::parse(value);
        const bool in_use = entry && (!entry->expired(settings_.lifetimes, moment) ||
                                      entry->probe_under_way(moment));
        if (!in_use) old.emplace_back(key);
    });
    if (seen && !old.empty()) seen = cache_.remove(old);
    if (seen) seen = cache_.put(kCleanedKey, std::to_string(moment));
    if (!seen) return log::warning("", cat({"cleaning the cache: ", seen.error().what}));
    if (!old.empty())
        log::info("",
                  cat({"verify cache: ", std::to_string(old.size()), " expired entries removed"}));
}

}  // namespace postern::verify
