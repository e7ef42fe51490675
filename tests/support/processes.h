// What tests ask about processes: which descriptors this one has, how a child of it ends.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <iterator>

namespace postern::support {

// To be compared with an earlier answer.
inline std::size_t open_descriptors() {
    const auto begin = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

// Runs act in a child, so that this process keeps its signals and its rights; act's value (0 to
// 255), or -1 when a signal ended it.
inline int in_child(const std::function<int()>& act) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(act());
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace postern::support
