// Files: the Fs seam's real side, replacing, locks, pipes, and what errno becomes.

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "lib/sys/disk_space.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"
#include "lib/sys/group_sync.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/processes.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace postern::sys {
namespace {

using support::open_descriptors;
using support::TempFolder;

RealFs& fs() { return RealFs::instance(); }

std::string contents(const std::string& path) {
    return read_file(path, 1 << 20).value_or("(unreadable)");
}

TEST(SystemError, ClassesDecideWhatAMailSystemDoes) {
    const std::pair<int, Errc> cases[] = {
        {ENOENT, Errc::not_found},     {EACCES, Errc::denied},          {EPERM, Errc::denied},
        {EROFS, Errc::denied},         {ENOSPC, Errc::no_space},        {EDQUOT, Errc::no_space},
        {EMFILE, Errc::no_space},      {ENFILE, Errc::no_space},        {EINVAL, Errc::invalid},
        {ENAMETOOLONG, Errc::invalid}, {ETIMEDOUT, Errc::timeout},      {EPIPE, Errc::closed},
        {ECONNRESET, Errc::closed},    {ECONNREFUSED, Errc::temporary}, {EIO, Errc::temporary},
        {ENOMEM, Errc::temporary},     {EAGAIN, Errc::temporary},       {99999, Errc::temporary},
    };
    for (const auto& [number, code] : cases) {
        EXPECT_EQ(system_error("x", number).code, code) << number;
        EXPECT_EQ(system_error("x", number).sys, number);
    }
    errno = ENOENT;
    EXPECT_EQ(system_error("open incoming/4Xy").what,
              "open incoming/4Xy: No such file or directory");
}

// --- RealFs ---

TEST(RealFs, WritesReadsAndTellsAboutAFile) {
    TempFolder folder;
    const std::string path = folder / "f";
    const Fd fd = *fs().open(path, O_RDWR | O_CREAT | O_EXCL, 0640);
    EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    ASSERT_TRUE(fs().write(fd.get(), "0123456789"));
    ASSERT_TRUE(fs().write(fd.get(), ""));
    ASSERT_TRUE(fs().write_at(fd.get(), 2, "ab"));
    EXPECT_EQ(*fs().read_at(fd.get(), 0, 100), "01ab456789") << "shorter at the end of the file";
    EXPECT_EQ(*fs().read_at(fd.get(), 10, 1), "");
    EXPECT_EQ(*fs().read_at(fd.get(), 1, 0), "");
    ASSERT_TRUE(fs().truncate(fd.get(), 4));
    ASSERT_TRUE(fs().start_sync(fd.get()));
    ASSERT_TRUE(fs().sync(fd.get()));
    ASSERT_TRUE(fs().sync_filesystem(fd.get()));
    ASSERT_TRUE(fs().set_times(path, 1'000'000'000));
    const auto info = *fs().info(fd.get());
    EXPECT_EQ(info.size, 4U);
    EXPECT_EQ(info.kind, FileInfo::Kind::regular);
    EXPECT_EQ(info.mtime_ns, 1'000'000'000'000'000'000);
    EXPECT_EQ(info.links, 1U);
    EXPECT_EQ(info.uid, ::geteuid());
    ASSERT_TRUE(fs().link(path, folder / "g"));
    EXPECT_EQ(fs().info(folder / "g")->inode, info.inode);
    EXPECT_EQ(fs().info(path)->links, 2U);
}

TEST(RealFs, ListsEveryKindAndNoDots) {
    TempFolder folder;
    ASSERT_TRUE(fs().make_directory(folder / "dir", 0700));
    ASSERT_TRUE(fs().open(folder / "file", O_WRONLY | O_CREAT, 0600));
    ASSERT_EQ(::symlink("nowhere", (folder / "link").c_str()), 0);
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    std::map<std::string, FileInfo::Kind> kinds;
    const auto entries = *fs().list(folder.path());
    for (const auto& entry : entries) {
        kinds[entry.name] = entry.kind;
        EXPECT_EQ(fs().info(folder / entry.name)->kind, entry.kind) << entry.name;
        EXPECT_EQ(fs().info(folder / entry.name)->inode, entry.inode) << entry.name;
    }
    using Kind = FileInfo::Kind;
    EXPECT_EQ(kinds, (std::map<std::string, Kind>{{"dir", Kind::directory},
                                                  {"file", Kind::regular},
                                                  {"link", Kind::symlink},
                                                  {"fifo", Kind::fifo}}));
    ASSERT_TRUE(fs().sync_directory(folder.path()));
    ASSERT_TRUE(fs().remove_directory(folder / "dir"));
    EXPECT_EQ(fs().list(folder.path())->size(), 3U);
}

TEST(RealFs, ErrorsNameTheObjectAndLeakNothing) {
    TempFolder folder;
    const std::string none = folder / "none";
    const Fd full = *fs().open("/dev/full", O_WRONLY, 0);
    const auto before = open_descriptors();
    const std::pair<Error, std::string> cases[] = {
        {fs().open(none, O_RDONLY, 0).error(), "open " + none + ": No such file or directory"},
        {fs().info(none).error(), "stat " + none + ": No such file or directory"},
        {fs().rename(none, folder / "x").error(),
         "rename " + none + " to " + (folder / "x") + ": No such file or directory"},
        {fs().link(none, folder / "x").error(),
         "link " + none + " to " + (folder / "x") + ": No such file or directory"},
        {fs().unlink(none).error(), "unlink " + none + ": No such file or directory"},
        {fs().remove_directory(none).error(), "rmdir " + none + ": No such file or directory"},
        {fs().list(none).error(), "open directory " + none + ": No such file or directory"},
        {fs().sync_directory(none).error(), "open " + none + ": No such file or directory"},
        {fs().set_times(none, 1).error(), "set times of " + none + ": No such file or directory"},
        {fs().set_mode(none, 0600).error(), "chmod " + none + ": No such file or directory"},
        {fs().make_directory(none + "/x", 0700).error(),
         "mkdir " + none + "/x: No such file or directory"},
        {fs().read_at(-1, 0, 1).error(), "read descriptor -1: Bad file descriptor"},
        {fs().write(full.get(), "x").error(), "write /dev/full: No space left on device"},
        {fs().write(-1, "x").error(), "write descriptor -1: Bad file descriptor"},
        {fs().write_at(-1, 0, "x").error(), "write descriptor -1: Bad file descriptor"},
        {fs().truncate(-1, 0).error(), "truncate descriptor -1: Bad file descriptor"},
        {fs().sync(-1).error(), "fsync descriptor -1: Bad file descriptor"},
        {fs().start_sync(-1).error(), "sync_file_range descriptor -1: Bad file descriptor"},
        {fs().sync_filesystem(-1).error(), "syncfs descriptor -1: Bad file descriptor"},
        {fs().info(-1).error(), "stat descriptor -1: Bad file descriptor"},
        {free_space(none).error(), "statvfs " + none + ": No such file or directory"},
    };
    for (const auto& [error, what] : cases) EXPECT_EQ(error.what, what);
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_GT(*free_space(folder.path()), 0U);
}

TEST(FreeSpace, AsksAgainAfterASecond) {
    const support::TempFolder folder;
    const std::string path = folder.path() + "/disk";
    ASSERT_TRUE(fs().make_directory(path, 0700));
    support::FakeClock clock;
    FreeSpace space(path, clock);
    const auto before = space.bytes();
    ASSERT_TRUE(before);
    EXPECT_GT(*before, 0U);
    ASSERT_EQ(::rmdir(path.c_str()), 0);
    EXPECT_EQ(*space.bytes(), *before) << "what was seen serves";
    clock.advance(Micros{1'000'000});
    EXPECT_EQ(space.bytes().error().code, Errc::not_found);
}

TEST(RealFs, AFullDiskIsAnError) {
    const Fd full = *fs().open("/dev/full", O_WRONLY, 0);
    const auto written = fs().write(full.get(), "x");
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::no_space);
    // A file may not grow beyond the process's limit: the first part is written, the rest is not.
    TempFolder folder;
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit small{1000, 1000};
        ::setrlimit(RLIMIT_FSIZE, &small);
        static_cast<void>(::signal(SIGXFSZ, SIG_IGN));
        const Fd fd = *fs().open(folder / "f", O_WRONLY | O_CREAT, 0600);
        const auto long_one = fs().write(fd.get(), std::string(1500, 'x'));
        ::_exit(long_one || long_one.error().code != Errc::no_space ? 1 : 0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(fs().info(folder / "f")->size, 1000U) << "short write, then the error";
}

// --- read_file ---

TEST(ReadFile, TakesWhatFitsAndNoMore) {
    TempFolder folder;
    const std::string path = folder / "f";
    for (std::size_t size : {0U, 1U, 9U, 10U, 11U, 70'000U, 200'000U}) {
        ASSERT_TRUE(replace_file(path, std::string(size, 'x')));
        EXPECT_EQ(read_file(path, size)->size(), size);
        EXPECT_EQ(read_file(path, 1 << 20)->size(), size);
        EXPECT_EQ(read_file(path, SIZE_MAX)->size(), size);
        if (size == 0) continue;
        const auto too_long = read_file(path, size - 1);
        ASSERT_FALSE(too_long) << size;
        EXPECT_EQ(too_long.error().what,
                  "read " + path + ": longer than " + std::to_string(size - 1) + " bytes");
    }
}

TEST(ReadFile, DoesNotWaitAtAFifoNorReadDevices) {
    TempFolder folder;
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    for (const std::string& path : {folder / "fifo", std::string("/dev/zero"), folder.path()})
        EXPECT_EQ(read_file(path, 100).error().what, "read " + path + ": not a regular file");
}

TEST(ReadFile, ReadsWhatTellsNoSize) {
    // Files below /proc say that they have 0 bytes.
    EXPECT_NE(read_file("/proc/self/status", 1 << 16)->find("Name:"), std::string::npos);
}

// --- replace_file ---

TEST(ReplaceFile, MakesOneAndKeepsTheModeOfOne) {
    TempFolder folder;
    const mode_t old_mask = ::umask(077);
    ASSERT_TRUE(replace_file(folder / "f", "one", 0644));
    ::umask(old_mask);
    EXPECT_EQ(fs().info(folder / "f")->mode, 0644U) << "whatever the umask";
    ASSERT_TRUE(fs().set_mode(folder / "f", 0600));
    ASSERT_TRUE(replace_file(folder / "f", "two", 0644));
    EXPECT_EQ(fs().info(folder / "f")->mode, 0600U);
    EXPECT_EQ(contents(folder / "f"), "two");
    EXPECT_EQ(fs().list(folder.path())->size(), 1U) << "no temporary file stays";
}

TEST(ReplaceFile, WritesThroughASymbolicLink) {
    TempFolder folder;
    ASSERT_TRUE(fs().make_directory(folder / "real", 0700));
    ASSERT_TRUE(replace_file(folder / "real/main.cf", "one", 0640));
    ASSERT_EQ(::symlink("real/main.cf", (folder / "main.cf").c_str()), 0);
    ASSERT_TRUE(replace_file(folder / "main.cf", "two"));
    EXPECT_EQ(fs().info(folder / "main.cf")->kind, FileInfo::Kind::symlink) << "the link stays";
    EXPECT_EQ(contents(folder / "real/main.cf"), "two");
    EXPECT_EQ(fs().info(folder / "real/main.cf")->mode, 0640U) << "not the link's 0777";
    EXPECT_EQ(fs().list(folder / "real")->size(), 1U);
    ASSERT_EQ(::symlink("nowhere", (folder / "dangling").c_str()), 0);
    EXPECT_EQ(replace_file(folder / "dangling", "x").error().code, Errc::not_found);
    ASSERT_EQ(::symlink("loop", (folder / "loop").c_str()), 0);
    EXPECT_FALSE(replace_file(folder / "loop", "x"));
}

TEST(ReplaceFile, GetsPastTheLeftoverOfADeadProcess) {
    TempFolder folder;
    const std::string leftover = folder / ("f.tmp." + std::to_string(::getpid()));
    ASSERT_TRUE(replace_file(folder / "victim", "safe"));
    ASSERT_EQ(::symlink("victim", leftover.c_str()), 0);
    ASSERT_TRUE(replace_file(folder / "f", "new"));
    EXPECT_EQ(contents(folder / "f"), "new");
    EXPECT_EQ(contents(folder / "victim"), "safe");
    EXPECT_FALSE(fs().info(leftover));
}

TEST(ReplaceFile, FailsWithoutATrace) {
    TempFolder folder;
    const auto before = open_descriptors();
    const auto none = replace_file(folder / "no/f", "x");
    EXPECT_EQ(none.error().code, Errc::not_found);
    EXPECT_TRUE(none.error().what.starts_with("replace " + (folder / "no/f"))) << none.error().what;
    ASSERT_TRUE(fs().make_directory(folder / "d", 0700));
    EXPECT_FALSE(replace_file(folder / "d", "x")) << "a folder is not replaced";
    EXPECT_EQ(fs().list(folder.path())->size(), 1U);
    EXPECT_EQ(open_descriptors(), before);
}

// --- Locks ---

TEST(Locks, AreHeldAcrossForkAndEndWithTheLastHolder) {
    TempFolder folder;
    const std::string path = folder / "lock";
    auto first = lock_file(path, Deadline::in(Millis{0}));
    ASSERT_TRUE(first);
    auto pipe = *make_pipe();
    const pid_t child = ::fork();
    if (child == 0) {
        pipe.writing.reset();
        char byte = 0;
        ASSERT_TRUE(set_nonblocking(pipe.reading.get(), false));
        while (::read(pipe.reading.get(), &byte, 1) > 0) continue;
        ::_exit(0);
    }
    first->reset();
    const auto held = lock_file(path, Deadline::in(Millis{30}));
    ASSERT_FALSE(held) << "the child holds it still";
    EXPECT_EQ(held.error().code, Errc::timeout);
    pipe.writing.reset();
    EXPECT_TRUE(lock_file(path, Deadline::in(Millis{10'000}))) << "waits for its end";
    ::waitpid(child, nullptr, 0);
}

TEST(Locks, ShareAndExclude) {
    TempFolder folder;
    const auto open = [&] { return *fs().open(folder / "lock", O_RDWR | O_CREAT, 0600); };
    const Fd a = open(), b = open(), c = open();
    EXPECT_TRUE(*try_lock(a.get(), LockKind::shared));
    EXPECT_TRUE(*try_lock(b.get(), LockKind::shared));
    EXPECT_FALSE(*try_lock(c.get(), LockKind::exclusive));
    EXPECT_TRUE(*try_lock(a.get(), LockKind::shared)) << "again is the same lock";
    EXPECT_FALSE(try_lock(-1, LockKind::shared));
    EXPECT_FALSE(lock_file(folder / "no/lock", Deadline::in(Millis{0})));
    ASSERT_EQ(::symlink("lock", (folder / "link").c_str()), 0);
    EXPECT_EQ(lock_file(folder / "link", Deadline::in(Millis{0})).error().code, Errc::invalid)
        << "no link is followed";
}

// --- Pipes ---

TEST(WriteAll, WaitsForRoomUntilTheDeadline) {
    auto pipe = *make_pipe();
    const std::string much(300'000, 'x');
    EXPECT_EQ(write_all(pipe.writing.get(), much, Deadline::in(Millis{20})).error().code,
              Errc::timeout);
    std::size_t got = 0;
    std::thread reader([&] {
        char bytes[8192];
        static_cast<void>(set_nonblocking(pipe.reading.get(), false));
        for (ssize_t n = 0; (n = ::read(pipe.reading.get(), bytes, sizeof bytes)) > 0;)
            got += static_cast<std::size_t>(n);
    });
    EXPECT_TRUE(write_all(pipe.writing.get(), much, Deadline::in(Millis{20'000})));
    pipe.writing.reset();
    reader.join();
    EXPECT_GT(got, much.size());
}

TEST(WriteAll, IsNotEndedBySignals) {
    auto pipe = *make_pipe();
    struct sigaction action {
    }, before{};
    action.sa_handler = [](int) {};  // without SA_RESTART
    ::sigaction(SIGALRM, &action, &before);
    const itimerval often{{0, 500}, {0, 500}}, never{};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    const auto start = SystemClock::instance().steady();
    const auto done =
        write_all(pipe.writing.get(), std::string(300'000, 'x'), Deadline::in(Millis{50}));
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    EXPECT_EQ(done.error().code, Errc::timeout) << "not EINTR";
    EXPECT_GE(SystemClock::instance().steady() - start, Millis{50});
}

TEST(WriteAll, TellsThatTheReaderIsGone) {
    static_cast<void>(::signal(SIGPIPE, SIG_IGN));
    auto pipe = *make_pipe();
    pipe.reading.reset();
    EXPECT_EQ(write_all(pipe.writing.get(), "x", Deadline::in(Millis{1000})).error().code,
              Errc::closed);
    EXPECT_TRUE(write_all(pipe.writing.get(), "", Deadline::in(Millis{0})))
        << "nothing to write is written";
    EXPECT_FALSE(write_all(-1, "x", Deadline::in(Millis{0})));
}

TEST(DescriptorFlags, AreSetAndCleared) {
    auto pipe = *make_pipe();
    EXPECT_TRUE(set_nonblocking(pipe.reading.get(), false));
    EXPECT_EQ(::fcntl(pipe.reading.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_TRUE(set_nonblocking(pipe.reading.get()));
    EXPECT_NE(::fcntl(pipe.reading.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_TRUE(set_close_on_exec(pipe.reading.get(), false));
    EXPECT_EQ(::fcntl(pipe.reading.get(), F_GETFD), 0);
    EXPECT_FALSE(set_nonblocking(-1));
    EXPECT_FALSE(set_close_on_exec(-1));
    EXPECT_GE(*raise_descriptor_limit(), 64U);
}

TEST(MakePipe, FailsWithoutDescriptors) {
    const pid_t child = ::fork();
    if (child == 0) {
        const auto next = static_cast<rlim_t>(::dup(0));
        const rlimit none{next + 1, next + 1};  // room for one: a pipe needs two
        ::close(static_cast<int>(next));
        ::setrlimit(RLIMIT_NOFILE, &none);
        const auto before = open_descriptors();
        const auto pipe = make_pipe();
        if (pipe || pipe.error().code != Errc::no_space) ::_exit(1);
        ::_exit(open_descriptors() == before ? 0 : 2);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

// --- Groups ---

TEST(GroupSync, SyncsEachOfFewAndTheWholeForMany) {
    TempFolder folder;
    for (std::size_t count : {0U, 1U, 3U, 4U, 9U}) {
        support::FaultyFs counted(folder.path(), 1'000'000);
        std::vector<Fd> files;
        std::vector<int> numbers;
        for (std::size_t i = 0; i < count; ++i) {
            files.push_back(*counted.open("f" + std::to_string(i), O_WRONLY | O_CREAT, 0600));
            numbers.push_back(files.back().get());
        }
        const int before = counted.operations();
        const auto results = sync_files(counted, numbers);
        EXPECT_EQ(results.size(), count);
        for (const auto& one : results) EXPECT_TRUE(one);
        EXPECT_EQ(counted.operations() - before, count >= kWholeFrom ? 1 : static_cast<int>(count))
            << count;
    }
}

TEST(GroupSync, NoFailureIsLost) {
    TempFolder folder;
    for (std::size_t count : {1U, 2U, 3U, 4U}) {
        for (int fail_at = 1;; ++fail_at) {
            support::FaultyFs real(folder.path(), 1'000'000);
            std::vector<Fd> files;
            std::vector<int> numbers;
            for (std::size_t i = 0; i < count; ++i) {
                files.push_back(*real.open("f" + std::to_string(i), O_WRONLY | O_CREAT, 0600));
                numbers.push_back(files.back().get());
            }
            support::FaultyFs faulty(folder.path(), fail_at, EIO);
            const auto results = sync_files(faulty, numbers);
            if (!faulty.fired()) break;
            const auto failed =
                std::count_if(results.begin(), results.end(), [](const auto& r) { return !r; });
            EXPECT_EQ(failed, count >= kWholeFrom ? static_cast<long>(count) : 1)
                << count << " " << fail_at;
        }
    }
}

// Notes which files are synced, and how. The device of each is what the test says.
class SeveralDevices : public support::RootedFs {
  public:
    using support::RootedFs::RootedFs;
    std::map<std::uint64_t, std::uint64_t> device_of;  // by inode
    std::uint64_t without_syncfs = 0;                  // a device
    std::multiset<std::uint64_t> synced, whole;        // inodes, devices

    Result<FileInfo> info(int fd) override {
        TRY_ASSIGN(FileInfo info, RootedFs::info(fd));
        info.device = device_of[info.inode];
        return info;
    }
    Result<FileInfo> info(const std::string& path) override { return RootedFs::info(path); }
    Result<void> sync(int fd) override {
        synced.insert(RootedFs::info(fd)->inode);
        return {};
    }
    Result<void> sync_directory(const std::string& path) override {
        synced.insert(RootedFs::info(path)->inode);
        return {};
    }
    Result<void> sync_filesystem(int fd) override {
        const auto device = info(fd)->device;
        if (device == without_syncfs) return system_error("syncfs", EOPNOTSUPP);
        whole.insert(device);
        return {};
    }
};

// Seven files (or directories): five on device 1, two on device 2.
struct SevenPlaces {
    explicit SevenPlaces(bool directories) {
        for (int i = 0; i < 7; ++i) {
            names.push_back(std::to_string(i));
            if (directories) (void)on.make_directory(names.back(), 0700).has_value();
            const int flags = directories ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT;
            files.push_back(*on.open(names.back(), flags, 0600));
            numbers.push_back(files.back().get());
            inodes.push_back(on.info(numbers.back())->inode);
            on.device_of[inodes.back()] = i % 3 == 2 ? 2 : 1;
        }
    }
    TempFolder folder;
    SeveralDevices on{folder.path()};
    std::vector<std::string> names;
    std::vector<Fd> files;
    std::vector<int> numbers;
    std::vector<std::uint64_t> inodes;
};

TEST(GroupSync, EachFileSystemIsAskedForItself) {
    const std::multiset<std::uint64_t> first{1}, none;
    for (const bool directories : {false, true}) {
        SevenPlaces places(directories);
        const auto sync = [&] {
            places.on.synced.clear();
            places.on.whole.clear();
            return directories ? sync_directories(places.on, places.names)
                               : sync_files(places.on, places.numbers);
        };
        for (const auto& one : sync()) EXPECT_TRUE(one);
        EXPECT_EQ(places.on.whole, first);
        EXPECT_EQ(places.on.synced,
                  (std::multiset<std::uint64_t>{places.inodes[2], places.inodes[5]}));
        // Where syncfs promises nothing each file is synced.
        places.on.without_syncfs = 1;
        for (const auto& one : sync()) EXPECT_TRUE(one);
        EXPECT_EQ(places.on.whole, none);
        EXPECT_EQ(places.on.synced, (std::multiset<std::uint64_t>(places.inodes.begin(),
                                                                  places.inodes.end())));
    }
}

TEST(GroupSync, FileSystemsOfNobodyKnowsWhatHaveNoSyncfs) {
    const auto file = fs().open("/proc/self/status", O_RDONLY, 0);
    ASSERT_TRUE(file);
    EXPECT_EQ(fs().sync_filesystem(file->get()).error().sys, EOPNOTSUPP);
}

TEST(GroupSync, WhichDirectoryFailsIsSaid) {
    TempFolder folder;
    std::vector<std::string> names;
    for (int i = 0; i < 5; ++i) {
        names.push_back(folder / std::to_string(i));
        ASSERT_TRUE(fs().make_directory(names.back(), 0700));
    }
    for (const auto& one : sync_directories(fs(), names)) EXPECT_TRUE(one);
    const std::vector<std::string> some = {names[0], folder / "none"};
    auto results = sync_directories(fs(), some);
    EXPECT_TRUE(results[0]);
    EXPECT_FALSE(results[1]);
    names[0] = folder / "none";
    results = sync_directories(fs(), names);
    EXPECT_FALSE(results[0]);
    for (std::size_t i = 1; i < results.size(); ++i) EXPECT_TRUE(results[i]);
    EXPECT_TRUE(sync_directories(fs(), {}).empty());
}

}  // namespace
}  // namespace postern::sys
