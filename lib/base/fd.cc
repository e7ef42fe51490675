#include "lib/base/fd.h"

#include <unistd.h>

#include <cerrno>

namespace postern {

void Fd::reset(int fd) {
    if (fd_ >= 0) {
        const int saved = errno;
        ::close(fd_);  // Linux releases the descriptor even on EINTR or EIO; writers fsync before
        errno = saved;
    }
    fd_ = fd;
}

}  // namespace postern
