#include "lib/config/verify_sender.h"

#include <algorithm>

#include "lib/base/strings.h"

#include "lib/config/config.h"

namespace postern::config {
namespace {

// No vowels: no words come out of it.
constexpr std::string_view kDigits = "0123456789BCDFGHJKLMNPQRSTVWXYZ";

std::string in_digits(std::uint64_t number) {
    std::string out;
    do {
        out += kDigits[number % kDigits.size()];
        number /= kDigits.size();
    } while (number > 0);
    std::reverse(out.begin(), out.end());
    return out;
}

std::int64_t seconds_of(WallTime now) {
    return std::chrono::duration_cast<Seconds>(now.time_since_epoch()).count();
}

}  // namespace

VerifySender::VerifySender(std::string_view base, std::string_view origin, Seconds ttl)
    : ttl_(ttl.count()) {
    if (base == "<>") base = {};
    const auto at = base.rfind('@');
    local_ = base.substr(0, at);
    domain_ = at == base.npos ? origin : base.substr(at + 1);
}

VerifySender VerifySender::from(const Config& config) {
    return {config.get(param::address_verify_sender), config.get(param::myorigin),
            std::chrono::duration_cast<Seconds>(config.get(param::address_verify_sender_ttl))};
}

std::string VerifySender::in_period(std::int64_t period) const {
    const std::string suffix =
        ttl_ > 0 ? in_digits(static_cast<std::uint64_t>(std::max<std::int64_t>(period, 0))) : "";
    return cat({local_, suffix, "@", domain_});
}

std::string VerifySender::at(WallTime now) const {
    if (local_.empty()) return {};
    return in_period(ttl_ > 0 ? seconds_of(now) / ttl_ : 0);
}

bool VerifySender::is_one(std::string_view address, WallTime now) const {
    if (local_.empty()) return false;
    if (ttl_ <= 0) return iequals(address, in_period(0));
    const std::int64_t period = seconds_of(now) / ttl_;
    for (const std::int64_t one : {period - 1, period, period + 1})
        if (iequals(address, in_period(one))) return true;
    return false;
}

}  // namespace postern::config
