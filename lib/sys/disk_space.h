// How much room a file system has for us.
#pragma once

#include <cstdint>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace postern::sys {

// Bytes available to ordinary users on the file system that holds path.
Result<std::uint64_t> free_space(const std::string& path);

// For who asks at every message: an answer serves for a second.
class FreeSpace {
  public:
    explicit FreeSpace(std::string path, const Clock& clock = SystemClock::instance())
        : path_(std::move(path)), clock_(clock) {}
    Result<std::uint64_t> bytes();

  private:
    const std::string path_;
    const Clock& clock_;
    SteadyTime known_until_{};
    std::uint64_t known_ = 0;
};

}  // namespace postern::sys
