// Administration and listing of resting messages, in a real folder.
#include "lib/queue/admin.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "lib/queue/bounce_log.h"
#include "lib/queue/lister.h"
#include "lib/queue/maildrop.h"
#include "lib/queue/reader.h"
#include "lib/queue/writer.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "tests/support/rooted_fs.h"

namespace postern::queue {
namespace {

namespace filesystem = std::filesystem;

class AdminTest : public testing::Test {
  protected:
    AdminTest() {
        std::string pattern = testing::TempDir() + "adminXXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        filesystem::current_path(folder_);
        EXPECT_TRUE(create_all(fs_));
    }
    ~AdminTest() override {
        filesystem::current_path("/");
        filesystem::remove_all(folder_);
    }

    static QueueId id(int number) {
        return *QueueId::parse("B12345" + std::to_string(number) + "k");
    }

    static Envelope envelope(int number, std::size_t recipients = 1) {
        Envelope envelope;
        envelope.id = id(number);
        envelope.arrival = WallTime{Seconds{1795290872}};
        envelope.sender = "s@x";
        for (std::size_t i = 0; i < recipients; ++i)
            envelope.recipients.push_back({"r" + std::to_string(i) + "@y", "", "", 0, false, 0});
        return envelope;
    }

    QueueId put(Directory directory, const std::vector<Envelope>& messages) {
        BatchBuilder builder;
        for (const Envelope& one : messages) builder.add(one, "A: b\r\n\r\nc\r\n");
        QueueId name = messages.front().id;
        EXPECT_TRUE(create_parent(fs_, directory, name));
        std::ofstream(path_of(directory, name)) << std::move(builder).finish();
        return name;
    }

    std::vector<QueueId> in(Directory directory) { return *list_messages(fs_, directory); }
    bool change(int number, Change what) {
        auto changed = change_message(fs_, id(number), what);
        EXPECT_TRUE(changed) << changed.error().what;
        return changed && *changed;
    }
    std::vector<ipc::QueueListEntry> listing() {
        std::vector<ipc::QueueListEntry> all;
        totals_ = Lister(fs_).list([&](const ipc::QueueListEntry& entry) {
            all.push_back(entry);
            return true;
        });
        return all;
    }

    sys::RealFs& fs_ = sys::RealFs::instance();
    std::string folder_;
    ipc::QueueListEnd totals_;
};

using Ids = std::vector<QueueId>;

// What sendmail has left there while nobody took it; a file that is still being written is no
// message.
TEST_F(AdminTest, ListsWhatIsInMaildrop) {
    MaildropWriter writer;
    std::string whole = *writer.begin({.sender = "ann", .recipients = {"bob", "eve@x.test"}});
    whole += writer.content("text\r\n");
    whole += writer.end();
    const auto put = [&](const char* name, std::string_view bytes) {
        const Fd fd = *fs_.open(path_of(Directory::maildrop, *QueueId::parse(name)),
                                O_WRONLY | O_CREAT | O_EXCL, 0600);
        ASSERT_TRUE(fs_.write(fd.get(), bytes));
    };
    put("4cQ1bbbBBB", whole);
    put("4cQ1bbbCCC", std::string_view(whole).substr(0, whole.size() - 1));
    const auto all = listing();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].queue_name, "maildrop");
    EXPECT_EQ(all[0].queue_id.str(), "4cQ1bbbBBB");
    EXPECT_EQ(all[0].sender, "ann");
    ASSERT_EQ(all[0].recipients.size(), 2U);
    EXPECT_EQ(all[0].recipients[1].address, "eve@x.test");
    EXPECT_EQ(totals_.count, 1U);
    EXPECT_LT(SystemClock::instance().now() - all[0].arrival, Seconds(60));
}

