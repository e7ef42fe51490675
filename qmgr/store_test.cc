// Store on a disk whose power fails: a message on its way out of its batch is in one place or in
// both, never in none, whatever the disk has written of what was not synced.
#include "qmgr/store.h"

#include <fcntl.h>

#include <chrono>
#include <optional>
#include <set>

#include "lib/log/log.h"
#include "lib/queue/admin.h"
#include "lib/queue/writer.h"
#include "lib/sys/file.h"
#include "tests/support/crash_fs.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/promises.h"

namespace postern::qmgr {
namespace {

using queue::Directory;
using support::CrashFs;
using support::FaultyFs;
using support::RootedFs;
using support::TempFolder;
using Note = std::function<void(const std::string&)>;

constexpr int kMessages = 4;

QueueId id_of(int n) { return QueueId::parse("4STORETEST" + std::to_string(n)).value(); }

void make_folders(const std::string& disk) {
    RootedFs fs(disk);
    ASSERT_TRUE(queue::create_all(fs));
}

// cleanup's work: a batch, synced.
void write_batch(sys::Fs& fs, const Note& note) {
    queue::BatchBuilder batch;
    for (int n = 0; n < kMessages; ++n) {
        queue::Envelope e;
        e.id = id_of(n);
        e.recipients = {{.address = "one@x.test"}, {.address = "two@x.test"}};
        batch.add(e, "Subject: " + id_of(n).str() + "\r\n\r\n" + std::string(300, 'x') + "\r\n");
    }
    const Fd fd =
        fs.open(queue::path_of(Directory::incoming, id_of(0)), O_RDWR | O_CREAT | O_EXCL).value();
    ASSERT_TRUE(fs.write(fd.get(), std::move(batch).finish()));
    ASSERT_TRUE(fs.sync(fd.get()));
    for (int n = 0; n < kMessages; ++n) note("accepted " + id_of(n).str());
}

// What the manager does: message 0 is delivered, the others leave for deferred/ and hold/ (in one
// group, synced, then marked), one of them after one of its recipients.
Result<void> live(sys::Fs& fs, const Note& note) {
    Store store(fs, 100);
    TRY_ASSIGN(LoadedFile loaded, store.load(Directory::incoming, id_of(0), true, WallTime{}));
    auto& messages = loaded.messages;
    for (const auto& r : messages[0].envelope.recipients) {
        note("done " + id_of(0).str() + " " + r.address);
        store.mark_done(*loaded.file, r);
    }
    store.finish(loaded.file);
    note("done " + id_of(1).str() + " one@x.test");
    store.mark_done(*loaded.file, messages[1].envelope.recipients[0]);
    messages[1].envelope.recipients[0].done = true;
    std::vector<Move> moves;
    std::vector<Fd> copies;
    for (std::size_t n = 1; n < kMessages; ++n)
        moves.push_back({loaded.file, &messages[n], n == 2 ? Directory::hold : Directory::deferred,
                         WallTime{}});
    for (const Move& move : moves) {
        auto copy = store.copy_out(move);
        copies.push_back(copy ? std::move(*copy) : Fd());
    }
    for (std::size_t i = 0; i < moves.size(); ++i) {
        if (copies[i] && fs.sync(copies[i].get()))
            store.moved(moves[i]);
        else
            store.take_back(moves[i]);
    }
    return {};
}

// What the next qmgr would deliver or hold: files of their own, and of batches what has none.
std::multiset<std::string> recover(RootedFs& fs) {
    std::multiset<std::string> left;
    Store store(fs, 100);
    const auto take = [&](const queue::Message& message) {
        for (const auto& r : message.envelope.recipients)
            if (!r.done) left.insert(message.envelope.id.str() + " " + r.address);
    };
    const auto batches = queue::list_files(fs, Directory::incoming).value();
    for (const QueueId& name : batches) {
        const auto batch = store.load(Directory::incoming, name, true, WallTime{});
        if (!batch) continue;
        for (const auto& message : batch->messages)
            if (message.envelope.remaining() > 0 && !store.has_own_file(message.envelope.id))
                take(message);
    }
    for (const Directory own : {Directory::deferred, Directory::hold}) {
        const auto names = queue::list_files(fs, own).value();
        for (const QueueId& name : names) {
            const auto file = Store(fs, 100).load(own, name, true, WallTime{});
            if (file) take(file->messages[0]);
        }
    }
    return left;
}

class StoreTest : public testing::Test {
  protected:
    StoreTest() { log::open_capture(); }
};

TEST_F(StoreTest, AMoveSurvivesACrashInWhateverOrderTheDiskWrites) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    make_folders(folder.path());
    const Note note = [&](const std::string& text) { fs.note(text); };
    write_batch(fs, note);
    ASSERT_TRUE(live(fs, note));
    const auto look = [&](std::size_t n, const std::string& disk) {
        RootedFs after(disk);
        const auto found = recover(after);
        for (const std::string& need : support::owed(fs.notes(n)))
            EXPECT_EQ(found.count(need), 1U) << need << " after operation " << n;
        for (const std::string& one : found) EXPECT_EQ(found.count(one), 1U) << one << " at " << n;
        (void)log::take_captured();
    };
    fs.for_each_crash(make_folders, look);
    EXPECT_GT(fs.for_each_reordering(make_folders, look), 500U);
}

// Another process was quicker: between our looking for the file and our having its lock.
TEST_F(StoreTest, AFileThatIsTakenAwayMeanwhileIsNotLoaded) {
    class Quicker final : public RootedFs {
      public:
        using RootedFs::RootedFs;
        Result<Fd> open(const std::string& path, int flags, mode_t mode) override {
            auto opened = RootedFs::open(path, flags, mode);
            if (opened && deed) std::exchange(deed, nullptr)(*this);
            return opened;
        }
        std::function<void(RootedFs&)> deed;
    };
    const std::string path = queue::path_of(Directory::incoming, id_of(0));
    const std::function<void(RootedFs&)> deeds[] = {
        [&](RootedFs& fs) { ASSERT_TRUE(fs.unlink(path)); },
        [&](RootedFs& fs) {
            ASSERT_TRUE(fs.rename(path, queue::path_of(Directory::hold, id_of(0))));
        },
        [&](RootedFs& fs) {
            ASSERT_TRUE(fs.unlink(path));
            write_batch(fs, [](const std::string&) {});
        }};
    for (const auto& deed : deeds) {
        const TempFolder disk;
        make_folders(disk.path());
        Quicker fs(disk.path());
        write_batch(fs, [](const std::string&) {});
        fs.deed = deed;
        Store store(fs, 100);
        const auto loaded = store.load(Directory::incoming, id_of(0), true, WallTime{});
        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().code, Errc::not_found);
        EXPECT_FALSE(store.is_loaded(id_of(0)));
    }
}

