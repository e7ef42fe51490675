#include "master/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"

namespace postern::master {

Result<Fd> open_log_file(const config::Config& config) {
    const std::string path = config.get(param::maillog_file);
    if (path.empty()) return Fd();
    if (path == "/dev/stdout") {
        Fd copy(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
        if (!copy) return sys::system_error("maillog_file /dev/stdout");
        return copy;
    }
    const auto prefixes = config.get(param::maillog_file_prefixes);
    const bool allowed = std::any_of(prefixes.begin(), prefixes.end(),
                                     [&](const std::string& prefix) { return path.starts_with(prefix); });
    if (!allowed) {
        return Error{Errc::denied, cat({"maillog_file ", path, ": not below a folder of maillog_file_prefixes (",
                                        join(prefixes, ", "), ")"})};
    }
    const std::string permissions = config.get(param::maillog_file_permissions);
    const auto mode = parse_number<unsigned>(permissions, 8);
    if (!mode || *mode > 0777) {
        return Error{Errc::invalid, cat({"maillog_file_permissions = ", permissions,
                                         ": expected an octal number such as 0600"})};
    }
    auto file = sys::RealFs::instance().open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, *mode);
    if (!file) return std::move(file).error().within("maillog_file");
    return file;
}

}  // namespace postern::master
