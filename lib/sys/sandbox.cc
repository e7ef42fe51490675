#include "lib/sys/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/fd.h"
#include "lib/sys/error.h"

// Of later kernel headers than Debian 12's; the kernel tells by its ABI number whether it knows them.
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

namespace postern::sys {
namespace {

constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kReadDir = LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kRead = kReadFile | kReadDir;
constexpr std::uint64_t kExecute = LANDLOCK_ACCESS_FS_EXECUTE;
constexpr std::uint64_t kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr std::uint64_t kChange = kWriteFile | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |
                                  LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK;

// What the kernel's landlock knows: 1 = Linux 5.13, 2 = refer, 3 = truncate. 0: none.
int abi_version() {
    const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? 0 : static_cast<int>(version);
}

std::uint64_t since_abi(int abi) {
    return (abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) | (abi >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
}

Result<void> add_rule(int ruleset, const PathRule& rule, std::uint64_t changes, bool may_execute) {
    const Fd found(rule.opened ? -1 : ::open(rule.path.c_str(), O_PATH | O_CLOEXEC));
    const int path = rule.opened ? rule.opened->get() : found.get();
    if (path < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return {};
    if (path < 0) return system_error("sandbox path " + rule.path);
    struct stat st {};
    if (::fstat(path, &st) != 0) return system_error("sandbox path " + rule.path);
    std::uint64_t access = kRead | (may_execute ? kExecute : 0);
    if (rule.access == PathRule::Access::write) access |= changes;
    if (rule.access == PathRule::Access::list) access = S_ISDIR(st.st_mode) ? kReadDir : 0;
    if (access == 0) return {};
    // A rule on a file may hold only what can be done to files.
    if (!S_ISDIR(st.st_mode)) access &= kReadFile | kWriteFile | kExecute | LANDLOCK_ACCESS_FS_TRUNCATE;
    const landlock_path_beneath_attr beneath{access, path};
    if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0)
        return system_error("sandbox rule for " + rule.path);
    return {};
}

Result<void> apply_landlock(int abi, bool may_execute, const std::vector<PathRule>& paths) {
    const std::uint64_t changes = kChange | since_abi(abi);
    landlock_ruleset_attr attributes{};
    attributes.handled_access_fs = kRead | kExecute | changes | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
    const Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
    if (!ruleset) return system_error("sandbox rules");
    for (const auto& rule : paths) TRY(add_rule(ruleset.get(), rule, changes, may_execute));
    if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return system_error("sandbox");
    return {};
}

}  // namespace

Result<void> restrict_early() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("no_new_privs");
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0) return system_error("limit core files");
    return {};
}

Result<Restriction> restrict(Promises promises, const std::vector<PathRule>& paths) {
    TRY(restrict_early());
    // Not traceable by other processes of the same uid, and no core file.
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_error("not dumpable");
    if (!has(promises, Promise::fork) && !has(promises, Promise::exec) && ::getuid() != 0) {
        // Threads count as processes (cleanup has one), and others of our uid do too: the limit only stops bombs.
        const rlimit processes{4096, 4096};
        rlimit now{};
        if (::getrlimit(RLIMIT_NPROC, &now) == 0 && (now.rlim_cur == RLIM_INFINITY || now.rlim_cur > processes.rlim_cur))
            if (::setrlimit(RLIMIT_NPROC, &processes) != 0) return system_error("limit processes");
    }
    const int abi = abi_version();
    if (abi == 0) return Restriction{false, "this kernel has no landlock: file access is limited by uid only"};
    TRY(apply_landlock(abi, has(promises, Promise::exec), paths));
    return Restriction{true, {}};
}

}  // namespace postern::sys