TEST_F(StoreTest, AFailingDiskLosesNothing) {
    for (const int why : {ENOSPC, EIO, EDQUOT, EMFILE})
        for (const auto after : {FaultyFs::After::recovers, FaultyFs::After::stays_broken})
            for (int n = 1;; ++n) {
                ASSERT_LT(n, 200);
                const TempFolder folder;
                make_folders(folder.path());
                RootedFs plain(folder.path());
                std::vector<std::string> notes;
                const Note note = [&](const std::string& text) { notes.push_back(text); };
                write_batch(plain, note);
                FaultyFs fs(folder.path(), n, why, after);
                (void)live(fs, note);
                const auto found = recover(plain);
                for (const std::string& need : support::owed(notes))
                    EXPECT_EQ(found.count(need), 1U) << need << " at " << n;
                const std::string log = log::take_captured();
                if (!fs.fired()) break;
            }
}

// --- files that are used again ---

std::string reusable_file(int n) {
    queue::BatchBuilder batch;
    queue::Envelope e;
    e.id = id_of(n);
    e.recipients = {{.address = "one@x.test"}, {.address = "two@x.test"}};
    batch.add(e, "Subject: " + id_of(n).str() + "\r\n\r\n" + std::string(3000, 'x') + "\r\n");
    return std::move(batch).finish_reusable();
}

