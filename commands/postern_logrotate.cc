#include "commands/postern_logrotate.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"

#include "commands/postern_control.h"

namespace postern::commands {
namespace {

Result<std::string> suffix_of(const std::string& format, std::time_t now) {
    std::tm local{};
    ::localtime_r(&now, &local);
    char text[200];
    const std::size_t size = std::strftime(text, sizeof text, format.c_str(), &local);
    const std::string suffix(text, size);
    if (suffix.empty() || suffix.find('/') != suffix.npos)
        return Error{Errc::invalid,
                     cat({"maillog_file_rotate_suffix = ", format, ": gives no file name"})};
    return suffix;
}

Result<void> compress(const std::string& compressor, const std::string& path) {
    const pid_t child = ::fork();
    if (child < 0) return sys::system_error("fork");
    if (child == 0) {
        ::execlp(compressor.c_str(), compressor.c_str(), path.c_str(), static_cast<char*>(nullptr));
        ::_exit(127);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return Error{Errc::temporary,
                 cat({"maillog_file_compressor ", compressor, " ", path, ": failed"})};
}

}  // namespace

Result<std::string> rotate_file(const std::string& path, const std::string& suffix_format,
                                const std::string& compressor, std::time_t now) {
    auto& fs = sys::RealFs::instance();
    TRY_ASSIGN(const std::string suffix, suffix_of(suffix_format, now));
    const std::string target = cat({path, ".", suffix});
    if (fs.info(target)) return Error{Errc::denied, cat({target, ": exists already"})};
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == path.npos ? "." : path.substr(0, slash);
    const std::string prefix = path.substr(slash + 1) + ".";
    TRY_ASSIGN(const auto entries, fs.list(folder));
    TRY(fs.rename(path, target));
    if (compressor.empty()) return target;
    for (const auto& entry : entries) {
        const std::string& name = entry.name;
        // As long as the suffix of today and without a compressor's own behind it.
        if (!name.starts_with(prefix) || name.size() != prefix.size() + suffix.size()) continue;
        TRY(compress(compressor, cat({folder, "/", name})));
    }
    return target;
}

Result<int> logrotate(const config::Config& config) {
    const std::string path = config.get(param::maillog_file);
    if (path.empty() || path.starts_with("/dev/"))
        return Error{Errc::invalid,
                     "maillog_file does not name a file: there is nothing to rotate"};
    TRY_ASSIGN(const std::string target,
               rotate_file(path, config.get(param::maillog_file_rotate_suffix),
                           config.get(param::maillog_file_compressor), std::time(nullptr)));
    log::info("", cat({"the log goes on in a new file; the old one is ", target}));
    return reload(config);
}

}  // namespace postern::commands
