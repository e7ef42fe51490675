// Descriptors: those of a message that has to wait; copies, so that the caller may close its own.
#pragma once

#include <fcntl.h>

#include <span>
#include <utility>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/sys/error.h"

namespace postern::ipc {

class Descriptors {
  public:
    static Result<Descriptors> copies_of(std::span<const int> originals) {
        Descriptors copies;
        for (const int fd : originals) {
            copies.owned_.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
            if (!copies.owned_.back()) return sys::system_error("duplicate descriptor");
            copies.numbers_.push_back(copies.owned_.back().get());
        }
        return copies;
    }
    std::span<const int> numbers() const { return numbers_; }

  private:
    std::vector<Fd> owned_;
    std::vector<int> numbers_;
};

}  // namespace postern::ipc
