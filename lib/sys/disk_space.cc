#include "lib/sys/disk_space.h"

#include <sys/statvfs.h>

#include "lib/sys/error.h"

namespace postern::sys {

Result<std::uint64_t> free_space(const std::string& path) {
    struct statvfs vfs {};
    if (::statvfs(path.c_str(), &vfs) != 0) return system_error("statvfs " + path);
    return std::uint64_t{vfs.f_bavail} * vfs.f_frsize;
}

Result<std::uint64_t> FreeSpace::bytes() {
    const SteadyTime now = clock_.steady();
    if (now >= known_until_) {
        TRY_ASSIGN(known_, free_space(path_));
        known_until_ = now + Millis{1000};
    }
    return known_;
}

}  // namespace postern::sys
