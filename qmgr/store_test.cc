// Store on a disk whose power fails: a message on its way out of its batch is in one place or in
// both, never in none, whatever the disk has written of what was not synced.
#include "qmgr/store.h"

#include <fcntl.h>

#include <set>

#include "lib/log/log.h"
#include "lib/queue/admin.h"
#include "lib/queue/writer.h"
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

}  // namespace
}  // namespace postern::qmgr
