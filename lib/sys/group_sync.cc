#include "lib/sys/group_sync.h"

#include <fcntl.h>

#include <cerrno>
#include <map>

namespace postern::sys {
namespace {

using Indexes = std::vector<std::size_t>;

// Those of which one file system has enough are synced with it. The rest is returned: each needs a
// sync of its own. What has failed already is neither.
Indexes sync_together(Fs& fs, std::span<const int> files, std::vector<Result<void>>& results) {
    std::map<std::uint64_t, Indexes> by_device;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (!results[i]) continue;
        const auto info = fs.info(files[i]);
        if (info)
            by_device[info->device].push_back(i);
        else
            results[i] = Error(info.error());
    }
    Indexes left;
    for (const auto& [device, members] : by_device) {
        const bool enough = members.size() >= kWholeFrom;
        const auto whole = enough ? fs.sync_filesystem(files[members[0]]) : Result<void>();
        if (!enough || (!whole && whole.error().sys == EOPNOTSUPP)) {
            left.insert(left.end(), members.begin(), members.end());
            continue;
        }
        for (const std::size_t i : members) results[i] = whole;
    }
    return left;
}

Indexes all_of(std::size_t count) {
    Indexes all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(i);
    return all;
}

}  // namespace

std::vector<Result<void>> sync_files(Fs& fs, std::span<const int> files) {
    std::vector<Result<void>> results(files.size());
    const Indexes singly =
        files.size() < kWholeFrom ? all_of(files.size()) : sync_together(fs, files, results);
    // Start all writes before waiting for the first: they share the journal's commit.
    if (singly.size() > 1)
        for (const std::size_t i : singly) results[i] = fs.start_sync(files[i]);
    for (const std::size_t i : singly)
        if (results[i]) results[i] = fs.sync(files[i]);
    return results;
}

std::vector<Result<void>> sync_directories(Fs& fs, std::span<const std::string> directories) {
    std::vector<Result<void>> results(directories.size());
    Indexes singly = all_of(directories.size());
    if (directories.size() >= kWholeFrom) {
        std::vector<Fd> open;
        std::vector<int> numbers;
        for (std::size_t i = 0; i < directories.size(); ++i) {
            auto one = fs.open(directories[i], O_RDONLY | O_DIRECTORY);
            if (!one) results[i] = Error(one.error());
            numbers.push_back(one ? one->get() : -1);
            if (one) open.push_back(std::move(*one));
        }
        singly = sync_together(fs, numbers, results);
    }
    for (const std::size_t i : singly) results[i] = fs.sync_directory(directories[i]);
    return results;
}

}  // namespace postern::sys
