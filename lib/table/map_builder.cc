#include "lib/table/map_builder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"
#include "lib/table/source.h"

namespace postern::table {
namespace {

std::string with_null(std::string_view text, bool null) {
    std::string bytes(text);
    if (null) bytes += '\0';
    return bytes;
}

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

MapBuilder::MapBuilder(std::string path, const Options& options)
    : path_(std::move(path)), draft_(path_ + ".tmp"), options_(options) {}
MapBuilder::MapBuilder(MapBuilder&&) noexcept = default;

MapBuilder::~MapBuilder() {
    file_.reset();
    // Still holding the lock, so the draft is ours. Nothing can be done about a failure here.
    if (lock_) (void)sys::RealFs::instance().unlink(draft_);
}

// The draft file is its own lock. Whoever waited for it may find that the winner has renamed it
// away meanwhile: then the descriptor names the finished table, and we begin again.
Result<void> MapBuilder::lock() {
    auto& fs = sys::RealFs::instance();
    for (;;) {
        TRY_ASSIGN(Fd draft, fs.open(draft_, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
        while (flock(draft.get(), LOCK_EX) != 0) {
            if (errno != EINTR) return sys::system_error(cat({"lock ", draft_}));
        }
        TRY_ASSIGN(const auto held, fs.info(draft.get()));
        const auto named = fs.info(draft_);
        if (!named || named->inode != held.inode || named->device != held.device) continue;
        TRY(fs.truncate(draft.get(), 0));
        lock_ = std::move(draft);
        return {};
    }
}

Result<MapBuilder> MapBuilder::start(MapType type, std::string_view name, const Options& options) {
    MapBuilder builder(cat({name, map_suffix(type)}), options);
    TRY(builder.lock());
    auto mode = MapMode::create;
    if (options.keep_entries) {
        auto present = read_file(builder.path_);
        if (present) {
            mode = MapMode::write;
            TRY(sys::RealFs::instance().write_at(builder.lock_.get(), 0, *present));
        } else if (present.error().code != Errc::not_found) {
            return std::move(present).error();
        }
    }
    std::uint64_t room = options.room;
    TRY_ASSIGN(const auto begun, sys::RealFs::instance().info(builder.lock_.get()));
    room += begun.size;  // what is kept
    TRY_ASSIGN(builder.file_, open_map_file(type, builder.draft_, mode, room));
    return builder;
}

Result<bool> MapBuilder::put(std::string_view key, std::string_view value, bool overwrite) {
    const bool null = options_.trailing_null != TrailingNull::without;
    return file_->put(with_null(key, null), with_null(value, null), overwrite);
}

Result<bool> MapBuilder::remove(std::string_view key) {
    bool removed = false;
    for (const bool null : {true, false}) {
        if (options_.trailing_null && *options_.trailing_null != TrailingNull{null}) continue;
        TRY_ASSIGN(const bool one, file_->remove(with_null(key, null)));
        removed = removed || one;
    }
    return removed;
}

Result<void> MapBuilder::commit() {
    auto& fs = sys::RealFs::instance();
    TRY(file_->close());
    file_.reset();
    if (options_.owner && fchown(lock_.get(), options_.owner->first, options_.owner->second) != 0) {
        return sys::system_error(cat({"change owner of ", draft_}));
    }
    if (fchmod(lock_.get(), options_.mode) != 0) {
        return sys::system_error(cat({"change mode of ", draft_}));
    }
    TRY(fs.sync(lock_.get()));
    TRY(fs.rename(draft_, path_));
    lock_.reset();
    return fs.sync_directory(directory_of(path_));
}

}  // namespace postern::table
