// Store: see store.h. Order that makes moving safe: copy, sync the copies, sync their directories,
// only then mark the originals done. A crash in between leaves the message in both places; the
// batch's entry is dropped at the next start because the message has a file of its own
// (has_own_file).
#include "qmgr/store.h"

#include <fcntl.h>

#include <chrono>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/writer.h"
#include "lib/sys/file.h"

namespace postern::qmgr {
namespace {

using queue::Directory;

constexpr Seconds kLeftoverAge{900};
constexpr Seconds kSpareAge{300};

std::int64_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
}

}  // namespace

Result<Fd> Store::open(const std::string& path, int flags) {
    return queue::open_queue_file(fs_, path, flags);
}

Result<LoadedFile> Store::load(Directory directory, const QueueId& name, bool verify,
                               WallTime now) {
    if (is_loaded(name)) return Error{Errc::temporary, name.str() + ": is loaded"};
    auto file = std::make_shared<QueueFile>();
    file->name = name;
    file->directory = directory;
    Result<Fd> opened = open(file->path(), O_RDONLY);
    if (!opened) {
        if (opened.error().code == Errc::invalid) put_aside(file->path(), name, opened.error());
        return std::move(opened).error();
    }
    file->reading = std::move(*opened);
    TRY_ASSIGN(bool locked, sys::try_lock(file->reading.get(), sys::LockKind::exclusive));
    if (!locked) return Error{Errc::temporary, file->path() + ": is in use"};
    if (!queue::leads_to(fs_, file->path(), file->reading.get()))
        return Error{Errc::not_found, file->path() + ": has just been moved or removed"};

    auto read = [&]() -> Result<std::vector<queue::Message>> {
        TRY_ASSIGN(queue::Reader reader, queue::Reader::open(fs_, file->reading.get()));
        TRY_ASSIGN(std::vector<queue::Message> messages, reader.messages());
        file->reusable = reader.reusable() && directory == Directory::incoming &&
                         messages[0].envelope.id == name;
        for (const queue::Message& message : messages) {
            if (verify) TRY(queue::verify_body(fs_, file->reading.get(), message));
        }
        return messages;
    };
    Result<std::vector<queue::Message>> messages = read();
    if (!messages) {
        Errc code = messages.error().code;
        if (code == Errc::corrupt || code == Errc::invalid)
            put_aside(file->path(), name, messages.error());
        if (code == Errc::closed) clear_leftover(*file, messages.error(), now);
        return std::move(messages).error();
    }
    if (directory != Directory::incoming) {
        TRY_ASSIGN(sys::FileInfo info, fs_.info(file->reading.get()));
        file->mode = info.mode;
    }
    file->messages = file->live = messages->size();
    files_.emplace(name.str(), file);
    remember_open(file);
    return LoadedFile{file, std::move(*messages)};
}

void Store::put_aside(const std::string& path, const QueueId& name, const Error& why) {
    log::warning(name.str(),
                 cat({why.what, "; saving corrupt file \"", name.str(), "\" from queue \"",
                      path.substr(0, path.find('/')), "\" to queue \"corrupt\""}));
    auto moved = fs_.rename(path, queue::path_of(Directory::corrupt, name));
    if (!moved) log::warning(name.str(), moved.error().what);
}

