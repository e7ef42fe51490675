// BeneathFs: what somebody else puts into a tree leads nowhere else, and nothing there is waited for.
#include "lib/sys/beneath_fs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace postern::sys {
namespace {

namespace stdfs = std::filesystem;

class Beneath : public testing::Test {
  protected:
    Beneath() {
        stdfs::create_directories(tree() + "/cur");
        stdfs::create_directories(other() + "/cur");
        std::ofstream(other() + "/cur/secret") << "secret";
        std::ofstream(tree() + "/cur/own") << "own";
        fs_ = BeneathFs::open_root(tree()).value();
    }
    std::string tree() const { return folder_ / "tree"; }
    std::string other() const { return folder_ / "other"; }
    std::string text(const std::string& path) {
        const auto file = fs_->open(path, O_RDONLY);
        return file ? fs_->read_at(file->get(), 0, 100).value() : file.error().what;
    }

    support::TempFolder folder_;
    std::shared_ptr<Fs> fs_;
};

TEST_F(Beneath, IsAFileSystem) {
    const std::string cur = tree() + "/cur";
    EXPECT_EQ(text(cur + "/own"), "own");
    {
        const Fd made = fs_->open(cur + "/made", O_WRONLY | O_CREAT | O_EXCL, 0640).value();
        ASSERT_TRUE(fs_->write(made.get(), "made"));
    }
    EXPECT_EQ(fs_->info(cur + "/made")->mode & 0600U, 0600U);
    ASSERT_TRUE(fs_->make_directory(tree() + "/new", 0700));
    ASSERT_TRUE(fs_->rename(cur + "/made", tree() + "/new/moved"));
    ASSERT_TRUE(fs_->link(tree() + "/new/moved", cur + "/linked"));
    ASSERT_TRUE(fs_->set_times(cur + "/linked", 1700000000));
    ASSERT_TRUE(fs_->set_mode(cur + "/linked", 0600));
    EXPECT_EQ(fs_->info(cur + "/linked")->mtime_ns, 1700000000'000'000'000);
    EXPECT_EQ(fs_->list(cur)->size(), 2U);
    EXPECT_EQ(fs_->list(tree())->size(), 2U);
    ASSERT_TRUE(fs_->sync_directory(tree()));
    ASSERT_TRUE(fs_->unlink(tree() + "/new/moved"));
    ASSERT_TRUE(fs_->remove_directory(tree() + "/new"));
    EXPECT_EQ(fs_->open(cur + "/none", O_RDONLY).error().code, Errc::not_found);
    EXPECT_EQ(fs_->info(tree() + "/new").error().code, Errc::not_found);
}

TEST_F(Beneath, LinksLeadNowhere) {
    stdfs::create_directory_symlink(other() + "/cur", tree() + "/new");
    stdfs::create_symlink(other() + "/cur/secret", tree() + "/cur/link");
    EXPECT_EQ(text(tree() + "/new/secret"),
              "open " + tree() + "/new/secret: symbolic links there are not followed");
    EXPECT_EQ(fs_->open(tree() + "/cur/link", O_RDONLY).error().code, Errc::denied);
    EXPECT_EQ(fs_->open(tree() + "/cur/link", O_PATH).error().code, Errc::denied);
    EXPECT_FALSE(fs_->open(tree() + "/new/made", O_WRONLY | O_CREAT));
    EXPECT_EQ(fs_->info(tree() + "/new")->kind, FileInfo::Kind::symlink);
    EXPECT_FALSE(fs_->info(tree() + "/new/secret"));
    EXPECT_EQ(fs_->list(tree() + "/new").error().what,
              "open " + tree() + "/new: no directory; symbolic links there are not followed");
    EXPECT_FALSE(fs_->sync_directory(tree() + "/new"));
    EXPECT_FALSE(fs_->rename(tree() + "/new/secret", tree() + "/cur/secret"));
    EXPECT_FALSE(fs_->rename(tree() + "/cur/own", tree() + "/new/own"));
    EXPECT_FALSE(fs_->link(tree() + "/new/secret", tree() + "/cur/secret"));
    EXPECT_FALSE(fs_->unlink(tree() + "/new/secret"));
    EXPECT_FALSE(fs_->make_directory(tree() + "/new/made", 0700));
    EXPECT_FALSE(fs_->remove_directory(tree() + "/new"));
    EXPECT_FALSE(fs_->set_times(tree() + "/new/secret", 1));
    EXPECT_FALSE(fs_->set_mode(tree() + "/cur/link", 0777));
    EXPECT_EQ(std::distance(stdfs::directory_iterator(other() + "/cur"), {}), 1);
    // The link itself may be taken away.
    EXPECT_TRUE(fs_->unlink(tree() + "/new"));
}

TEST_F(Beneath, OtherPathsAreRefused) {
    for (const std::string& path :
         {other() + "/cur/secret", tree() + "/../other/cur/secret", tree() + "/cur/../cur/own",
          tree() + "er", tree() + "/..", std::string("cur/own")}) {
        EXPECT_EQ(fs_->open(path, O_RDONLY).error().code, Errc::denied) << path;
        EXPECT_EQ(fs_->unlink(path).error().code, Errc::denied) << path;
        EXPECT_EQ(fs_->info(path).error().code, Errc::denied) << path;
    }
    EXPECT_FALSE(fs_->remove_directory(tree()));
    EXPECT_FALSE(fs_->rename(tree() + "/cur/.", tree() + "/x"));
    EXPECT_FALSE(fs_->open(tree() + std::string("/cur/own\0x", 10), O_RDONLY));
}

TEST_F(Beneath, OnlyRegularFilesAreOpened) {
    const std::string pipe = tree() + "/cur/pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_EQ(text(pipe), "open " + pipe + ": no regular file");
    for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_CREAT | O_TRUNC})
        EXPECT_FALSE(fs_->open(pipe, flags)) << flags;
    EXPECT_FALSE(fs_->open(tree() + "/cur", O_RDONLY));
    EXPECT_TRUE(fs_->open(tree() + "/cur", O_RDONLY | O_DIRECTORY));
    EXPECT_TRUE(fs_->open(tree() + "/cur", O_PATH));
}

TEST_F(Beneath, SizesAreNotBelieved) {
    const Fd file = fs_->open(tree() + "/cur/own", O_RDWR).value();
    ASSERT_TRUE(fs_->truncate(file.get(), std::uint64_t{1} << 40));
    EXPECT_EQ(fs_->read_at(file.get(), 0, std::size_t{1} << 40).error().code, Errc::corrupt);
    EXPECT_EQ(fs_->read_at(file.get(), 0, 3).value(), "own");
}

TEST_F(Beneath, TheRootIsFoundOnce) {
    stdfs::rename(tree(), folder_ / "moved");
    stdfs::create_directory_symlink(other(), tree());
    EXPECT_EQ(text(tree() + "/cur/own"), "own");
    EXPECT_FALSE(fs_->info(tree() + "/cur/secret"));
    EXPECT_EQ(BeneathFs::open_root(folder_ / "none").error().code, Errc::not_found);
}

}  // namespace
}  // namespace postern::sys
