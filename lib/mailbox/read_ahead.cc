#include "lib/mailbox/read_ahead.h"

#include <algorithm>

namespace postern::mailbox {
namespace {

constexpr std::uint32_t kEnough = 3;  // in order: who opens a message or two wants no more
constexpr std::uint32_t kAhead = 32;  // 64 are no quicker

}  // namespace

// Of large messages only the beginning was asked for: the disk has to do with each of them.
ReadAhead::Range ReadAhead::after(std::uint32_t seq, bool from_disk, std::uint32_t count) {
    const bool goes_on = seq == last_ + 1;
    in_order_ = goes_on ? in_order_ + 1 : 0;
    if (!goes_on) asked_ = 0;
    last_ = seq;
    if (!from_disk || in_order_ < kEnough || asked_ > seq + kAhead / 2) return {};
    const std::uint32_t first = std::max(seq, asked_) + 1;
    asked_ = seq + std::min(kAhead, count - std::min(count, seq));
    return {first, asked_};
}

}  // namespace postern::mailbox
