#include "lib/mailbox/folder_scan.h"

#include <algorithm>
#include <unordered_map>

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
    TRY_ASSIGN(const auto entries, fs.list(directory));
    for (const auto& entry : entries) {
        const bool file =
            entry.kind == sys::FileInfo::Kind::regular || entry.kind == sys::FileInfo::Kind::other;
        if (file && is_message_name(entry.name)) out.push_back({entry.name, in_new, false});
    }
    return {};
}

// Moves files of new/ to cur/; false when somebody else moved one under our hands.
bool take_over_new(sys::Fs& fs, const std::string& folder, std::vector<FoundFile>& files) {
    bool undisturbed = true;
    for (FoundFile& file : files) {
        if (!file.in_new) continue;
        const auto parts = MessageName::parse(file.name);
        const std::string target = file.name + (parts.info.empty() ? ":2," : "");
        auto moved = fs.rename(folder + "/new/" + file.name, folder + "/cur/" + target);
        if (moved) {
            file = {target, false, true};
        } else if (moved.error().code == Errc::not_found) {
            undisturbed = false;
        }  // otherwise it stays in new/, readable from there
    }
    return undisturbed;
}

// Keeps one file per base name; the one in cur/ wins. True when there was nothing to remove.
bool unify(std::vector<FoundFile>& files) {
    std::unordered_map<std::string_view, std::size_t> seen;
    seen.reserve(files.size());
    std::vector<bool> drop(files.size());
    bool clean = true;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto [at, inserted] = seen.try_emplace(MessageName::parse(files[i].name).base, i);
        if (inserted) continue;
        clean = false;
        drop[files[i].in_new ? i : at->second] = true;
        if (!files[i].in_new) at->second = i;
    }
    if (clean) return true;
    std::vector<FoundFile> kept;
    for (std::size_t i = 0; i < files.size(); ++i)
        if (!drop[i]) kept.push_back(std::move(files[i]));
    files = std::move(kept);
    return false;
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

Result<FolderScan> scan_folder(sys::Fs& fs, const Clock& clock, const std::string& folder,
                               bool take_over) {
    FolderScan scan;
    TRY_ASSIGN(scan.state, directory_state(fs, clock, folder));
    std::vector<FoundFile> fresh;
    // new/ first: a file that moves meanwhile is then seen twice and not never.
    TRY(list_into(fs, folder + "/new", true, fresh));
    TRY(list_into(fs, folder + "/cur", false, scan.files));
    // A message that was delivered a second time after a crash, its first copy already in cur/:
    // taking it over could hide the first one, so such a file stays where it is.
    std::vector<FoundFile> all = fresh;
    all.insert(all.end(), scan.files.begin(), scan.files.end());
    bool clean = unify(all);
    if (take_over) clean = take_over_new(fs, folder, all) && clean;
    scan.files = std::move(all);
    TRY_ASSIGN(const DirectoryState after, directory_state(fs, clock, folder));
    scan.stable = clean && scan.state.same_times(after) && !scan.state.young;
    return scan;
}

}  // namespace postern::mailbox
