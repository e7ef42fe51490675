#include "lib/queue/directories.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/base/strings.h"

namespace postern::queue {

bool is_split(Directory directory) {
    return directory == Directory::deferred || directory == Directory::defer ||
           directory == Directory::bounce || directory == Directory::trace;
}

namespace {

constexpr std::string_view kSpareSuffix = ".done";

struct Opened {
    Fd fd;
    sys::FileInfo info;
};

Result<Opened> open_and_look(sys::Fs& fs, const std::string& path, int access) {
    Opened opened;
    // Without O_NONBLOCK a FIFO would hold us until somebody writes to it.
    constexpr int kCareful = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    TRY_ASSIGN(opened.fd, fs.open(path, access | kCareful, 0));
    TRY_ASSIGN(opened.info, fs.info(opened.fd.get()));
    if (opened.info.kind != sys::FileInfo::Kind::regular)
        return Error{Errc::invalid, cat({path, ": not a plain file"})};
    return opened;
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

std::string spare_path_of(const QueueId& id) {
    return cat({path_of(Directory::incoming, id), kSpareSuffix});
}

std::optional<QueueId> spare_id(std::string_view name) {
    if (!name.ends_with(kSpareSuffix)) return std::nullopt;
    auto id = QueueId::parse(name.substr(0, name.size() - kSpareSuffix.size()));
    return id ? std::optional(std::move(*id)) : std::nullopt;
}

Result<void> create_all(sys::Fs& fs) {
    for (const Directory directory : kAllDirectories)
        TRY(create(fs, std::string(name_of(directory)),
                   directory == Directory::maildrop ? 0730 : 0700));
    TRY(create(fs, std::string(kSaved), 0700));
    return create(fs, std::string(kSiteLogs), 0700);
}

Result<void> create_parent(sys::Fs& fs, Directory directory, const QueueId& id) {
    return create(fs, parent_of(directory, id), 0700);
}

Result<Fd> open_plain_file(sys::Fs& fs, const std::string& path, int access) {
    TRY_ASSIGN(Opened opened, open_and_look(fs, path, access));
    return std::move(opened.fd);
}

Result<Fd> open_queue_file(sys::Fs& fs, const std::string& path, int access) {
    TRY_ASSIGN(Opened opened, open_and_look(fs, path, access));
    const uid_t me = ::geteuid();
    if (me != 0 && opened.info.uid != me && opened.info.uid != 0)
        return Error{Errc::invalid,
                     cat({path, ": belongs to uid ", std::to_string(opened.info.uid)})};
    return std::move(opened.fd);
}

bool leads_to(sys::Fs& fs, const std::string& path, int fd) {
    const auto named = fs.info(path);
    const auto open = fs.info(fd);
    return named && open && named->inode == open->inode && named->device == open->device;
}

}  // namespace postern::queue
