// Stored passwords as passwd-files have them: "{SCHEME}hash", Dovecot's notation. Without a scheme
// in front, crypt(3) form is assumed ("$6$...", "$y$...").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/sasl/scram.h"

namespace postern::sasl {

// Longer passwords are refused before they reach a hash function (a hash of 10 MB is an attack).
inline constexpr std::size_t kMaxPassword = 1024;

// Does the password fit the stored form? Errc::invalid for an unknown scheme or a malformed hash:
// an administrator's mistake, to be reported, and never a match. Slow by design (milliseconds to a
// second). Everything secret is compared in constant time.
Result<bool> verify_password(std::string_view stored, std::string_view password);

// "{SCHEME}..." with a fresh salt. Errc::invalid for schemes that cannot be made.
Result<std::string> make_password(std::string_view scheme, std::string_view password,
                                  Random& random);

// What a SCRAM exchange needs of a stored password: the secret of a {SCRAM-...} one with this
// digest; nothing for other schemes.
Result<std::optional<ScramSecret>> stored_scram(std::string_view stored, crypto::Digest digest);
// The password itself, of a {PLAIN} one. A view into `stored`.
std::optional<std::string_view> stored_plain(std::string_view stored);

inline constexpr std::string_view kDefaultScheme = "SHA512-CRYPT";
// Schemes that make_password() knows.
std::vector<std::string_view> password_schemes();

// A stored form that fits no password and costs as much to verify as the default scheme does: what
// to check for a user who does not exist, so that time does not tell.
std::string_view dummy_password();

}  // namespace postern::sasl
