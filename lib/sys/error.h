// The one place where errno becomes an Error.
#pragma once

#include <string_view>

#include "lib/base/result.h"

namespace postern::sys {

// The Error for errno (or the given number): "doing: strerror". `doing` names the object:
// "open incoming/4Xy".
Error system_error(std::string_view doing);
Error system_error(std::string_view doing, int number);

}  // namespace postern::sys
