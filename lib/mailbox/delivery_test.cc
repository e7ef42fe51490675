#include <sys/stat.h>

#include "lib/mailbox/maildir_delivery.h"
#include "lib/mailbox/test_folder.h"
#include "lib/sys/group_sync.h"

namespace postern::mailbox {
namespace {

Delivery delivery(const std::string& maildir, const std::string& stem, const std::string& text) {
    return {maildir, stem, [text](MessageWriter& writer) { return writer.write(text); }, 0, ""};
}

// A file system that fails certain calls: the smallest thing that tests an error path.
class FailingFs : public sys::Fs {
  public:
    std::function<bool(const std::string& call, const std::string& path)> fails = [](auto&, auto&) {
        return false;
    };
    std::vector<std::string> calls;

    Result<Fd> open(const std::string& path, int flags, mode_t mode) override {
        if (refuse("open", path)) return error();
        return real_.open(path, flags, mode);
    }
    Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t count) override {
        return real_.read_at(fd, offset, count);
    }
    Result<void> write(int fd, std::string_view bytes) override {
        if (refuse("write", std::string(bytes.substr(0, 20)))) return error();
        return real_.write(fd, bytes);
    }
    Result<void> write_at(int fd, std::uint64_t o, std::string_view bytes) override {
        return real_.write_at(fd, o, bytes);
    }
    Result<void> truncate(int fd, std::uint64_t size) override { return real_.truncate(fd, size); }
    Result<void> start_sync(int fd) override {
        return note("start_sync", ""), real_.start_sync(fd);
    }
    Result<void> sync(int fd) override {
        if (refuse("sync", "")) return error();
        return real_.sync(fd);
    }
    Result<void> sync_data(int fd) override { return real_.sync_data(fd); }
    Result<void> sync_filesystem(int fd) override {
        if (refuse("sync_filesystem", "")) return error();
        return real_.sync_filesystem(fd);
    }
    Result<sys::FileInfo> info(int fd) override { return real_.info(fd); }
    Result<sys::FileInfo> info(const std::string& path) override { return real_.info(path); }
    Result<void> rename(const std::string& from, const std::string& to) override {
        if (refuse("rename", from)) return error();
        return real_.rename(from, to);
    }
    Result<void> link(const std::string& from, const std::string& to) override {
        return real_.link(from, to);
    }
    Result<void> unlink(const std::string& path) override { return real_.unlink(path); }
    Result<void> make_directory(const std::string& path, mode_t mode) override {
        return real_.make_directory(path, mode);
    }
    Result<void> remove_directory(const std::string& path) override {
        return real_.remove_directory(path);
    }
    Result<std::vector<sys::DirEntry>> list(const std::string& path) override {
        return real_.list(path);
    }
    Result<void> sync_directory(const std::string& path) override {
        if (refuse("sync_directory", path)) return error();
        return real_.sync_directory(path);
    }
    Result<void> set_times(const std::string& path, std::int64_t t) override {
        return real_.set_times(path, t);
    }
    Result<void> set_mode(const std::string& path, mode_t mode) override {
        return real_.set_mode(path, mode);
    }

