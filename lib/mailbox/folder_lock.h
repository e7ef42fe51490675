// FolderLock: the one lock of a folder, for writers of postern.uids and postern.log. Readers take
// none. An advisory flock(2) on postern.lock; the kernel drops it when the holder dies.
#pragma once

#include <string>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

class FolderLock {
  public:
    // Waits up to `patience` for others. Errc::timeout when they keep it.
    static Result<FolderLock> take(sys::Fs& fs, const std::string& path,
                                   Millis patience = Seconds{30});

  private:
    explicit FolderLock(Fd file) : file_(std::move(file)) {}
    Fd file_;
};

}  // namespace postern::mailbox
