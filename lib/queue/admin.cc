// Administration of resting messages: see admin.h.
#include "lib/queue/admin.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "lib/base/strings.h"
#include "lib/sys/file.h"

#include "lib/queue/directories.h"
#include "lib/queue/reader.h"
#include "lib/queue/writer.h"

namespace postern::queue {
namespace {

Result<Fd> open_file(sys::Fs& fs, Directory directory, const QueueId& name, int flags) {
    return open_queue_file(fs, path_of(directory, name), flags);
}

Result<std::vector<Message>> read_messages(sys::Fs& fs, int fd) {
    TRY_ASSIGN(Reader reader, Reader::open(fs, fd));
    return reader.messages();
}

void add_files(std::vector<QueueId>& out, const std::vector<sys::DirEntry>& entries) {
    for (const sys::DirEntry& entry : entries) {
        if (entry.kind != sys::FileInfo::Kind::regular) continue;
        if (auto id = QueueId::parse(entry.name)) out.push_back(std::move(*id));
    }
}

// Errc::not_found, too, when somebody took the file away before the lock was ours.
Result<void> take_lock(sys::Fs& fs, int fd, const std::string& path) {
    TRY_ASSIGN(const bool locked, sys::try_lock(fd, sys::LockKind::exclusive));
    if (!locked) return Error{Errc::temporary, cat({path, ": in use by another process"})};
    if (!leads_to(fs, path, fd)) return Error{Errc::not_found, cat({path, ": is gone"})};
    return {};
}

// No queue file (a link, a FIFO), or closed to the queue's owner: nobody delivers that.
bool is_foreign(Errc code) { return code == Errc::invalid || code == Errc::denied; }

// Nobody delivers or moves a file while we have it locked: a qmgr that drains may do so after its
// successor has begun.
Result<Fd> lock_resting(sys::Fs& fs, const QueueId& id, Directory directory) {
    auto fd = open_file(fs, directory, id, O_RDONLY);
    if (!fd && is_foreign(fd.error().code)) return Fd();
    if (fd) TRY(take_lock(fs, fd->get(), path_of(directory, id)));
    return fd;
}

// The batch that has the message, if any has.
struct Place {
    QueueId file;
    Fd fd;
    Message message;
    bool alone = false;  // the only message in its file
};

Result<std::optional<Place>> look_in(sys::Fs& fs, const QueueId& name, const QueueId& id) {
    auto fd = open_file(fs, Directory::incoming, name, O_RDWR);
    const bool passed = !fd && (fd.error().code == Errc::not_found || is_foreign(fd.error().code));
    if (passed) return std::optional<Place>();
    if (!fd) return std::move(fd).error();
    auto messages = read_messages(fs, fd->get());
    if (!messages) return std::optional<Place>();  // being written, or qmgr's business
    const auto here = [&](const Message& message) {
        return message.envelope.id == id && message.envelope.remaining() > 0;
    };
    if (std::none_of(messages->begin(), messages->end(), here)) return std::optional<Place>();
    // Somebody else may be moving it out at this moment: one at a time, and on what is so then.
    const auto locked = take_lock(fs, fd->get(), path_of(Directory::incoming, name));
    if (!locked && locked.error().code == Errc::not_found) return std::optional<Place>();
    TRY(locked);
    TRY_ASSIGN(*messages, read_messages(fs, fd->get()));
    const auto found = std::find_if(messages->begin(), messages->end(), here);
    if (found == messages->end()) return std::optional<Place>();
    return std::optional<Place>(
        Place{name, std::move(*fd), std::move(*found), messages->size() == 1});
}

Result<std::optional<Place>> find_incoming(sys::Fs& fs, const QueueId& id) {
    TRY_ASSIGN(auto own, look_in(fs, id, id));  // mostly a file is named after its only message
    if (own) return own;
    TRY_ASSIGN(std::vector<QueueId> files, list_files(fs, Directory::incoming));
    for (const QueueId& name : files) {
        TRY_ASSIGN(auto place, look_in(fs, name, id));
        if (place) return place;
    }
    return std::optional<Place>();
}

Result<void> mark_all(sys::Fs& fs, const Place& place) {
    for (const Recipient& recipient : place.message.envelope.recipients) {
        if (!recipient.done) TRY(mark_done(fs, place.fd.get(), recipient.status_offset));
    }
    return {};
}

Result<void> copy_out(sys::Fs& fs, const Place& place, Directory to) {
    const QueueId& id = place.message.envelope.id;
    TRY(create_parent(fs, to, id));
    (void)fs.unlink(path_of(to, id));
    TRY_ASSIGN(Fd copy,
               extract(fs, place.fd.get(), place.message, place.message.envelope, path_of(to, id)));
    TRY(fs.sync(copy.get()));
    TRY(fs.sync_directory(parent_of(to, id)));
    return mark_all(fs, place);
}

Result<void> move_file(sys::Fs& fs, const QueueId& id, Directory from, Directory to) {
    if (from == to) return {};
    TRY(create_parent(fs, to, id));
    return fs.rename(path_of(from, id), path_of(to, id));
}

// The message and its logs. After a power cut in between nobody would look for the reasons of a
// message that is gone, so they go first, and once more for one that was written meanwhile; what
// its sender is owed must not go before it.
Result<void> remove_message(sys::Fs& fs, const QueueId& id,
                            const std::function<Result<void>()>& remove) {
    (void)fs.unlink(path_of(Directory::defer, id));
    TRY(remove());
    for (const Directory log : {Directory::defer, Directory::bounce, Directory::trace})
        (void)fs.unlink(path_of(log, id));
    return {};
}

Result<bool> change_incoming(sys::Fs& fs, const QueueId& id, Change change) {
    if (change == Change::release) return false;
    TRY_ASSIGN(auto place, find_incoming(fs, id));
    if (!place) return false;
    if (change == Change::requeue) return true;  // it is about to be delivered anyway
    if (change == Change::remove) {
        TRY(remove_message(fs, id, [&] {
            return place->alone ? fs.unlink(path_of(Directory::incoming, place->file))
                                : mark_all(fs, *place);
        }));
        return true;
    }
    Directory to = change == Change::hold ? Directory::hold : Directory::deferred;
    if (place->alone && place->file == id) {
        TRY(move_file(fs, id, Directory::incoming, to));
    } else {
        TRY(copy_out(fs, *place, to));
    }
    if (change == Change::expire) TRY(fs.set_mode(path_of(to, id), 0600 | kModeForceExpire));
    return true;
}

Result<bool> change_own_file(sys::Fs& fs, const QueueId& id, Change change, Directory directory) {
    const bool held = directory == Directory::hold;
    if ((change == Change::hold && held) || (change == Change::release && !held)) return false;
    TRY_ASSIGN(const Fd lock, lock_resting(fs, id, directory));
    std::string path = path_of(directory, id);
    switch (change) {
        case Change::hold:
            TRY(move_file(fs, id, directory, Directory::hold));
            return true;
        case Change::release:
        case Change::requeue:
            TRY(fs.set_times(path, 1));  // due since ever
            TRY(move_file(fs, id, directory, Directory::deferred));
            return true;
        case Change::remove:
            TRY(remove_message(fs, id, [&] { return fs.unlink(path); }));
            return true;
        case Change::expire: {
            TRY_ASSIGN(sys::FileInfo info, fs.info(path));
            TRY(fs.set_mode(path, info.mode | kModeForceExpire));
            return true;
        }
    }
    return false;
}

}  // namespace

bool is_in_use(const Error& error) { return error.code == Errc::temporary && error.sys == 0; }

Result<bool> change_message(sys::Fs& fs, const QueueId& id, Change change) {
    for (Directory directory :
         {Directory::deferred, Directory::hold, Directory::corrupt, Directory::active}) {
        if (directory == Directory::corrupt && change != Change::remove) continue;
        if (!fs.info(path_of(directory, id))) continue;
        Result<bool> changed = change_own_file(fs, id, change, directory);
        // Somebody else was quicker: it may be in the next directory by now.
        if (changed || changed.error().code != Errc::not_found) return changed;
    }
    Result<bool> changed = change_incoming(fs, id, change);
    if (!changed && changed.error().code == Errc::not_found) return false;
    return changed;
}

Result<std::vector<QueueId>> list_files(sys::Fs& fs, Directory directory) {
    std::vector<QueueId> out;
    std::string top(name_of(directory));
    auto entries = fs.list(top);
    if (!entries && entries.error().code == Errc::not_found) return out;
    if (!entries) return std::move(entries).error();
    add_files(out, *entries);
    for (const sys::DirEntry& entry : *entries) {
        if (!is_split(directory) || entry.kind != sys::FileInfo::Kind::directory) continue;
        if (auto inner = fs.list(cat({top, "/", entry.name}))) add_files(out, *inner);
    }
    std::sort(out.begin(), out.end());
    return out;
}

Result<std::vector<QueueId>> list_messages(sys::Fs& fs, Directory directory) {
    TRY_ASSIGN(std::vector<QueueId> files, list_files(fs, directory));
    if (directory != Directory::incoming) return files;
    std::vector<QueueId> out;
    for (const QueueId& name : files) {
        auto fd = open_file(fs, directory, name, O_RDONLY);
        if (!fd) continue;
        auto messages = read_messages(fs, fd->get());
        if (!messages) {
            if (messages.error().code != Errc::closed) out.push_back(name);
            continue;
        }
        for (const Message& message : *messages) {
            if (message.envelope.remaining() > 0) out.push_back(message.envelope.id);
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace postern::queue