  private:
    static Error error() { return {Errc::no_space, "no space", 28}; }
    void note(const std::string& call, const std::string&) { calls.push_back(call); }
    bool refuse(const std::string& call, const std::string& path) {
        note(call, path);
        return fails(call, path);
    }
    sys::RealFs& real_ = sys::RealFs::instance();
};

TEST(Delivery, CountsSizesWithAndWithoutCr) {
    const struct {
        std::vector<std::string> pieces;
        std::uint64_t size, crlf;
    } cases[] = {
        {{"a\nb\n"}, 4, 6},
        {{"a\r\nb\r\n"}, 6, 6},
        {{"a\r", "\nb"}, 4, 4},  // CR and LF in different pieces
        {{"\n"}, 1, 2},
        {{"\n", "\n"}, 2, 4},
        {{"x"}, 1, 1},
        {{}, 0, 0},
        {{std::string(100'000, 'x') + "\n", "\n"}, 100'002, 100'004},
    };
    TestMaildir maildir;
    auto& fs = sys::RealFs::instance();
    for (const auto& c : cases) {
        Fd file = fs.open("/dev/null", 1, 0).value();
        MessageWriter writer(fs, file.get());
        for (const auto& piece : c.pieces) ASSERT_TRUE(writer.write(piece));
        ASSERT_TRUE(writer.flush());
        EXPECT_EQ(writer.size(), c.size);
        EXPECT_EQ(writer.crlf_size(), c.crlf);
    }
}

TEST(Delivery, WritesIntoNewWithSizesInTheName) {
    TestMaildir maildir;
    const std::vector<Delivery> one{delivery(maildir.root(), "1.M2Q3.h", "Subject: x\n\nhi\n")};
    const auto results = deliver(sys::RealFs::instance(), one);
    ASSERT_TRUE(results[0]) << results[0].error().what;
    EXPECT_EQ(*results[0], "new/1.M2Q3.h,S=15,W=18");
    EXPECT_EQ(maildir.text(*results[0]), "Subject: x\n\nhi\n");
    EXPECT_TRUE(maildir.files("tmp").empty());
}

TEST(Delivery, ARepeatedDeliveryReplacesItsEarlierCopy) {
    TestMaildir maildir;
    const std::vector<Delivery> one{delivery(maildir.root(), "stem", "hi\n")};
    ASSERT_TRUE(deliver(sys::RealFs::instance(), one)[0]);
    ASSERT_TRUE(deliver(sys::RealFs::instance(), one)[0]);
    EXPECT_EQ(maildir.files("new").size(), 1U);
}

TEST(Delivery, MakesTheMaildirWithParentsAndSetsTheDate) {
    TestMaildir maildir;
    auto d = delivery(maildir.root() + "/example.test/u1", "stem", "hi\n");
    d.date = 1'000'000'000;
    const auto results = deliver(sys::RealFs::instance(), std::vector{d});
    ASSERT_TRUE(results[0]) << results[0].error().what;
    const auto info = sys::RealFs::instance().info(d.maildir + "/" + *results[0]);
    EXPECT_EQ(info->mtime_ns, 1'000'000'000LL * 1'000'000'000LL);
    EXPECT_EQ(info->mode, 0600U);
}

// As the set-group-id bit of the directories says; whose they are not is the owner's alone.
TEST(Delivery, IntoAFolderThatIsAGroupsToo) {
    TestMaildir maildir;
    auto& fs = sys::RealFs::instance();
    const std::string team = maildir.root() + "/.Team", other = maildir.root() + "/.Other";
    for (const std::string& folder : {team, other}) ASSERT_TRUE(make_maildir(fs, folder));
    for (const char* part : {"", "/cur", "/new", "/tmp"}) {
        ASSERT_EQ(::chmod((team + part).c_str(), 02775), 0);
        ASSERT_EQ(::chmod((other + part).c_str(), 0770), 0) << "no set-group-id bit";
    }
    std::filesystem::remove(team + "/tmp");
    const std::vector both{delivery(team, "a", "hi\n"), delivery(other, "a", "hi\n")};
    const auto results = deliver(fs, both);
    ASSERT_TRUE(results[0]) << results[0].error().what;
    ASSERT_TRUE(results[1]);
    EXPECT_EQ(fs.info(team + "/" + *results[0])->mode & 0777U, 0660U);
    EXPECT_EQ(fs.info(other + "/" + *results[1])->mode & 0777U, 0600U);
    EXPECT_EQ(fs.info(team + "/tmp")->mode & 07777U, 02770U);
}

TEST(Delivery, AGroupSyncsEachFileAndTheDirectoryOnce) {
    TestMaildir maildir;
    ASSERT_TRUE(make_maildir(sys::RealFs::instance(), maildir.root()));
    FailingFs fs;
    std::vector<Delivery> three;
    for (int i = 0; i < 3; ++i)
        three.push_back(delivery(maildir.root(), "stem" + std::to_string(i), "hi\n"));
    for (const auto& result : deliver(fs, three)) EXPECT_TRUE(result);
    EXPECT_EQ(std::count(fs.calls.begin(), fs.calls.end(), "start_sync"), 3);
    EXPECT_EQ(std::count(fs.calls.begin(), fs.calls.end(), "sync"), 3);
    EXPECT_EQ(std::count(fs.calls.begin(), fs.calls.end(), "sync_directory"), 1);
    // Everything is on disk before the first name appears in new/.
    EXPECT_LT(
        std::distance(fs.calls.rbegin(), std::find(fs.calls.rbegin(), fs.calls.rend(), "rename")),
        std::distance(fs.calls.rbegin(), std::find(fs.calls.rbegin(), fs.calls.rend(), "sync")));
}

TEST(Delivery, LargeGroupsSyncTheFileSystem) {
    TestMaildir maildir;
    FailingFs fs;
    ASSERT_TRUE(make_maildir(fs, maildir.root()));
    fs.calls.clear();
    std::vector<Delivery> many;
    for (std::size_t i = 0; i < 2 * sys::kWholeFrom; ++i)
        many.push_back(delivery(maildir.root(), "stem" + std::to_string(i), "hi\n"));
    for (const auto& result : deliver(fs, many)) EXPECT_TRUE(result);
    EXPECT_EQ(std::count(fs.calls.begin(), fs.calls.end(), "sync_filesystem"), 1);
    EXPECT_EQ(std::count(fs.calls.begin(), fs.calls.end(), "sync"), 0);
    EXPECT_EQ(std::count(fs.calls.begin(), fs.calls.end(), "sync_directory"), 1);
    fs.fails = [](const std::string& call, const std::string&) {
        return call == "sync_filesystem";
    };
    for (auto& d : many) d.stem += "x";
    for (const auto& result : deliver(fs, many)) EXPECT_FALSE(result);
    EXPECT_EQ(maildir.files("new").size(), many.size());
    EXPECT_TRUE(maildir.files("tmp").empty());
}

// As when somebody deletes the folder while a message is on its way into it.
TEST(Delivery, AFolderThatWasDeletedMeanwhileStaysDeleted) {
    TestMaildir maildir;
    ASSERT_TRUE(make_maildir(sys::RealFs::instance(), maildir.root() + "/.work"));
    FailingFs fs;
    fs.fails = [&](const std::string& call, const std::string&) {
        if (call == "rename") maildir.move(".work", "trash");
        return false;
    };
    const auto results = deliver(fs, std::vector{delivery(maildir.root() + "/.work", "stem", "hi\n")});
    ASSERT_FALSE(results[0]);
    EXPECT_EQ(results[0].error().code, Errc::not_found);
    EXPECT_THAT(maildir.files(""), testing::ElementsAre("trash"));
}

TEST(Delivery, OneFailureDoesNotTouchTheOthers) {
    TestMaildir maildir;
    std::vector<Delivery> three;
    for (const char* text : {"good1\n", "bad\n", "good2\n"})
        three.push_back(delivery(maildir.root(), std::string("stem-") + text[0] + text[4], text));
    FailingFs fs;
    fs.fails = [](const std::string& call, const std::string& what) {
        return call == "write" && what == "bad\n";
    };
    const auto results = deliver(fs, three);
    EXPECT_TRUE(results[0]);
    ASSERT_FALSE(results[1]);
    EXPECT_EQ(results[1].error().code, Errc::no_space);
    EXPECT_TRUE(results[2]);
    EXPECT_EQ(maildir.files("new").size(), 2U);
    EXPECT_TRUE(maildir.files("tmp").empty());
}

TEST(Delivery, AnyFailingStepIsAnError) {
    for (const char* step : {"open", "write", "sync", "rename", "sync_directory"}) {
        TestMaildir maildir;
        ASSERT_TRUE(make_maildir(sys::RealFs::instance(), maildir.root()));
        FailingFs fs;
        fs.fails = [step](const std::string& call, const std::string&) { return call == step; };
        const auto results = deliver(fs, std::vector{delivery(maildir.root(), "stem", "hi\n")});
        EXPECT_FALSE(results[0]) << step;
        EXPECT_TRUE(maildir.files("tmp").empty()) << step;
    }
}

TEST(Delivery, StemsAreStableForTheQueueAndUniqueOtherwise) {
    const WallTime at{Micros{1'700'000'000'000'042}};
    EXPECT_EQ(delivery_stem(at, "4XyQ", "a@b", "mail.test"),
              delivery_stem(at, "4XyQ", "a@b", "mail.test"));
    EXPECT_NE(delivery_stem(at, "4XyQ", "a@b", "mail.test"),
              delivery_stem(at, "4XyQ", "c@b", "mail.test"));
    EXPECT_THAT(delivery_stem(at, "4XyQ", "a@b", "a/b:c"),
                testing::StartsWith("1700000000.M42Q4XyQR"));
    EXPECT_THAT(delivery_stem(at, "4XyQ", "a@b", "a/b:c"), testing::EndsWith(".a_b_c"));
    auto& random = SystemRandom::instance();
    EXPECT_NE(unique_stem(SystemClock::instance(), random, "h"),
              unique_stem(SystemClock::instance(), random, "h"));
}

}  // namespace
}  // namespace postern::mailbox
