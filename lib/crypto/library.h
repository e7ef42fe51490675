// Which crypto library this is, for postconf -T.
#pragma once

#include <string>

namespace postern::crypto {

std::string compiled_version();  // of the headers: "OpenSSL 3.0.11 19 Sep 2023"
std::string running_version();   // of the library that is loaded

}  // namespace postern::crypto
