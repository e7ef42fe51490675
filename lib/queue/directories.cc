#include "lib/queue/directories.h"

#include "lib/base/strings.h"

namespace postern::queue {
namespace {

bool is_split(Directory directory) {
    return directory == Directory::deferred || directory == Directory::defer ||
           directory == Directory::bounce || directory == Directory::trace;
}

Result<void> create(sys::Fs& fs, const std::string& path, mode_t mode) {
    if (fs.info(path)) return {};
    const Result<void> made = fs.make_directory(path, mode);
    if (!made && fs.info(path)) return {};  // another process was quicker
    return made;
}

}  // namespace

std::string_view name_of(Directory directory) {
    switch (directory) {
        case Directory::maildrop: return "maildrop";
        case Directory::incoming: return "incoming";
        case Directory::active: return "active";
        case Directory::deferred: return "deferred";
        case Directory::hold: return "hold";
        case Directory::corrupt: return "corrupt";
        case Directory::bounce: return "bounce";
        case Directory::defer: return "defer";
        case Directory::trace: return "trace";
    }
    return "";
}

std::string parent_of(Directory directory, const QueueId& id) {
    POSTERN_CHECK(!id.empty());
    const std::string_view name = name_of(directory);
    if (!is_split(directory)) return std::string(name);
    return cat({name, "/", std::string_view(id.str()).substr(id.str().size() - 1)});
}

std::string path_of(Directory directory, const QueueId& id) {
    return cat({parent_of(directory, id), "/", id.str()});
}

Result<void> create_all(sys::Fs& fs) {
    for (const Directory directory : kAllDirectories)
        TRY(create(fs, std::string(name_of(directory)),
                   directory == Directory::maildrop ? 0730 : 0700));
    return {};
}

Result<void> create_parent(sys::Fs& fs, Directory directory, const QueueId& id) {
    return create(fs, parent_of(directory, id), 0700);
}

}  // namespace postern::queue