// cleanup's work: message n into a new file, or over that of a finished one.
Result<void> accept_one(sys::Fs& fs, int n, std::optional<int> over, const Note& note) {
    const std::string path = queue::path_of(Directory::incoming, id_of(n));
    if (over) {
        TRY(fs.rename(queue::spare_path_of(id_of(*over)), path));
        TRY_ASSIGN(const Fd fd, fs.open(path, O_RDWR));
        TRY(fs.write_at(fd.get(), 0, reusable_file(n)));
        TRY(fs.sync_data(fd.get()));
    } else {
        TRY_ASSIGN(const Fd fd, fs.open(path, O_RDWR | O_CREAT | O_EXCL));
        TRY(fs.write(fd.get(), reusable_file(n)));
        TRY(fs.sync(fd.get()));
    }
    note("accepted " + id_of(n).str());
    return {};
}

Result<void> deliver_one(Store& store, int n, const Note& note) {
    TRY_ASSIGN(LoadedFile loaded, store.load(Directory::incoming, id_of(n), false, WallTime{}));
    for (const auto& r : loaded.messages[0].envelope.recipients) {
        note("done " + id_of(n).str() + " " + r.address);
        store.mark_done(*loaded.file, r);
    }
    store.finish(loaded.file);
    return {};
}

// One file for three messages in turn, and a second one beside it.
Result<void> live_on_spare_files(sys::Fs& fs, const Note& note) {
    Store store(fs, 100);
    TRY(accept_one(fs, 0, std::nullopt, note));
    TRY(deliver_one(store, 0, note));
    TRY(accept_one(fs, 1, 0, note));
    TRY(accept_one(fs, 2, std::nullopt, note));
    TRY(deliver_one(store, 1, note));
    TRY(accept_one(fs, 3, 1, note));
    TRY(deliver_one(store, 2, note));
    return {};
}

// As the scanner goes: whatever has the name of a spare file first.
std::multiset<std::string> recover_with_spares(RootedFs& fs) {
    Store store(fs, 100);
    const auto entries = fs.list("incoming").value();
    for (const auto& entry : entries)
        if (const auto spare = queue::spare_id(entry.name)) store.look_at_spare(*spare, WallTime{});
    const auto found = recover(fs);
    // Two names of one file, where the disk kept the later rename only: qmgr takes a message once.
    const std::set<std::string> once(found.begin(), found.end());
    return {once.begin(), once.end()};
}

TEST_F(StoreTest, AFileThatIsUsedAgainSurvivesACrashInWhateverOrderTheDiskWrites) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    make_folders(folder.path());
    ASSERT_TRUE(live_on_spare_files(fs, [&](const std::string& text) { fs.note(text); }));
    const auto look = [&](std::size_t n, const std::string& disk) {
        RootedFs after(disk);
        const auto found = recover_with_spares(after);
        for (const std::string& need : support::owed(fs.notes(n)))
            EXPECT_EQ(found.count(need), 1U) << need << " after operation " << n;
        (void)log::take_captured();
    };
    fs.for_each_crash(make_folders, look);
    EXPECT_GT(fs.for_each_reordering(make_folders, look), 200U);
}

TEST_F(StoreTest, AFailingDiskLosesNothingOfFilesThatAreUsedAgain) {
    for (const int why : {ENOSPC, EIO})
        for (const auto after : {FaultyFs::After::recovers, FaultyFs::After::stays_broken})
            for (int n = 1;; ++n) {
                ASSERT_LT(n, 200);
                const TempFolder folder;
                make_folders(folder.path());
                std::vector<std::string> notes;
                FaultyFs fs(folder.path(), n, why, after);
                (void)live_on_spare_files(fs, [&](const auto& text) { notes.push_back(text); });
                RootedFs plain(folder.path());
                const auto found = recover_with_spares(plain);
                for (const std::string& need : support::owed(notes))
                    EXPECT_EQ(found.count(need), 1U) << need << " at " << n;
                (void)log::take_captured();
                if (!fs.fired()) break;
            }
}

