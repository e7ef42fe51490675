// SASLprep (RFC 4013): the form in which names and passwords are compared, whatever keyboard they
// come from.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern::mail {

// Nothing when the text has what SASLprep prohibits (control characters, malformed UTF-8), is empty
// afterwards, or has characters beyond ASCII and there is no ICU to prepare them.
std::optional<std::string> saslprep(std::string_view utf8);

// Loads ICU now: for processes that confine themselves later. The Error names the package.
Result<void> load_saslprep();

}  // namespace postern::mail
