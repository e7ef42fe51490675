// How much room a file system has for us.
#pragma once

#include <cstdint>
#include <string>

#include "lib/base/result.h"

namespace postern::sys {

// Bytes available to ordinary users on the file system that holds path.
Result<std::uint64_t> free_space(const std::string& path);

}  // namespace postern::sys
