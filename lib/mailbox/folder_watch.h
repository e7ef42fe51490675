// FolderWatch: one inotify descriptor for many folders (NOTIFY, RFC 5465), which says in which of
// them something happened. It says so for our own changes too.
#pragma once

#include <map>
#include <set>
#include <string>

#include "lib/base/fd.h"
#include "lib/base/result.h"

namespace postern::mailbox {

class FolderWatch {
  public:
    static Result<FolderWatch> make();

    // Watches a folder with its new/ and cur/, under this name. One that is just being made may
    // lack them: it is watched without, and has() tells, so that it is added again. One that is
    // watched already costs little; where another folder has its name now, that one is watched.
    // True: it is, or something in it is, watched for the first time.
    // Errc::not_found: it is gone; Errc::no_space and others: the kernel allows no more.
    enum class What : unsigned char { folder, directory };  // directory: without new/ and cur/
    Result<bool> add(const std::string& name, const std::string& path, What what = What::folder);
    bool has(const std::string& name) const {
        return watched_.contains(name) && !incomplete_.contains(name);
    }
    void remove(const std::string& name);
    // Tells of the files of a directory, each by its name.
    Result<void> add_files(const std::string& path);

    int fd() const { return fd_.get(); }  // readable when there is something
    struct Seen {
        // Where something happened. All of them when the kernel lost some events.
        std::set<std::string> folders;
        // Folders came or went, or what is listed of all of them changed: subscriptions, uses.
        bool tree = false;
        std::set<std::string> files;  // of the directory of add_files()
    };
    Seen take();

  private:
    explicit FolderWatch(Fd fd) : fd_(std::move(fd)) {}
    void drop(const std::string& name, const std::set<int>& watches);
    void lose(int watch);

    Fd fd_;
    std::map<int, std::string> names_;              // by watch
    std::map<std::string, std::set<int>> watched_;  // the watches of a folder
    std::set<std::string> incomplete_;
    int files_ = -1;  // the watch of add_files()
};

}  // namespace postern::mailbox
