// Prober: puts a probe into the queue, a message that every delivery agent takes to the point where
// mail would be accepted and no further.
#pragma once

#include <string>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/config/verify_sender.h"

namespace postern::verify {

class Prober {
  public:
    struct Settings {
        std::string cleanup = "public/cleanup";
        config::VerifySender sender;
        Millis timeout{10'000};
    };

    explicit Prober(Settings settings, const Clock& clock = SystemClock::instance())
        : settings_(std::move(settings)), clock_(clock) {}

    Result<void> probe(const std::string& address) const;

  private:
    Settings settings_;
    const Clock& clock_;
};

}  // namespace postern::verify
