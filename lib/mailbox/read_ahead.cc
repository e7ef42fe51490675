#include "lib/mailbox/read_ahead.h"

#include <algorithm>

namespace postern::mailbox {
namespace {

constexpr std::uint32_t kEnough = 3;  // in order: who opens a message or two wants no more
constexpr std::uint32_t kAhead = 32;  // 64 are no quicker

}  // namespace

std::uint32_t ReadAhead::after(std::uint32_t seq, bool from_disk, std::uint32_t count) {
    in_order_ = seq == last_ + 1 ? in_order_ + 1 : 0;
    last_ = seq;
    if (!from_disk || in_order_ < kEnough) return 0;
    return seq + std::min(kAhead, count - std::min(count, seq));
}

}  // namespace postern::mailbox
