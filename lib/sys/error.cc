#include "lib/sys/error.h"

#include <cerrno>
#include <cstring>

namespace postern::sys {
namespace {

Errc classify(int number) {
    switch (number) {
        case ENOENT:
        case ESRCH: return Errc::not_found;
        case EACCES:
        case EPERM:
        case EROFS: return Errc::denied;
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
        case EMFILE:
        case ENFILE: return Errc::no_space;
        case EINVAL:
        case ENAMETOOLONG:
        case ENOTDIR:
        case EISDIR:
        case ELOOP: return Errc::invalid;
        case ETIMEDOUT: return Errc::timeout;
        case EPIPE:
        case ECONNRESET: return Errc::closed;
        default: return Errc::temporary;
    }
}

}  // namespace

Error system_error(std::string_view doing) { return system_error(doing, errno); }

Error system_error(std::string_view doing, int number) {
    char buffer[128];
    const char* text = ::strerror_r(number, buffer, sizeof buffer);
    return {classify(number), std::string(doing) + ": " + text, number};
}

}  // namespace postern::sys
