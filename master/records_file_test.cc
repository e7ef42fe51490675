// The file of trace records stays within its limits while others append to it.
#include "master/records_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "lib/log/record.h"
#include "lib/sys/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace postern::master {
namespace {

using support::FakeClock;
using support::TempFolder;

constexpr std::uint64_t kMega = 1 << 20;

class Records : public testing::Test {
  protected:
    RecordsFile open() {
        auto made = RecordsFile::open(folder_ / "mailtrace", limits_, clock_);
        EXPECT_TRUE(made) << made.error().what;
        return std::move(*made);
    }
    void append(const RecordsFile& file, std::uint64_t bytes) {
        const std::string text(bytes, 'x');
        ASSERT_EQ(::write(file.fd(), text.data(), text.size()), static_cast<ssize_t>(bytes));
    }
    // What the file takes on the disk, once the kernel has given blocks to what was written.
    std::uint64_t blocks(const RecordsFile& file) {
        ::fsync(file.fd());
        struct stat info {};
        ::fstat(file.fd(), &info);
        return static_cast<std::uint64_t>(info.st_blocks) * 512;
    }

    TempFolder folder_;
    FakeClock clock_{SystemClock::instance().now()};
    RecordsLimits limits_{kMega, Seconds(6400)};
};

TEST_F(Records, FolderAndFileAreForItsOwnerOnly) {
    const RecordsFile file = open();
    struct stat info {};
    ASSERT_EQ(::stat((folder_ / "mailtrace").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700U);
    ASSERT_EQ(::fstat(file.fd(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    EXPECT_NE(::fcntl(file.fd(), F_GETFL) & O_APPEND, 0);
}

TEST_F(Records, TooMuchIsGivenBack) {
    RecordsFile file = open();
    for (int i = 0; i < 10; ++i) {
        append(file, kMega / 2);
        ASSERT_TRUE(file.trim());
        EXPECT_LE(blocks(file), kMega + 8192);
    }
    EXPECT_GE(blocks(file), kMega - 8192) << "and no more than that";
}

TEST_F(Records, TooOldIsGivenBack) {
    RecordsFile file = open();
    append(file, 100'000);
    clock_.advance(Seconds(
        150));  // a mark is due after 100 s, and the file is a little younger than the clock
    ASSERT_TRUE(file.trim());
    clock_.advance(Seconds(2950));
    append(file, 100'000);
    ASSERT_TRUE(file.trim());
    EXPECT_GT(blocks(file), 190'000U);
    clock_.advance(Seconds(3500));
    ASSERT_TRUE(file.trim());
    EXPECT_LT(blocks(file), 120'000U);
    EXPECT_GT(blocks(file), 90'000U);
    clock_.advance(Seconds(3500));
    ASSERT_TRUE(file.trim());
    EXPECT_LT(blocks(file), 10'000U);
}

TEST_F(Records, AgeSurvivesARestart) {
    {
        RecordsFile file = open();
        append(file, 100'000);
        clock_.advance(Seconds(150));
        ASSERT_TRUE(file.trim());
        clock_.advance(Seconds(6250));
        append(file, 100'000);
        ASSERT_TRUE(file.trim());
    }
    clock_.advance(Seconds(200));
    RecordsFile file = open();
    ASSERT_TRUE(file.trim());
    EXPECT_LT(blocks(file), 120'000U) << "a restart does not make records younger";
    EXPECT_GT(blocks(file), 90'000U);
}

TEST_F(Records, DamagedMarksAreNoneAndASymlinkIsRefused) {
    { const RecordsFile file = open(); }
    const int marks =
        ::open((folder_ / "mailtrace/marks").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT_GT(::write(marks, "nonsense\n1 99999999999999\n-1 x\n", 31), 0);
    ::close(marks);
    RecordsFile file = open();
    append(file, 10'000);
    EXPECT_TRUE(file.trim());
    EXPECT_GT(blocks(file), 8'000U);

    const std::string path = folder_ / "other/records";
    ASSERT_EQ(::mkdir((folder_ / "other").c_str(), 0700), 0);
    ASSERT_EQ(::symlink("/dev/null", path.c_str()), 0);
    EXPECT_FALSE(RecordsFile::open(folder_ / "other", limits_, clock_));
}

TEST_F(Records, LimitsMayChange) {
    RecordsFile file = open();
    append(file, kMega);
    ASSERT_TRUE(file.trim());
    file.set_limits({kMega / 4, Seconds(6400)});
    ASSERT_TRUE(file.trim());
    EXPECT_LE(blocks(file), kMega / 4 + 8192);
}

}  // namespace
}  // namespace postern::master
