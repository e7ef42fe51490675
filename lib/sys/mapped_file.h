// A file mapped read-only. Only for files that nobody changes in place or truncates: a page that
// goes away under a mapping ends the process. Of a file of somebody else's, there is copy().
#pragma once

#include <string_view>
#include <utility>

#include "lib/base/result.h"

namespace postern::sys {

class MappedFile {
  public:
    MappedFile() = default;
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    MappedFile& operator=(MappedFile&& other) noexcept {
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    // The first `size` bytes of the file; the descriptor may be closed afterwards.
    static Result<MappedFile> map(int fd, std::size_t size);
    // The same bytes in memory of our own. Errc::corrupt: there are not as many.
    static Result<MappedFile> copy(int fd, std::size_t size);

    std::string_view bytes() const { return bytes_; }

    // Whether what surrounds a place that is looked at is read from the disk with it, as it is at first.
    void read_around(bool on) const;

  private:
    explicit MappedFile(std::string_view bytes) : bytes_(bytes) {}
    std::string_view bytes_;
};

}  // namespace postern::sys
