// Fd: owns a file descriptor. Move-only; closes on destruction.
#pragma once

#include <utility>

namespace postern {

class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}  // takes ownership; -1 is "none"
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);  // closes what it holds, then takes fd

  private:
    int fd_ = -1;
};

}  // namespace postern
