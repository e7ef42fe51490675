#include "lib/table/cache_file.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cstdio>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"

namespace postern::table {
namespace {

constexpr std::string_view kProxy = "proxy:";

// As postmap on Linux: keys and values end with a null byte.
std::string terminated(std::string_view text) { return std::string(text) + '\0'; }
std::string_view bare(std::string_view bytes) { return bytes.substr(0, bytes.find('\0')); }

// While it lives, nobody who reads with postmap sees half of a change.
class WriteLock {
  public:
    explicit WriteLock(int file) : file_(file) { held_ = ::flock(file_, LOCK_EX) == 0; }
    ~WriteLock() {
        if (held_) ::flock(file_, LOCK_UN);
    }
    WriteLock(const WriteLock&) = delete;
    WriteLock& operator=(const WriteLock&) = delete;

  private:
    int file_;
    bool held_;
};

}  // namespace

Result<CacheFile> CacheFile::open(std::string_view spec) {
    CacheFile cache;
    spec = trim(spec);
    if (spec.empty()) return cache;
    if (spec.starts_with(kProxy)) spec.remove_prefix(kProxy.size());
    const auto parts = split_once(spec, ':');
    const auto type = parts ? buildable_type(parts->first) : std::nullopt;
    if (!type || *type == MapType::cdb || parts->second.empty())
        return Error{Errc::invalid, cat({"cache \"", spec,
                                         "\": expected btree:, hash: or lmdb: and a file name"})};
    const std::string path = cat({parts->second, map_suffix(*type)});
    if (auto begun = cache.begin(*type, path); begun) return cache;
    // Of another kind, or torn by a power cut.
    if (std::rename(path.c_str(), cat({path, ".unreadable"}).c_str()) == 0) cache.set_aside_ = path;
    TRY(cache.begin(*type, path));
    return cache;
}

Result<void> CacheFile::begin(MapType type, std::string path) {
    const bool exists = sys::RealFs::instance().info(path).has_value();
    TRY_ASSIGN(file_, open_map_file(type, path, exists ? MapMode::write : MapMode::create));
    if (!exists) TRY(file_->sync());
    TRY_ASSIGN(lock_, sys::RealFs::instance().open(path, O_RDONLY | O_CLOEXEC, 0));
    path_ = std::move(path);
    return {};
}

Lookup<std::string> CacheFile::get(std::string_view key) {
    if (in_memory()) {
        const auto found = memory_.find(key);
        if (found == memory_.end()) return NotFound{};
        return found->second;
    }
    auto found = file_->get(terminated(key));
    if (found.not_found()) found = file_->get(key);
    if (!found.found()) return found;
    return std::string(bare(*found));
}

Result<void> CacheFile::put(std::string_view key, std::string_view value) {
    if (in_memory()) {
        memory_.insert_or_assign(std::string(key), std::string(value));
        return {};
    }
    const WriteLock lock(lock_.get());
    TRY(file_->put(terminated(key), terminated(value), true));
    return file_->sync();
}

Result<void> CacheFile::remove(const std::vector<std::string>& keys) {
    if (in_memory()) {
        for (const std::string& key : keys) memory_.erase(key);
        return {};
    }
    const WriteLock lock(lock_.get());
    for (const std::string& key : keys) {
        TRY_ASSIGN(const bool removed, file_->remove(terminated(key)));
        if (!removed) TRY(file_->remove(key));
    }
    return file_->sync();
}

Result<void> CacheFile::each(const MapFile::Visitor& visit) {
    if (!in_memory())
        return file_->each(
            [&](std::string_view key, std::string_view value) { visit(bare(key), bare(value)); });
    for (const auto& [key, value] : memory_) visit(key, value);
    return {};
}

}  // namespace postern::table
