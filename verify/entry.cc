#include "verify/entry.h"

#include "lib/base/strings.h"

namespace postern::verify {
namespace {

constexpr std::int64_t kProbeWait = 1000;  // seconds, Postfix's

std::optional<std::string_view> take_field(std::string_view& rest) {
    const auto parts = split_once(rest, ':');
    if (!parts) return std::nullopt;
    rest = parts->second;
    return parts->first;
}

}  // namespace

std::optional<Entry> Entry::parse(std::string_view value) {
    const auto status = take_field(value);
    const auto probed = take_field(value);
    const auto updated = take_field(value);
    if (!updated) return std::nullopt;
    const auto number = parse_number<unsigned>(*status);
    const auto probed_at = parse_number<std::int64_t>(*probed);
    const auto updated_at = parse_number<std::int64_t>(*updated);
    if (!number || *number > static_cast<unsigned>(ipc::AddressStatus::kLast) || !probed_at ||
        !updated_at || *probed_at < 0 || *updated_at < 0)
        return std::nullopt;
    return Entry{static_cast<ipc::AddressStatus>(*number), *probed_at, *updated_at,
                 std::string(value)};
}

std::string Entry::format() const {
    return cat({std::to_string(static_cast<unsigned>(status)), ":", std::to_string(probed), ":",
                std::to_string(updated), ":", text});
}

bool Entry::expired(const Lifetimes& lifetimes, std::int64_t now) const {
    const Seconds limit = positive() ? lifetimes.positive_expire : lifetimes.negative_expire;
    return updated + limit.count() < now;
}

bool Entry::needs_refresh(const Lifetimes& lifetimes, std::int64_t now) const {
    const Seconds limit = positive() ? lifetimes.positive_refresh : lifetimes.negative_refresh;
    return updated + limit.count() < now;
}

// A clock that was set back makes no probe last for ever.
bool Entry::probe_under_way(std::int64_t now) const {
    return probed > 0 && probed <= now && now - probed < kProbeWait;
}

}  // namespace postern::verify
