// Sealing: bytes that only who has the key can read, make or change (AES-256-GCM, NIST SP 800-38D).
// For what one process gives to a stranger to keep for another one.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/random.h"
#include "lib/base/result.h"

namespace postern::crypto {

constexpr std::size_t kSealKeySize = 32;
constexpr std::size_t kSealOverhead = 12 + 16;  // nonce, tag

// `context` is not contained, but must be the same when the seal is opened: whom it is for.
// Precondition: the key has kSealKeySize bytes.
std::string seal(std::string_view key, std::string_view context, std::string_view plain,
                 Random& random);

// Errc::denied: not sealed with this key for this context, or changed since.
Result<std::string> open_seal(std::string_view key, std::string_view context,
                              std::string_view sealed);

}  // namespace postern::crypto
