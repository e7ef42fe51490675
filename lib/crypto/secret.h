// Handling of secrets: comparing without telling where the difference is, and wiping.
#pragma once

#include <string>
#include <string_view>

namespace postern::crypto {

// Equality in a time that depends on the sizes only.
bool secure_equal(std::string_view a, std::string_view b);

// Overwrites the bytes (all of the capacity) in a way that the compiler keeps, and empties the
// string.
void wipe(std::string& secret);

// Wipes a string at the end of a scope.
class WipeGuard {
  public:
    explicit WipeGuard(std::string& secret) : secret_(secret) {}
    ~WipeGuard() { wipe(secret_); }
    WipeGuard(const WipeGuard&) = delete;
    WipeGuard& operator=(const WipeGuard&) = delete;

  private:
    std::string& secret_;
};

}  // namespace postern::crypto
