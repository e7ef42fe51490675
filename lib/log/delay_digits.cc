#include "lib/log/delay_digits.h"

#include <algorithm>

namespace postern::log {
namespace {

unsigned& digits_now() {
    static unsigned digits = 2;
    return digits;
}

}  // namespace

void set_delay_digits(unsigned digits) { digits_now() = std::min(digits, kMaxDelayDigits); }

unsigned delay_digits() { return digits_now(); }

}  // namespace postern::log
