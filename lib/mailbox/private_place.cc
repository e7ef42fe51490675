#include "lib/mailbox/private_place.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <vector>

#include "lib/base/strings.h"
#include "lib/mailbox/remove_tree.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kMark = ".absent";
constexpr std::string_view kLastLook = "/.looked";
constexpr std::int64_t kDay = 24 * 60 * 60;
constexpr std::int64_t kAbsentFor = 30 * kDay;

std::int64_t seconds_now(const Clock& clock) {
    return std::chrono::duration_cast<Seconds>(clock.now().time_since_epoch()).count();
}

// "Other.ann.17" of "Other.ann.17.metadata.lock". Empty: it is none of ours.
std::string group_of(std::string_view name) {
    if (name.ends_with(".lock")) name.remove_suffix(5);
    if (name.ends_with(".new")) name.remove_suffix(4);
    for (const std::string_view end :
         {PrivatePlace::kMetadata, PrivatePlace::kUrlKey, PrivatePlace::kTextIndex, kMark})
        if (name.ends_with(end)) {
            name.remove_suffix(end.size());
            break;
        }
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return {};
    return parse_number<std::uint32_t>(name.substr(dot + 1)) ? std::string(name) : std::string();
}

// A file whose mtime says when something was.
Result<void> stamp_file(sys::Fs& fs, const std::string& path, std::int64_t now) {
    { TRY_ASSIGN(const Fd made, fs.open(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600)); }
    return fs.set_times(path, now);
}

// How long ago; nothing where there is no such file. One from the future is not old.
std::optional<std::int64_t> age_of(sys::Fs& fs, const std::string& path, std::int64_t now) {
    const auto info = fs.info(path);
    if (!info) return std::nullopt;
    return now - info->mtime_ns / 1'000'000'000;
}

Result<void> make_private(sys::Fs& fs, const std::string& path) {
    auto made = fs.make_directory(path, 0700);
    if (!made && !fs.info(path)) return made;
    return {};
}

// Another session may have been quicker.
Result<void> unless_gone(Result<void> removed) {
    if (!removed && removed.error().code == Errc::not_found) return {};
    return removed;
}

}  // namespace

std::string private_group(std::string_view name_space, std::uint32_t uid_validity) {
    return cat({name_space, ".", std::to_string(uid_validity)});
}

std::string PrivatePlace::file(std::uint32_t uid_validity, std::string_view which) const {
    return cat({folder, "/", private_group(name_space, uid_validity), which});
}

Result<void> PrivatePlace::make() const { return make_private(*fs, folder); }

Result<void> PrivatePlace::make(std::uint32_t uid_validity, std::string_view which) const {
    TRY(make());
    return make_private(*fs, file(uid_validity, which));
}

Result<void> forget_absent(sys::Fs& fs, const Clock& clock, const std::string& folder,
                           const std::function<bool(const std::string& group)>& is_there) {
    const std::int64_t now = seconds_now(clock);
    const auto looked = age_of(fs, cat({folder, kLastLook}), now);
    if (looked && *looked >= 0 && *looked < kDay) return {};
    auto entries = fs.list(folder);
    if (!entries && entries.error().code == Errc::not_found) return {};
    if (!entries) return std::move(entries).error();
    std::map<std::string, std::vector<std::string>> groups;
    for (const auto& entry : *entries)
        if (std::string group = group_of(entry.name); !group.empty())
            groups[std::move(group)].push_back(entry.name);
    for (const auto& [group, names] : groups) {
        const std::string mark = cat({folder, "/", group, kMark});
        const auto absent = age_of(fs, mark, now);
        if (is_there(group)) {
            if (absent) TRY(unless_gone(fs.unlink(mark)));
        } else if (!absent) {
            TRY(stamp_file(fs, mark, now));
        } else if (*absent > kAbsentFor) {
            for (const std::string& name : names)
                TRY(unless_gone(remove_tree(fs, cat({folder, "/", name}))));
        }
    }
    return stamp_file(fs, cat({folder, kLastLook}), now);
}

Result<void> remove_private_url_keys(sys::Fs& fs, const std::string& folder) {
    auto entries = fs.list(folder);
    if (!entries && entries.error().code == Errc::not_found) return {};
    if (!entries) return std::move(entries).error();
    for (const auto& entry : *entries) {
        if (!entry.name.ends_with(PrivatePlace::kUrlKey)) continue;
        TRY(unless_gone(fs.unlink(cat({folder, "/", entry.name}))));
    }
    return {};
}

}  // namespace postern::mailbox