TEST_F(AdminTest, HoldAndRelease) {
    put(Directory::deferred, {envelope(1)});
    put(Directory::incoming, {envelope(2)});
    EXPECT_TRUE(change(1, Change::hold));
    EXPECT_TRUE(change(2, Change::hold));
    EXPECT_FALSE(change(1, Change::hold));
    EXPECT_FALSE(change(7, Change::hold));
    EXPECT_EQ(in(Directory::hold), (Ids{id(1), id(2)}));
    EXPECT_EQ(in(Directory::incoming), Ids{});
    EXPECT_TRUE(change(2, Change::release));
    EXPECT_FALSE(change(2, Change::release));
    EXPECT_EQ(in(Directory::deferred), Ids{id(2)});
    EXPECT_LT(fs_.info(path_of(Directory::deferred, id(2)))->mtime_ns, 2'000'000'000) << "due";
}

TEST_F(AdminTest, MessagesInsideABatch) {
    put(Directory::incoming, {envelope(1), envelope(2), envelope(3), envelope(4)});
    EXPECT_EQ(in(Directory::incoming).size(), 4U);
    EXPECT_TRUE(change(2, Change::hold));
    EXPECT_TRUE(change(3, Change::remove));
    EXPECT_FALSE(change(3, Change::remove));
    EXPECT_TRUE(change(1, Change::hold)) << "the file has this one's name";
    EXPECT_EQ(in(Directory::incoming), Ids{id(4)});
    EXPECT_EQ(in(Directory::hold), (Ids{id(1), id(2)}));
    EXPECT_TRUE(change(4, Change::expire));
    EXPECT_EQ(in(Directory::incoming), Ids{});
    EXPECT_EQ(in(Directory::deferred), Ids{id(4)});
    EXPECT_TRUE(listing().front().forced_expire);
}

TEST_F(AdminTest, RemoveTakesTheLogsToo) {
    put(Directory::deferred, {envelope(1)});
    ASSERT_TRUE(create_parent(fs_, Directory::defer, id(1)));
    std::ofstream(path_of(Directory::defer, id(1))) << "recipient=r0@y\n\n";
    EXPECT_TRUE(change(1, Change::remove));
    EXPECT_FALSE(fs_.info(path_of(Directory::defer, id(1))));
    EXPECT_EQ(in(Directory::deferred), Ids{});
}

TEST_F(AdminTest, RequeueAndExpire) {
    put(Directory::deferred, {envelope(1)});
    put(Directory::hold, {envelope(2)});
    ASSERT_TRUE(fs_.set_times(path_of(Directory::deferred, id(1)), 4'000'000'000));
    EXPECT_TRUE(change(1, Change::requeue));
    EXPECT_LT(fs_.info(path_of(Directory::deferred, id(1)))->mtime_ns, 2'000'000'000);
    EXPECT_TRUE(change(2, Change::requeue));
    EXPECT_EQ(in(Directory::deferred), (Ids{id(1), id(2)}));
    EXPECT_TRUE(change(1, Change::expire));
    EXPECT_EQ(fs_.info(path_of(Directory::deferred, id(1)))->mode & kModeForceExpire,
              kModeForceExpire);
}

TEST_F(AdminTest, ListsAMessageThatIsBeingMovedOnce) {
    put(Directory::incoming, {envelope(1), envelope(2)});
    put(Directory::deferred, {envelope(1)});
    put(Directory::hold, {envelope(2)});
    put(Directory::deferred, {envelope(3)});
    const auto all = listing();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].queue_name, "incoming");
    EXPECT_EQ(all[2].queue_id, id(3));
    EXPECT_EQ(totals_.count, 3U);
}

TEST_F(AdminTest, ListsWithReasonsAndLeavesOutWhatIsDone) {
    put(Directory::deferred, {envelope(1, 2)});
    BounceRecord record;
    record.address = "r1@y";
    record.text = "why not";
    ASSERT_TRUE(create_parent(fs_, Directory::defer, id(1)));
    std::ofstream(path_of(Directory::defer, id(1))) << format_bounce_record(record);
    put(Directory::incoming, {envelope(2), envelope(3)});
    EXPECT_TRUE(change(3, Change::remove));
    std::ofstream("incoming/BBBBBBBB") << "not yet committed";
    put(Directory::hold, {envelope(4)});
    auto all = listing();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].queue_name, "incoming");
    EXPECT_EQ(all[0].queue_id, id(2));
    EXPECT_EQ(all[1].queue_name, "deferred");
    ASSERT_EQ(all[1].recipients.size(), 2U);
    EXPECT_EQ(all[1].recipients[0].reason, "");
    EXPECT_EQ(all[1].recipients[1].reason, "why not");
    EXPECT_EQ(all[2].queue_name, "hold");
    EXPECT_EQ(totals_.count, 3U);
    EXPECT_EQ(totals_.bytes, 33U);
}

