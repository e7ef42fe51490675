// BeneathFs: a file system that ends at one directory, for trees in which others may write too. What
// they put there leads nowhere else: no symbolic link is followed, no "..", and what is opened is a
// regular file, so that no pipe is waited for. The directory itself is found once, links and all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/sys/wrapped_fs.h"

namespace postern::sys {

class BeneathFs final : public WrappedFs {
  public:
    // The most that is read at once: another's file is of any size that he likes.
    static constexpr std::size_t kMaxRead = std::size_t{256} << 20;

    // What is done by descriptor, `base` does. An error where the directory cannot be reached, or
    // the kernel cannot keep us in it (openat2 came with Linux 5.6).
    static Result<std::shared_ptr<Fs>> open_root(const std::string& root,
                                                 Fs& base = RealFs::instance());
    BeneathFs(Fs& base, std::string path, Fd root)
        : WrappedFs(base), path_(std::move(path)), root_(std::move(root)) {}

    // Paths are those of the root, or below it; others are refused. With O_PATH, also directories.
    Result<Fd> open(const std::string& path, int flags, mode_t mode) override;
    Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t count) override;
    using WrappedFs::info;
    Result<FileInfo> info(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> link(const std::string& from, const std::string& to) override;
    Result<void> unlink(const std::string& path) override;
    Result<void> make_directory(const std::string& path, mode_t mode) override;
    Result<void> remove_directory(const std::string& path) override;
    Result<std::vector<DirEntry>> list(const std::string& path) override;
    Result<void> sync_directory(const std::string& path) override;
    Result<void> set_times(const std::string& path, std::int64_t mtime_seconds) override;
    Result<void> set_mode(const std::string& path, mode_t mode) override;

  private:
    // A name and the directory that it is in.
    struct Entry {
        Fd directory;
        std::string name;
    };
    Result<std::string> below_root(const std::string& path) const;
    Result<Fd> reach(const std::string& path, int flags, mode_t mode = 0) const;
    Result<Entry> entry(const std::string& path) const;

    std::string path_;  // of the root
    Fd root_;
};

}  // namespace postern::sys
