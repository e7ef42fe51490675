#include "lib/sys/group_sync.h"

#include <fcntl.h>

namespace postern::sys {

std::vector<Result<void>> sync_files(Fs& fs, std::span<const int> files) {
    std::vector<Result<void>> results;
    if (files.size() >= kWholeFrom) {
        results.assign(files.size(), fs.sync_filesystem(files[0]));
        return results;
    }
    // Start all writes before waiting for the first: they share the journal's commit.
    for (int file : files) results.push_back(files.size() > 1 ? fs.start_sync(file) : Result<void>());
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (results[i]) results[i] = fs.sync(files[i]);
    }
    return results;
}

std::vector<Result<void>> sync_directories(Fs& fs, std::span<const std::string> directories) {
    std::vector<Result<void>> results;
    if (directories.size() >= kWholeFrom) {
        const auto whole = [&]() -> Result<void> {
            TRY_ASSIGN(const Fd any, fs.open(directories[0], O_RDONLY | O_DIRECTORY));
            return fs.sync_filesystem(any.get());
        };
        results.assign(directories.size(), whole());
        return results;
    }
    for (const auto& directory : directories) results.push_back(fs.sync_directory(directory));
    return results;
}

}  // namespace postern::sys
