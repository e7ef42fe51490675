#include "lib/mailbox/folder_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "lib/sys/error.h"

namespace postern::mailbox {
namespace {

// A name in the root of a tree that tells of its folders: one of them (Maildir++), or a list of
// what is said of them. All else there is INBOX's own, and changes with every delivery.
bool is_of_tree(std::string_view file) {
    constexpr std::string_view kLists[] = {"postern.subscriptions",
                                           "postern.special-use",
                                           "postern.server-metadata",
                                           "postern.acl",
                                           "subscriptions",
                                           "courierimapsubscribed",
                                           "dovecot-acl"};
    return file.starts_with('.') ||
           std::find(std::begin(kLists), std::end(kLists), file) != std::end(kLists);
}

}  // namespace

Result<FolderWatch> FolderWatch::make() {
    Fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd) return sys::system_error("inotify");
    return FolderWatch(std::move(fd));
}

Result<bool> FolderWatch::add(const std::string& name, const std::string& path, What what) {
    constexpr std::uint32_t kEvents =
        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY | IN_ONLYDIR;
    const std::set<int> before = std::exchange(watched_[name], {});
    std::set<int>& now = watched_[name];
    incomplete_.erase(name);
    for (const std::string part : {"", "/new", "/cur"}) {  // "": postern.log, and names of folders
        const int watch = ::inotify_add_watch(fd_.get(), (path + part).c_str(), kEvents);
        if (watch < 0 && errno == ENOENT && !part.empty()) {
            incomplete_.insert(name);
            continue;
        }
        if (watch < 0) {
            auto error = sys::system_error("watch " + path + part);
            drop(name, before);
            remove(name);
            return error;
        }
        names_[watch] = name;
        now.insert(watch);
        if (what == What::directory) break;
    }
    std::set<int> stale;
    std::set_difference(before.begin(), before.end(), now.begin(), now.end(),
                        std::inserter(stale, stale.end()));
    drop(name, stale);
    return !std::includes(before.begin(), before.end(), now.begin(), now.end());
}

Result<void> FolderWatch::add_files(const std::string& path) {
    files_ = ::inotify_add_watch(fd_.get(), path.c_str(), IN_MOVED_TO | IN_MODIFY | IN_ONLYDIR);
    if (files_ < 0) return sys::system_error("watch " + path);
    return {};
}

// The kernel has one watch for a directory, whatever its names: those that another folder has come
// to have stay.
void FolderWatch::drop(const std::string& name, const std::set<int>& watches) {
    for (const int watch : watches) {
        const auto known = names_.find(watch);
        if (known == names_.end() || known->second != name) continue;
        ::inotify_rm_watch(fd_.get(), watch);
        names_.erase(known);
    }
}

void FolderWatch::remove(const std::string& name) {
    const auto at = watched_.find(name);
    if (at == watched_.end()) return;
    drop(name, at->second);
    watched_.erase(at);
    incomplete_.erase(name);
}

// The directory is gone, and the kernel's watch with it.
void FolderWatch::lose(int watch) {
    const auto known = names_.find(watch);
    if (known == names_.end()) return;
    watched_[known->second].erase(watch);
    incomplete_.insert(known->second);
    names_.erase(known);
}

FolderWatch::Seen FolderWatch::take() {
    Seen out;
    alignas(inotify_event) char buffer[16384];
    for (;;) {
        const ssize_t size = ::read(fd_.get(), buffer, sizeof buffer);
        if (size <= 0) return out;
        for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= size;) {
            inotify_event event;
            std::memcpy(&event, buffer + at, sizeof event);
            const char* file = buffer + at + sizeof event;  // ends with a zero byte, if it is there
            at += static_cast<ssize_t>(sizeof event + event.len);
            if ((event.mask & IN_Q_OVERFLOW) != 0) {
                for (const auto& [name, watches] : watched_) out.folders.insert(name);
                out.tree = true;
            }
            if (const auto known = names_.find(event.wd); known != names_.end())
                out.folders.insert(known->second);
            const bool is_file = event.wd == files_ && event.len > 0;
            if (is_file) out.files.insert(file);
            if (!is_file && event.len > 0 && is_of_tree(file)) out.tree = true;
            if ((event.mask & IN_IGNORED) != 0) lose(event.wd);
        }
    }
}

}  // namespace postern::mailbox
