#include "postscreen/cache.h"

#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "lib/base/strings.h"
#include "lib/sys/fs.h"

namespace postern::postscreen {
namespace {

// Postfix's Berkeley DB tables count the null byte behind a string.
std::string with_null(std::string_view text) {
    std::string out(text);
    out += '\0';
    return out;
}

std::string_view without_null(std::string_view text) {
    while (text.ends_with('\0')) text.remove_suffix(1);
    return text;
}

}  // namespace

std::string Passed::str() const {
    std::string out;
    for (const auto time : until) out += cat({out.empty() ? "" : ";", std::to_string(time)});
    return out;
}

std::optional<Passed> Passed::parse(std::string_view text) {
    const auto parts = split(text, ';');
    Passed passed;
    if (parts.empty() || parts.size() > kTests) return std::nullopt;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto time = parse_number<std::int64_t>(parts[i]);
        if (!time) return std::nullopt;
        passed.until[i] = *time;
    }
    return passed;
}

Result<Cache> Cache::open(std::string_view map) {
    Cache cache;
    map = trim(map);
    if (map.starts_with("proxy:")) map.remove_prefix(6);
    if (map.empty()) return cache;
    const auto colon = map.find(':');
    const auto type = table::buildable_type(map.substr(0, colon));
    if (colon == std::string_view::npos || !type || *type == table::MapType::cdb)
        return Error{Errc::invalid, cat({"parameter postscreen_cache_map: \"", map,
                                         "\": expected btree:, hash: or lmdb: and a path"})};
    cache.type_ = type;
    cache.path_ = cat({map.substr(colon + 1), table::map_suffix(*type)});
    return cache;
}

Passed Cache::find(const std::string& client) {
    if (const auto fresh = fresh_.find(client); fresh != fresh_.end()) return fresh->second;
    if (!type_) return {};
    if (!reader_) {
        auto opened = table::open_map_file(*type_, path_, table::MapMode::read);
        if (!opened) return {};
        reader_ = *std::move(opened);
    }
    auto found = reader_->get(with_null(client));
    if (found.not_found()) found = reader_->get(client);
    if (!found.found()) return {};
    return Passed::parse(without_null(*found)).value_or(Passed{});
}

void Cache::store(const std::string& client, const Passed& passed) {
    if (fresh_.size() >= kMaxUnwritten) fresh_.clear();  // a file that cannot be written for long
    fresh_[client] = passed;
}

Result<std::unique_ptr<table::MapFile>> Cache::open_to_write() {
    auto& fs = sys::RealFs::instance();
    const auto info = fs.info(path_);
    if (info && info->size > 0) return table::open_map_file(*type_, path_, table::MapMode::write);
    TRY(fs.open(path_, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    return table::open_map_file(*type_, path_, table::MapMode::create);
}

Result<void> Cache::write() {
    if (!unwritten()) return {};
    reader_.reset();
    TRY_ASSIGN(auto file, open_to_write());
    for (const auto& [client, passed] : fresh_)
        TRY(file->put(with_null(client), with_null(passed.str()), true));
    TRY(file->close());
    fresh_.clear();
    return {};
}

Result<Cache::Cleaned> Cache::clean(std::int64_t oldest) {
    Cleaned cleaned;
    std::erase_if(fresh_, [&](const auto& entry) {
        const auto& times = entry.second.until;
        return !type_ && *std::max_element(times.begin(), times.end()) < oldest;
    });
    if (!type_) {
        cleaned.kept = fresh_.size();
        return cleaned;
    }
    TRY(write());
    reader_.reset();
    const auto info = sys::RealFs::instance().info(path_);
    if (!info || info->size == 0) return cleaned;
    TRY_ASSIGN(auto file, table::open_map_file(*type_, path_, table::MapMode::write));
    std::vector<std::string> expired;
    TRY(file->each([&](std::string_view key, std::string_view value) {
        const auto passed = Passed::parse(without_null(value));
        // A key of Postfix's own ("_LAST_CACHE_CLEANUP_COMPLETED_") is no client.
        if (!passed || key.starts_with('_')) return;
        const bool old = *std::max_element(passed->until.begin(), passed->until.end()) < oldest;
        if (old) expired.emplace_back(key);
        cleaned.kept += old ? 0 : 1;
    }));
    for (const auto& key : expired) TRY(file->remove(key));
    cleaned.removed = expired.size();
    TRY(file->close());
    return cleaned;
}

}  // namespace postern::postscreen
