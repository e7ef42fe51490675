// How precisely log lines tell times (delay_logging_resolution_limit): a setting of the process's
// log, made where the log is opened, because agents of every kind write such lines.
#pragma once

namespace postern::log {

inline constexpr unsigned kMaxDelayDigits = 6;

// Digits after the point, at most.
void set_delay_digits(unsigned digits);
unsigned delay_digits();

}  // namespace postern::log
