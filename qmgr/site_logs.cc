// SiteLogs: see site_logs.h.
#include "qmgr/site_logs.h"

#include <fcntl.h>

#include <unordered_set>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/directories.h"

namespace postern::qmgr {
namespace {

constexpr std::size_t kMaxSites = 100'000;
constexpr std::size_t kMaxLogRead = std::size_t{64} << 20;
constexpr std::string_view kBegun = "begun ";

std::string_view domain_of_address(std::string_view address) {
    return address.substr(address.rfind('@') + 1);
}

// What a stranger names is a name in flush/ and nothing else. Two sites that share a file by this
// cost attempts, no mail.
std::string log_path(std::string_view site) {
    std::string path = cat({queue::kSiteLogs, "/"});
    const std::size_t start = path.size();
    for (const char c : to_lower(site.substr(0, 255))) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                           (c == '.' && path.size() > start);
        path += plain ? c : '_';
    }
    return path.size() > start ? path : path + "_";
}

std::int64_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
}

}  // namespace

void SiteLogs::serve(std::string_view address) {
    if (sites_.size() >= kMaxSites) return;
    const std::string_view domain = domain_of_address(address);
    if (!domain.empty()) sites_.try_emplace(log_path(domain));
}

void SiteLogs::note(std::string_view address, const QueueId& id, WallTime now) {
    if (sites_.empty()) return;
    const auto site = sites_.find(log_path(domain_of_address(address)));
    if (site == sites_.end() || site->second.last.str() == id.str()) return;
    const auto written = append(site->first, id, now, site->second.begun);
    site->second.begun = written.has_value();
    if (written) {
        site->second.last = id;
    } else if (!std::exchange(complained_, true)) {
        log::warning(id.str(), written.error().what);
    }
}

Result<void> SiteLogs::append(const std::string& path, const QueueId& id, WallTime now,
                              bool begun) {
    TRY_ASSIGN(const Fd file,
               fs_.open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
    std::string text;
    if (!begun) {
        TRY_ASSIGN(const auto info, fs_.info(file.get()));
        if (info.kind != sys::FileInfo::Kind::regular)
            return Error{Errc::invalid, cat({path, ": not a plain file"})};
        // What was there may end in the middle of a line.
        text = info.size > 0 ? "\n" : cat({kBegun, std::to_string(seconds_of(now)), "\n"});
    }
    return fs_.write(file.get(), cat({text, id.str(), "\n"}));
}

Result<std::vector<QueueId>> SiteLogs::take(std::string_view site) {
    return take_file(log_path(site));
}

// Removed before anything is delivered: what a crash forgets is delivered at its own time.
Result<std::vector<QueueId>> SiteLogs::take_file(const std::string& path) {
    std::vector<QueueId> ids;
    if (const auto site = sites_.find(path); site != sites_.end()) site->second = Site{};
    auto file = queue::open_plain_file(fs_, path, O_RDONLY);
    if (!file && file.error().code == Errc::not_found) return ids;
    if (!file) return std::move(file).error();
    TRY_ASSIGN(const auto info, fs_.info(file->get()));
    TRY_ASSIGN(const std::string text,
               fs_.read_at(file->get(), 0, std::min<std::size_t>(info.size, kMaxLogRead)));
    TRY(fs_.unlink(path));
    std::unordered_set<std::string_view> seen;
    for (const std::string_view line : split(text, '\n')) {
        if (!seen.insert(line).second) continue;
        if (auto id = QueueId::parse(line)) ids.push_back(std::move(*id));
    }
    return ids;
}

// One without a first line that can be read is old.
Result<bool> SiteLogs::is_old(const std::string& path, WallTime now) {
    constexpr std::size_t kFirstLine = 32;
    TRY_ASSIGN(const Fd file, queue::open_plain_file(fs_, path, O_RDONLY));
    TRY_ASSIGN(const auto info, fs_.info(file.get()));
    TRY_ASSIGN(const std::string text,
               fs_.read_at(file.get(), 0, std::min<std::size_t>(info.size, kFirstLine)));
    const std::string_view line = std::string_view(text).substr(0, text.find('\n'));
    if (!line.starts_with(kBegun)) return true;
    const auto begun = parse_number<std::int64_t>(line.substr(kBegun.size()));
    return !begun || *begun + old_.count() <= seconds_of(now);
}

std::vector<QueueId> SiteLogs::take_old(WallTime now) {
    std::vector<QueueId> all;
    const auto logs = fs_.list(std::string(queue::kSiteLogs));
    if (!logs) {
        if (logs.error().code != Errc::not_found) log::warning("", logs.error().what);
        return all;
    }
    for (const sys::DirEntry& log : *logs) {
        const std::string path = cat({queue::kSiteLogs, "/", log.name});
        if (log.kind != sys::FileInfo::Kind::regular) continue;
        const auto old = is_old(path, now);
        if (old && !*old) continue;
        auto ids = old ? take_file(path) : Result<std::vector<QueueId>>(old.error());
        if (!ids) {
            log::warning("", ids.error().what);
            continue;
        }
        all.insert(all.end(), ids->begin(), ids->end());
    }
    return all;
}

}  // namespace postern::qmgr
