#include "tests/support/temp_folder.h"

#include <stdlib.h>
#include <unistd.h>

#include <cstdio>

#include "lib/base/check.h"
#include "lib/sys/fs.h"

namespace postern::support {

TempFolder::TempFolder(Where where) {
    const char* tmp = ::getenv("TMPDIR");
    const bool memory = where == Where::memory && tmp == nullptr && ::access("/dev/shm", W_OK) == 0;
    path_ = std::string(memory           ? "/dev/shm"
                        : tmp != nullptr ? tmp
                                         : "/tmp") +
            "/postern-test.XXXXXX";
    POSTERN_CHECK(::mkdtemp(path_.data()) != nullptr);
}

TempFolder::~TempFolder() { remove_tree(path_); }

void remove_tree(const std::string& path) {
    sys::Fs& fs = sys::RealFs::instance();
    const auto entries = fs.list(path);
    if (!entries) return;
    for (const auto& entry : *entries) {
        const std::string below = path + "/" + entry.name;
        if (entry.kind == sys::FileInfo::Kind::directory)
            remove_tree(below);
        else
            (void)fs.unlink(below);
    }
    (void)fs.remove_directory(path);
}

}  // namespace postern::support
