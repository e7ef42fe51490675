// Random: one of the four seams. SystemRandom reads the kernel's generator and is fit for secrets.
#pragma once

#include <cstdint>
#include <string>

namespace postern {

class Random {
  public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;

    std::string bytes(std::size_t count);
};

class SystemRandom final : public Random {
  public:
    std::uint64_t next() override;
    static SystemRandom& instance();
};

}  // namespace postern
