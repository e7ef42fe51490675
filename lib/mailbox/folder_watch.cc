#include "lib/mailbox/folder_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib/sys/error.h"

namespace postern::mailbox {

Result<FolderWatch> FolderWatch::make() {
    Fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd) return sys::system_error("inotify");
    return FolderWatch(std::move(fd));
}

Result<void> FolderWatch::add(const std::string& name, const std::string& path, What what) {
    constexpr std::uint32_t kEvents =
        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY | IN_ONLYDIR;
    incomplete_.erase(name);
    for (const std::string part : {"", "/new", "/cur"}) {  // "": postern.log, and names of folders
        const int watch = ::inotify_add_watch(fd_.get(), (path + part).c_str(), kEvents);
        if (watch < 0 && errno == ENOENT && !part.empty()) {
            incomplete_.insert(name);
            continue;
        }
        if (watch < 0) {
            auto error = sys::system_error("watch " + path + part);
            remove(name);
            return error;
        }
        names_[watch] = name;
        watched_[name].insert(watch);
        if (what == What::directory) break;
    }
    return {};
}

void FolderWatch::remove(const std::string& name) {
    const auto at = watched_.find(name);
    if (at == watched_.end()) return;
    for (const int watch : at->second) {
        ::inotify_rm_watch(fd_.get(), watch);
        names_.erase(watch);
    }
    watched_.erase(at);
    incomplete_.erase(name);
}

std::set<std::string> FolderWatch::take() {
    std::set<std::string> out;
    alignas(inotify_event) char buffer[16384];
    for (;;) {
        const ssize_t size = ::read(fd_.get(), buffer, sizeof buffer);
        if (size <= 0) return out;
        for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= size;) {
            inotify_event event;
            std::memcpy(&event, buffer + at, sizeof event);
            at += static_cast<ssize_t>(sizeof event + event.len);
            if ((event.mask & IN_Q_OVERFLOW) != 0)
                for (const auto& [name, watches] : watched_) out.insert(name);
            if (const auto known = names_.find(event.wd); known != names_.end())
                out.insert(known->second);
        }
    }
}

}  // namespace postern::mailbox
