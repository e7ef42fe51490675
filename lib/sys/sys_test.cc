#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "lib/base/strings.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"
#include "lib/sys/program_text.h"
#include "lib/sys/sandbox.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"
#include "tests/support/processes.h"

namespace postern::sys {
namespace {

using support::in_child;

struct TempDir {
    TempDir() {
        char name[] = "/tmp/sys_test_XXXXXX";
        path = ::mkdtemp(name);
    }
    ~TempDir() {
        const auto entries = RealFs::instance().list(path).value_or(std::vector<DirEntry>{});
        for (const auto& entry : entries) ::unlink((path + "/" + entry.name).c_str());
        ::rmdir(path.c_str());
    }
    std::string path;
};

TEST(Files, ReplaceKeepsModeAndIsWhole) {
    TempDir dir;
    const std::string path = dir.path + "/f";
    ASSERT_TRUE(replace_file(path, "one", 0640));
    ASSERT_TRUE(RealFs::instance().set_mode(path, 0600));
    ASSERT_TRUE(replace_file(path, "two", 0644));
    EXPECT_EQ(*read_file(path, 100), "two");
    EXPECT_EQ(RealFs::instance().info(path)->mode, 0600U);
    EXPECT_EQ(RealFs::instance().list(dir.path)->size(), 1U);
}

TEST(Files, ReadRefusesWhatIsNoFileOrTooLong) {
    TempDir dir;
    EXPECT_EQ(read_file(dir.path, 10).error().code, Errc::invalid);
    EXPECT_EQ(read_file(dir.path + "/none", 10).error().code, Errc::not_found);
    ASSERT_TRUE(replace_file(dir.path + "/long", "12345678901"));
    EXPECT_EQ(read_file(dir.path + "/long", 10).error().code, Errc::invalid);
}

TEST(Files, LocksExclude) {
    TempDir dir;
    auto first = lock_file(dir.path + "/lock", Deadline::in(Millis{0}));
    ASSERT_TRUE(first);
    EXPECT_EQ(lock_file(dir.path + "/lock", Deadline::in(Millis{0})).error().code, Errc::timeout);
    first->reset();
    EXPECT_TRUE(lock_file(dir.path + "/lock", Deadline::in(Millis{0})));
}

TEST(Users, DatabaseHasThreeOutcomes) {
    EXPECT_EQ(find_user("root")->uid, 0U);
    EXPECT_EQ(find_user(uid_t{0})->name, "root");
    EXPECT_TRUE(find_user("no-such-user-here").not_found());
    EXPECT_TRUE(find_group("no-such-group-here").not_found());
}

TEST(Sockets, PacketsCarryDescriptorsAndRefuseLongOnes) {
    auto ends = *packet_pair();
    EXPECT_TRUE(would_block(receive_packet(ends.first.get(), 100, 1).error()));
    const Fd null(::open("/dev/null", O_RDONLY));
    const int fds[] = {null.get(), null.get()};
    ASSERT_TRUE(send_packet(ends.second.get(), "hello", std::span(fds, 1)));
    auto got = receive_packet(ends.first.get(), 100, 1);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->bytes, "hello");
    EXPECT_EQ(got->descriptors.size(), 1U);
    ASSERT_TRUE(send_packet(ends.second.get(), "surplus", fds));
    EXPECT_EQ(receive_packet(ends.first.get(), 100, 1).error().code, Errc::invalid);
    ASSERT_TRUE(send_packet(ends.second.get(), std::string(200, 'x')));
    EXPECT_EQ(receive_packet(ends.first.get(), 100, 1).error().code, Errc::invalid);
    ends.second.reset();
    EXPECT_EQ(receive_packet(ends.first.get(), 100, 1).error().code, Errc::closed);
}

TEST(Sockets, ConnectNamesWhatIsMissing) {
    EXPECT_EQ(connect_unix("/tmp/no/such/socket", Deadline::in(Millis{0})).error().code,
              Errc::not_found);
    EXPECT_EQ(connect_unix(std::string(200, 'x'), Deadline::in(Millis{0})).error().code,
              Errc::invalid);
}

TEST(Sandbox, ForbidsWhatWasNotPromised) {
    TempDir dir;
    ASSERT_TRUE(replace_file(dir.path + "/kept", "x"));
    const int status = in_child([&] {
        auto done =
            restrict(Promise::stdio | Promise::write_files, {{dir.path, PathRule::Access::write}});
        if (!done) return 1;
        if (!done->landlock) return 77;
        if (!read_file(dir.path + "/kept", 10)) return 2;
        if (!replace_file(dir.path + "/new", "y")) return 3;
        if (read_file("/etc/passwd", 1 << 20)) return 4;
        return 0;
    });
    if (status == 77) GTEST_SKIP() << "this kernel has no landlock";
    EXPECT_EQ(status, 0);
}

TEST(Sandbox, ReadOnlyMeansReadOnly) {
    TempDir dir;
    ASSERT_TRUE(replace_file(dir.path + "/kept", "x"));
    const int status = in_child([&] {
        auto done = restrict(
            Promise::stdio | Promise::read_files,
            {{dir.path, PathRule::Access::read}, {"/no/such/path", PathRule::Access::read}});
        if (!done) return 1;
        if (!done->landlock) return 77;
        if (!read_file(dir.path + "/kept", 10)) return 2;
        if (replace_file(dir.path + "/new", "y")) return 3;
        return 0;
    });
    if (status == 77) GTEST_SKIP() << "this kernel has no landlock";
    EXPECT_EQ(status, 0);
}

TEST(Users, BecomingIsForGood) {
    if (!is_root()) GTEST_SKIP() << "needs root";
    EXPECT_EQ(in_child([] {
                  if (!become_user(12345, 12346)) return 1;
                  if (::getuid() != 12345 || ::getegid() != 12346) return 2;
                  if (become_user(0, 0)) return 3;
                  return ::setuid(0) == 0 ? 4 : 0;
              }),
              0);
}

// statm(5): resident pages of files, and the pages of the program's code.
TEST(ProgramText, IsInMemoryAfterwards) {
    load_program_text();
    const auto statm = *read_file("/proc/self/statm", 4096);
    const auto numbers = split_words(statm);
    ASSERT_GE(numbers.size(), 4U);
    EXPECT_GE(*parse_number<std::uint64_t>(numbers[2]), *parse_number<std::uint64_t>(numbers[3]));
}

}  // namespace
}  // namespace postern::sys
