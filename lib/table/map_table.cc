#include "lib/table/map_table.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <utility>

#include "lib/base/clock.h"
#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"

namespace postern::table {
namespace {

constexpr Millis kLockWait{5000};
// How often the name itself is looked up again: who points a symbolic link elsewhere leaves no
// trace at the open file.
constexpr std::int64_t kLookEvery = 1'000'000'000;

// Coarse: some milliseconds do not matter, and it costs a tenth of the exact one.
std::int64_t coarse_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Values end at the first null byte, whoever wrote it.
std::string_view without_nulls(std::string_view bytes) { return bytes.substr(0, bytes.find('\0')); }

}  // namespace

MapTable::MapTable(MapType type, std::string path, Fold fold)
    : type_(type), path_(std::move(path)), fold_(fold) {}
MapTable::~MapTable() = default;

Result<std::unique_ptr<Table>> MapTable::open(MapType type, std::string_view name, Fold fold) {
    // A file that a more privileged program has handed over has no name to hang a suffix on.
    const bool handed_over = name.starts_with("/proc/self/fd/");
    const std::string path = cat({name, handed_over ? "" : map_suffix(type)});
    std::unique_ptr<MapTable> table(new MapTable(type, path, fold));
    TRY(table->refresh());
    table->unlock();
    return std::unique_ptr<Table>(std::move(table));
}

// A cdb file is never written in place: who builds it renames it into place, Postfix too.
bool MapTable::needs_lock() const { return type_ != MapType::cdb; }

Result<void> MapTable::lock() {
    if (!needs_lock()) return {};
    const auto deadline = Deadline::in(kLockWait);
    while (flock(lock_.get(), LOCK_SH | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return sys::system_error(cat({"lock ", path_}));
        if (deadline.passed()) {
            return Error{Errc::timeout, cat({"lock ", path_, ": another program holds it"})};
        }
        poll(nullptr, 0, 10);
    }
    return {};
}

void MapTable::unlock() {
    if (lock_ && needs_lock()) flock(lock_.get(), LOCK_UN);
}

// The open file is still the one of that name, and nobody has written to it: a file that was
// replaced by rename has lost its name. One fstat() instead of a walk down the path.
bool MapTable::is_current() const {
    struct stat st {};
    if (::fstat(lock_.get(), &st) != 0) return false;
    return st.st_nlink == links_ && stamp_from(st) == stamp_;
}

// Leaves the file open, current and locked. The stamp is taken under the lock, so that a change in
// place is either before it (and we read it) or after it (and the next lookup sees it).
Result<void> MapTable::refresh() {
    const std::int64_t now_coarse = coarse_now();
    // What needs no lock is replaced, never changed: to be seen when the coarse clock goes on,
    // within milliseconds, is soon enough.
    if (file_ && !needs_lock() && now_coarse == looked_) return {};
    looked_ = now_coarse;
    if (file_ && now_coarse < look_again_) {
        TRY(lock());
        if (is_current()) return {};
    }
    look_again_ = now_coarse + kLookEvery;
    auto stamp = stamp_of(path_);
    if (!stamp) return sys::system_error(cat({"open database ", path_}), stamp.error().sys);
    auto now = *stamp;
    if (file_ && now == stamp_) {
        if (!needs_lock()) return {};
        TRY(lock());
        TRY_ASSIGN(now, stamp_of(path_));
        if (now == stamp_) return {};
    }
    file_.reset();
    nulls_ = Nulls::unknown;
    TRY_ASSIGN(lock_, sys::RealFs::instance().open(path_, O_RDONLY, 0));
    TRY(lock());
    TRY_ASSIGN(stamp_, stamp_of(path_));
    struct stat st {};
    links_ = ::fstat(lock_.get(), &st) == 0 ? st.st_nlink : 0;
    TRY_ASSIGN(file_, open_map_file(type_, path_, MapMode::read));
    return {};
}

// As Postfix: until a key was found, both forms are tried; afterwards only the one that the file
// has.
Lookup<std::string> MapTable::find(std::string key) {
    if (nulls_ != Nulls::with) {
        auto found = file_->get(key);
        if (found.found()) nulls_ = Nulls::without;
        if (!found.not_found()) return found;
    }
    if (nulls_ != Nulls::without) {
        key += '\0';
        auto found = file_->get(key);
        if (found.found()) nulls_ = Nulls::with;
        return found;
    }
    return NotFound{};
}

Lookup<std::string> MapTable::lookup(std::string_view key) {
    if (key.empty() || key.size() > kMaxKeySize) return NotFound{};
    if (!held_) {
        if (auto ready = refresh(); !ready) return std::move(ready).error();
    }
    auto found = find(fold_ == Fold::lower ? fold_case(key) : std::string(key));
    // What was built without smtputf8_enable has only A to Z folded.
    if (fold_ == Fold::lower && found.not_found() && !is_ascii(key)) found = find(to_lower(key));
    if (!held_) unlock();
    if (found.found()) found->resize(without_nulls(*found).size());
    if (found.failed()) {
        release();
        file_.reset();
    }
    return found;
}

void MapTable::hold() {
    held_ = refresh().has_value();
    if (held_) file_->expect_many();
}

void MapTable::release() {
    if (std::exchange(held_, false)) unlock();
}

Result<void> MapTable::each(const Visitor& visit) {
    TRY(refresh());
    auto done = file_->each([&](std::string_view key, std::string_view value) {
        visit(without_nulls(key), without_nulls(value));
    });
    unlock();
    return done;
}

}  // namespace postern::table