TEST_F(AdminTest, ALockedFileIsActive) {
    QueueId name = put(Directory::deferred, {envelope(1)});
    auto fd = fs_.open(path_of(Directory::deferred, name), O_RDONLY, 0);
    ASSERT_TRUE(*sys::try_lock(fd->get(), sys::LockKind::exclusive));
    EXPECT_EQ(listing().at(0).queue_name, "active");
    fd->reset();
    EXPECT_EQ(listing().at(0).queue_name, "deferred");
}

TEST_F(AdminTest, ManyRecipientsComeInPieces) {
    put(Directory::deferred, {envelope(1, 120)});
    auto all = listing();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_TRUE(all[0].more && all[1].more && !all[2].more);
    EXPECT_EQ(all[2].recipients.size(), 20U);
    EXPECT_EQ(totals_.count, 1U);
}

TEST_F(AdminTest, DamagedFilesAreNamed) {
    put(Directory::incoming, {envelope(1)});
    std::string path = path_of(Directory::incoming, id(1));
    std::string bytes = *sys::read_file(path, 100'000);
    bytes[bytes.size() - 40] = static_cast<char>(bytes[bytes.size() - 40] ^ 1);
    std::ofstream(path) << bytes;
    EXPECT_EQ(in(Directory::incoming), Ids{id(1)});
    EXPECT_TRUE(listing().empty());
}

// The first entry of a large queue comes before the rest of the queue has been looked at.
TEST_F(AdminTest, AListingBeginsAtOnce) {
    class Counting final : public support::RootedFs {
      public:
        using RootedFs::RootedFs;
        Result<std::vector<sys::DirEntry>> list(const std::string& path) override {
            ++listed;
            return RootedFs::list(path);
        }
        int listed = 0;
    } counting(folder_);
    std::set<std::string> expected;
    for (const char last : std::string_view("0123456789ABCDFGHJ")) {
        Envelope one = envelope(1);
        one.id = *QueueId::parse(std::string("B12345") + last);
        expected.insert(put(Directory::deferred, {one}).str());
    }
    std::set<std::string> listed;
    int looked_at_before_the_first = 0;
    const auto totals = Lister(counting).list([&](const ipc::QueueListEntry& entry) {
        if (listed.empty()) looked_at_before_the_first = counting.listed;
        listed.insert(entry.queue_id.str());
        return true;
    });
    EXPECT_EQ(listed, expected);
    EXPECT_EQ(totals.count, expected.size());
    EXPECT_LE(looked_at_before_the_first, 6)
        << "maildrop, incoming, active, deferred twice, deferred/0";
    EXPECT_GT(counting.listed, 18);
}

// Two postsupers: what one has in hand the other leaves alone, what one has moved the other finds.
TEST_F(AdminTest, TwoAtOnce) {
    const QueueId batch = put(Directory::incoming, {envelope(1), envelope(2)});
    const Fd other = *fs_.open(path_of(Directory::incoming, batch), O_RDWR, 0);
    ASSERT_TRUE(*sys::try_lock(other.get(), sys::LockKind::exclusive));
    const auto refused = change_message(fs_, id(2), Change::hold);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::temporary);
    EXPECT_NE(refused.error().what.find("in use by another process"), std::string::npos);
    EXPECT_TRUE(in(Directory::hold).empty());
    for (const Directory where : {Directory::deferred, Directory::hold}) {
        const QueueId own = put(where, {envelope(5)});
        Fd delivering = *fs_.open(path_of(where, own), O_RDONLY, 0);
        ASSERT_TRUE(*sys::try_lock(delivering.get(), sys::LockKind::exclusive));
        for (const Change what : {Change::remove, Change::requeue, Change::expire}) {
            const auto later = change_message(fs_, own, what);
            ASSERT_FALSE(later);
            EXPECT_EQ(later.error().code, Errc::temporary);
        }
        EXPECT_EQ(in(where), Ids{own});
        EXPECT_EQ(fs_.info(path_of(where, own))->mode & kModeForceExpire, 0U);
        delivering.reset();
        EXPECT_TRUE(change(5, Change::remove));
    }

    // The file goes between the look and the deed.
    class Quicker final : public support::RootedFs {
      public:
        using RootedFs::RootedFs;
        Result<void> unlink(const std::string& path) override {
            (void)RootedFs::rename(path, path_of(Directory::hold, *QueueId::parse("B123453k")));
            return RootedFs::unlink(path);
        }
        Result<void> set_times(const std::string& path, std::int64_t mtime) override {
            (void)RootedFs::unlink(path);
            return RootedFs::set_times(path, mtime);
        }
    } quicker(folder_);
    put(Directory::deferred, {envelope(3)});
    const auto removed = change_message(quicker, id(3), Change::remove);
    ASSERT_TRUE(removed) << removed.error().what;
    put(Directory::hold, {envelope(4)});
    const auto released = change_message(quicker, id(4), Change::release);
    ASSERT_TRUE(released) << released.error().what;
    EXPECT_FALSE(*released);
}