TEST_F(StoreTest, AFinishedFileIsLeftForItsWriterAndRemovedLater) {
    const TempFolder folder;
    RootedFs fs(folder.path());
    make_folders(folder.path());
    Store store(fs, 100);
    const Note nobody = [](const std::string&) {};
    ASSERT_TRUE(accept_one(fs, 0, std::nullopt, nobody));
    ASSERT_TRUE(deliver_one(store, 0, nobody));
    const std::string spare = queue::spare_path_of(id_of(0));
    const auto written = fs.info(spare);
    ASSERT_TRUE(written) << "neither removed nor in the queue";
    EXPECT_FALSE(fs.info(queue::path_of(Directory::incoming, id_of(0))));

    const WallTime then{
        std::chrono::duration_cast<Micros>(std::chrono::nanoseconds(written->mtime_ns))};
    EXPECT_FALSE(store.look_at_spare(id_of(0), then + Seconds(200)));
    EXPECT_TRUE(fs.info(spare));
    {
        const Fd writer = fs.open(spare, O_RDWR, 0).value();
        ASSERT_TRUE(sys::try_lock(writer.get(), sys::LockKind::exclusive).value());
        EXPECT_FALSE(store.look_at_spare(id_of(0), then + Seconds(400)));
        EXPECT_TRUE(fs.info(spare)) << "its writer has it";
    }
    EXPECT_FALSE(store.look_at_spare(id_of(0), then + Seconds(400)));
    EXPECT_FALSE(fs.info(spare));
}

// Marks that were for the old message, and who has made a second name to keep its text.
TEST_F(StoreTest, AFileThatIsMoreThanAMessageIsNotUsedAgain) {
    const std::function<void(RootedFs&, const std::string&)> changes[] = {
        [](RootedFs& fs, const std::string& path) {
            ASSERT_TRUE(fs.set_mode(path, queue::kPlainMode | queue::kModeForceExpire));
        },
        [](RootedFs& fs, const std::string& path) { ASSERT_TRUE(fs.link(path, "backup")); }};
    for (const auto& change : changes) {
        const TempFolder folder;
        RootedFs fs(folder.path());
        make_folders(folder.path());
        Store store(fs, 100);
        const Note nobody = [](const std::string&) {};
        ASSERT_TRUE(accept_one(fs, 0, std::nullopt, nobody));
        change(fs, queue::path_of(Directory::incoming, id_of(0)));
        ASSERT_TRUE(deliver_one(store, 0, nobody));
        EXPECT_EQ(fs.list("incoming").value().size(), 0U);
    }
}

TEST_F(StoreTest, AMessageUnderTheNameOfAnEarlierOneGetsItsOwn) {
    const TempFolder folder;
    RootedFs fs(folder.path());
    make_folders(folder.path());
    // As a power cut may leave it: the bytes are there, the new name is not.
    const Fd fd = fs.open(queue::spare_path_of(id_of(0)), O_RDWR | O_CREAT, 0600).value();
    ASSERT_TRUE(fs.write(fd.get(), reusable_file(1)));
    Store store(fs, 100);
    EXPECT_TRUE(store.look_at_spare(id_of(0), WallTime{}));
    EXPECT_TRUE(store.load(Directory::incoming, id_of(1), true, WallTime{}));
}

TEST_F(StoreTest, AWriteThatACrashCutShortIsPutAside) {
    const TempFolder folder;
    RootedFs fs(folder.path());
    make_folders(folder.path());
    std::string torn = reusable_file(0);
    torn.replace(4096, torn.size() - 4096, reusable_file(1).substr(4096));
    torn[torn.size() - 33] ^= 1;  // the index
    const Fd fd = fs.open(queue::spare_path_of(id_of(0)), O_RDWR | O_CREAT, 0600).value();
    ASSERT_TRUE(fs.write(fd.get(), torn));
    Store store(fs, 100);
    EXPECT_FALSE(store.look_at_spare(id_of(0), WallTime{}));
    EXPECT_TRUE(fs.info(queue::path_of(Directory::corrupt, id_of(0))));
    EXPECT_NE(log::take_captured().find("saving corrupt file"), std::string::npos);
}

}  // namespace
}  // namespace postern::qmgr
