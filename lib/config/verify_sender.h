// The envelope sender of address probes: address_verify_sender, whose local part changes with time
// where address_verify_sender_ttl says so. verify sends with it, policy lets mail to it through
// RCPT (the probed server may ask back).
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace postern::config {

class Config;

class VerifySender {
  public:
    VerifySender() = default;
    // `base`: an address, "" or "<>" for the null sender; without a domain it gets `origin`.
    VerifySender(std::string_view base, std::string_view origin, Seconds ttl);
    static VerifySender from(const Config& config);

    // Without <>; empty: the null sender.
    std::string at(WallTime now) const;
    // Whether `address` is the one of now, of the period before or of the one that comes (another
    // host's clock): false for the null sender.
    bool is_one(std::string_view address, WallTime now) const;

  private:
    std::string in_period(std::int64_t period) const;

    std::string local_, domain_;
    std::int64_t ttl_ = 0;  // seconds
};

}  // namespace postern::config
