#include "lib/base/ids.h"

#include <algorithm>
#include <cstdint>

#include "lib/base/strings.h"

namespace postern {
namespace {

// 52 characters in ASCII order, so that text order is number order: Postfix's alphabet for long ids.
constexpr std::string_view kDigits = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
constexpr std::uint64_t kBase = kDigits.size();

std::string encode(std::uint64_t number, std::size_t width) {
    std::string out(width, kDigits[0]);
    for (std::size_t i = width; i-- > 0; number /= kBase) out[i] = kDigits[number % kBase];
    return out;
}

std::uint64_t micros(const Clock& clock) {
    return static_cast<std::uint64_t>(clock.now().time_since_epoch().count());
}

}  // namespace

QueueId QueueId::make(const Clock& clock, Random& random) {
    // 52^10 microseconds last until the year 6553, 52^5 holds 24 bits with room.
    return QueueId(encode(micros(clock), 10) + encode(random.next() & 0xffffff, 5));
}

Result<QueueId> QueueId::parse(std::string_view text) {
    if (text.size() < kMinSize || text.size() > kMaxSize || !std::all_of(text.begin(), text.end(), is_alnum))
        return Error{Errc::invalid, cat({"queue id \"", printable(text, 40), "\": not a queue id"})};
    return QueueId(std::string(text));
}

SessionId SessionId::make(const Clock& clock, Random& random) {
    const std::uint64_t recent = micros(clock) / 1000 % (kBase * kBase * kBase * kBase * kBase * kBase);
    return SessionId(encode(recent, 6) + encode(random.next() % (1ULL << 34), 6));
}

Result<SessionId> SessionId::parse(std::string_view text) {
    if (text.size() != kSize || !std::all_of(text.begin(), text.end(), is_alnum))
        return Error{Errc::invalid, cat({"session id \"", printable(text, 40), "\": not a session id"})};
    return SessionId(std::string(text));
}

}  // namespace postern