// Whoever writes a file holds its lock, and we have it: the writer is gone. Its last bytes may
// still be ours to look at, so only what has none is removed.
void Store::clear_leftover(const QueueFile& file, const Error& why, WallTime now) {
    const auto info = fs_.info(file.reading.get());
    if (!info || seconds_of(now) - info->mtime_ns / 1'000'000'000 < kLeftoverAge.count()) return;
    if (info->size > 0) return put_aside(file.path(), file.name, why);
    log::warning(file.name.str(), cat({file.path(), ": empty, never committed: removed"}));
    if (auto removed = fs_.unlink(file.path()); !removed)
        log::warning(file.name.str(), removed.error().what);
}

bool Store::look_at_spare(const QueueId& name, WallTime now) {
    const std::string path = queue::spare_path_of(name);
    const auto fd = open(path, O_RDONLY);
    if (!fd) return false;
    const auto locked = sys::try_lock(fd->get(), sys::LockKind::exclusive);
    if (!locked || !*locked) return false;  // its writer has just taken it
    const auto holds = queue::first_message(fs_, fd->get());
    if (holds && *holds != name) {
        const auto renamed = fs_.rename(path, queue::path_of(Directory::incoming, *holds));
        if (!renamed && renamed.error().code != Errc::not_found)
            log::warning(holds->str(), renamed.error().what);
        return renamed.has_value();
    }
    // A write that a crash cut short: nobody was told that it was accepted. Or a bad disk.
    if (!holds && holds.error().code == Errc::corrupt) {
        put_aside(path, name, holds.error());
        return false;
    }
    const auto info = fs_.info(fd->get());
    if (info && seconds_of(now) - info->mtime_ns / 1'000'000'000 >= kSpareAge.count())
        (void)fs_.unlink(path);
    return false;
}

// Descriptors are a bounded resource: a busy queue has more files than a process may open.
void Store::remember_open(const QueueFilePtr& file) {
    open_.push_back(file);
    for (std::size_t spared = 0; open_.size() > max_open_;) {
        const auto oldest = open_.front().lock();
        open_.pop_front();
        const bool in_hand = oldest && (oldest->in_hand > 0 || oldest == file);
        if (in_hand && ++spared <= max_open_) {
            open_.push_back(oldest);
        } else if (oldest && oldest != file) {
            oldest->reading.reset();
        }
    }
}

Result<int> Store::descriptor(QueueFile& file) {
    if (!file.reading) {
        TRY_ASSIGN(file.reading, open(file.path(), O_RDONLY));
        // Nobody else takes a file away from a running qmgr; a lock that fails is an agent's of
        // ours.
        (void)sys::try_lock(file.reading.get(), sys::LockKind::exclusive);
        if (auto known = files_.find(file.name.str()); known != files_.end())
            remember_open(known->second);
    }
    return file.reading.get();
}

void Store::mark_done(QueueFile& file, const queue::Recipient& recipient) {
    auto mark = [&]() -> Result<void> {
        if (!file.marking) {
            TRY_ASSIGN(file.marking, open(file.path(), O_RDWR));
        }
        return queue::mark_done(fs_, file.marking.get(), recipient.status_offset);
    };
    if (auto marked = mark(); !marked) log::warning(file.name.str(), marked.error().what);
    if (!file.is_batch()) file.marking.reset();
}

void Store::forget(const QueueFilePtr& file) {
    file->reading.reset();
    file->marking.reset();
    files_.erase(file->name.str());
}

void Store::finish(const QueueFilePtr& file) {
    POSTERN_CHECK(file->live > 0);
    if (--file->live > 0) return;
    if (!file->keep) remove(*file);
    forget(file);
}

// What the mode of a file says about its message must not be said of the next one; and a second
// name (a backup's) is somebody's who wants the old contents.
bool Store::may_be_used_again(const QueueFile& file) {
    if (!file.reusable) return false;
    const auto info = fs_.info(file.path());
    return info && info->mode == queue::kPlainMode && info->links == 1;
}

// A file that cannot be saved goes all the same: finished mail must not come back.
bool Store::saved(const QueueFile& file) {
    const auto done = fs_.rename(file.path(), cat({queue::kSaved, "/", file.name.str()}));
    if (!done) log::warning(file.name.str(), cat({"not saved: ", done.error().what}));
    return done.has_value();
}

void Store::remove(const QueueFile& file) {
    if (save_finished_ && saved(file)) return;
    auto removed = may_be_used_again(file)
                       ? fs_.rename(file.path(), queue::spare_path_of(file.name))
                       : fs_.unlink(file.path());
    if (!removed && removed.error().code != Errc::not_found)
        log::warning(file.name.str(), removed.error().what);
}

void Store::abandon(const QueueFilePtr& file) {
    file->keep = true;
    finish(file);
}

Result<void> Store::rest(const QueueFilePtr& file, Directory to, WallTime retry) {
    POSTERN_CHECK(!file->is_batch() && file->live == 1);
    std::string from = file->path();
    std::string path = queue::path_of(to, file->name);
    auto act = [&]() -> Result<void> {
        // The time first: a file that arrives in deferred/ must not look due.
        if (to == Directory::deferred) TRY(fs_.set_times(from, seconds_of(retry)));
        if (from == path) return {};
        TRY(queue::create_parent(fs_, to, file->name));
        return fs_.rename(from, path);
    };
    Result<void> done = act();
    file->keep = true;
    finish(file);
    return done;
}

Result<Fd> Store::copy_out(const Move& move) {
    const queue::Envelope& envelope = move.message->envelope;
    TRY(queue::create_parent(fs_, move.to, envelope.id));
    TRY_ASSIGN(int source, descriptor(*move.from));
    std::string path = move.path();
    (void)fs_.unlink(path);  // an unfinished copy of an earlier life
    TRY_ASSIGN(Fd copy, queue::extract(fs_, source, *move.message, envelope, path));
    if (move.to == Directory::deferred) TRY(fs_.set_times(path, seconds_of(move.retry)));
    return copy;
}

void Store::moved(const Move& move) {
    for (const queue::Recipient& recipient : move.message->envelope.recipients) {
        if (!recipient.done) mark_done(*move.from, recipient);
    }
    finish(move.from);
}

void Store::take_back(const Move& move) {
    (void)fs_.unlink(move.path());
    abandon(move.from);
}

Result<void> Store::check_own_file(Directory directory, const QueueId& id) {
    TRY_ASSIGN(Fd file, open(queue::path_of(directory, id), O_RDONLY));
    TRY_ASSIGN(queue::Reader reader, queue::Reader::open(fs_, file.get()));
    TRY_ASSIGN(std::vector<queue::Message> messages, reader.messages());
    if (messages.size() != 1 || messages[0].envelope.id != id)
        return Error{Errc::corrupt, "is not this message's own file"};
    TRY(queue::verify_body(fs_, file.get(), messages[0]));
    // Written by a qmgr that died before its sync, perhaps: the batch is not given up for a file
    // that the power can take away.
    TRY(fs_.sync(file.get()));
    return fs_.sync_directory(queue::parent_of(directory, id));
}

bool Store::has_own_file(const QueueId& id) {
    for (Directory directory : {Directory::deferred, Directory::hold}) {
        Result<void> whole = check_own_file(directory, id);
        if (whole) return true;
        const Errc code = whole.error().code;
        if (code == Errc::not_found) continue;
        log::warning(id.str(), cat({queue::path_of(directory, id), ": ", whole.error().what,
                                    "; the message is still in its batch"}));
        const bool damaged = code == Errc::closed || code == Errc::corrupt || code == Errc::invalid;
        if (damaged) (void)fs_.unlink(queue::path_of(directory, id));
    }
    return false;
}

}  // namespace postern::qmgr
