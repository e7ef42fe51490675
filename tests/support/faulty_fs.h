// FaultyFs: fails the n-th operation that changes something. Run the same scenario for n = 1, 2,
// ... until fired() stays false: then every failure has been seen once.
#pragma once

#include <atomic>
#include <cerrno>

#include "tests/support/rooted_fs.h"

namespace postern::support {

class FaultyFs final : public RootedFs {
  public:
    enum class After { recovers, stays_broken };

    FaultyFs(std::string root, int fail_at, int error_number = ENOSPC,
             After after = After::recovers)
        : RootedFs(std::move(root)), fail_at_(fail_at), errno_(error_number), after_(after) {}

    bool fired() const { return fired_; }
    int operations() const { return count_; }

    Result<Fd> open(const std::string& path, int flags, mode_t mode) override;
    // A write that fails leaves the first half of its bytes behind.
    Result<void> write(int fd, std::string_view bytes) override;
    Result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes) override;
    Result<void> truncate(int fd, std::uint64_t size) override;
    Result<void> sync(int fd) override;
    Result<void> sync_data(int fd) override;
    Result<void> sync_filesystem(int fd) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> link(const std::string& from, const std::string& to) override;
    Result<void> unlink(const std::string& path) override;
    Result<void> make_directory(const std::string& path, mode_t mode) override;
    Result<void> sync_directory(const std::string& path) override;

  private:
    bool fails();
    Error error(std::string_view doing) const;

    const int fail_at_;
    const int errno_;
    const After after_;
    std::atomic<int> count_ = 0;
    std::atomic<bool> fired_ = false;
};

}  // namespace postern::support