// qmgr delivers the last of a file, unlinks it and lets its lock go: nothing of it comes back.
TEST_F(AdminTest, WhatIsGoneBeforeItIsLockedIsNotCopied) {
    class Quicker final : public support::RootedFs {
      public:
        using RootedFs::RootedFs;
        Result<Fd> open(const std::string& path, int flags, mode_t mode) override {
            auto opened = RootedFs::open(path, flags, mode);
            if (opened && path == gone) (void)RootedFs::unlink(path);
            return opened;
        }
        std::string gone;
    } quicker(folder_);
    for (const Directory where : {Directory::incoming, Directory::deferred}) {
        const QueueId name = put(where, {envelope(1), envelope(2)});
        quicker.gone = path_of(where, name);
        const auto changed = change_message(quicker, name, Change::hold);
        ASSERT_TRUE(changed) << changed.error().what;
        EXPECT_FALSE(*changed);
        EXPECT_TRUE(in(Directory::hold).empty());
    }
}

// A file that cannot be opened now may be one that somebody delivers.
TEST_F(AdminTest, NothingIsChangedWithoutItsLock) {
    class Poor final : public support::RootedFs {
      public:
        using RootedFs::RootedFs;
        Result<Fd> open(const std::string& path, int flags, mode_t mode) override {
            if (path.starts_with("deferred") || path.starts_with("incoming"))
                return sys::system_error("open " + path, EMFILE);
            return RootedFs::open(path, flags, mode);
        }
    } poor(folder_);
    put(Directory::incoming, {envelope(1)});
    put(Directory::deferred, {envelope(2)});
    for (const int number : {1, 2}) {
        const auto changed = change_message(poor, id(number), Change::remove);
        ASSERT_FALSE(changed) << number;
        EXPECT_EQ(changed.error().code, Errc::no_space);
    }
    EXPECT_EQ(in(Directory::deferred), Ids{id(2)});
    // What is no file of ours nobody delivers: it can be removed.
    filesystem::create_symlink("/etc/passwd", path_of(Directory::deferred, id(3)));
    EXPECT_TRUE(change(3, Change::remove));
    EXPECT_FALSE(filesystem::is_symlink(path_of(Directory::deferred, id(3))));
}

TEST_F(AdminTest, ReleaseAsksNobodyAboutWhatIsNotHeld) {
    const Fd other =
        *fs_.open(path_of(Directory::deferred, put(Directory::deferred, {envelope(1)})), O_RDWR, 0);
    ASSERT_TRUE(*sys::try_lock(other.get(), sys::LockKind::exclusive));
    EXPECT_FALSE(change(1, Change::release));
}

TEST_F(AdminTest, OpensPlainFilesOfOursOnly) {
    const QueueId name = put(Directory::hold, {envelope(1)});
    EXPECT_TRUE(open_queue_file(fs_, path_of(Directory::hold, name), O_RDONLY));
    EXPECT_EQ(open_queue_file(fs_, "hold/none", O_RDONLY).error().code, Errc::not_found);
    filesystem::create_symlink(name.str(), "hold/link");
    ASSERT_EQ(::mkfifo("hold/fifo", 0600), 0);
    for (const char* path : {"hold/link", "hold/fifo", "hold"})
        for (const int access : {O_RDONLY, O_RDWR}) {
            const auto opened = open_queue_file(fs_, path, access);
            ASSERT_FALSE(opened) << path;
            EXPECT_EQ(opened.error().code, Errc::invalid) << path;
        }
    EXPECT_TRUE(open_plain_file(fs_, path_of(Directory::hold, name), O_RDONLY));
    EXPECT_FALSE(open_plain_file(fs_, "hold/fifo", O_RDONLY));
}

}  // namespace
}  // namespace postern::queue
