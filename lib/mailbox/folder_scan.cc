#include "lib/mailbox/folder_scan.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>

#include "lib/mailbox/message_name.h"

namespace postern::mailbox {
namespace {

// Kernels stamp with the clock of the last tick (1 to 10 ms), some file systems with whole seconds.
constexpr std::int64_t kTick = 50'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

bool is_young(std::int64_t mtime, std::int64_t now) {
    const std::int64_t grain = mtime % kSecond == 0 ? 2 * kSecond : kTick;
    return mtime + grain > now;
}

Result<void> list_into(sys::Fs& fs, const std::string& directory, bool in_new,
                       std::vector<FoundFile>& out) {
    TRY_ASSIGN(auto entries, fs.list(directory));
    out.reserve(out.size() + entries.size());
    for (auto& entry : entries) {
        const bool file =
            entry.kind == sys::FileInfo::Kind::regular || entry.kind == sys::FileInfo::Kind::other;
        if (file && is_message_name(entry.name)) out.push_back({std::move(entry.name), in_new});
    }
    return {};
}

// A base name that is in both directories counts once, as the file in cur/. True when there was
// none such.
bool unify(std::vector<FoundFile>& fresh, const std::vector<FoundFile>& current) {
    if (fresh.empty()) return true;
    std::unordered_set<std::string_view> in_new;
    for (const FoundFile& file : fresh) in_new.insert(MessageName::parse(file.name).base);
    std::unordered_set<std::string_view> in_both;
    for (const FoundFile& file : current)
        if (const auto base = MessageName::parse(file.name).base; in_new.contains(base))
            in_both.insert(base);
    std::erase_if(fresh, [&](const FoundFile& file) {
        return in_both.contains(MessageName::parse(file.name).base);
    });
    return in_both.empty();
}

}  // namespace

Result<DirectoryState> directory_state(sys::Fs& fs, const Clock& clock, const std::string& folder) {
    const std::int64_t now = clock.now().time_since_epoch().count() * 1000;
    TRY_ASSIGN(const auto new_info, fs.info(folder + "/new"));
    TRY_ASSIGN(const auto cur_info, fs.info(folder + "/cur"));
    DirectoryState state{new_info.mtime_ns, cur_info.mtime_ns, cur_info.inode, false};
    state.young = is_young(state.new_mtime, now) || is_young(state.cur_mtime, now);
    return state;
}

Result<FolderScan> scan_folder(sys::Fs& fs, const Clock& clock, const std::string& folder) {
    FolderScan scan;
    TRY_ASSIGN(scan.state, directory_state(fs, clock, folder));
    std::vector<FoundFile> fresh;
    // new/ first: a file that moves meanwhile is then seen twice and not never.
    TRY(list_into(fs, folder + "/new", true, fresh));
    TRY(list_into(fs, folder + "/cur", false, scan.files));
    // A message that was delivered a second time after a crash, its first copy already in cur/.
    const bool clean = unify(fresh, scan.files);
    std::move(fresh.begin(), fresh.end(), std::back_inserter(scan.files));
    TRY_ASSIGN(const DirectoryState after, directory_state(fs, clock, folder));
    scan.stable = clean && scan.state.same_times(after) && !scan.state.young;
    return scan;
}

}  // namespace postern::mailbox
