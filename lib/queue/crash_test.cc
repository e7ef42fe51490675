// What remains of the queue when the power fails, at every moment of a short life of four messages:
// acknowledged means recovered; what was delivered may come back once, as a whole, and never twice.
#include <fcntl.h>

#include <set>

#include "lib/queue/admin.h"
#include "lib/queue/directories.h"
#include "lib/queue/reader.h"
#include "lib/queue/writer.h"
#include "tests/support/crash_fs.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/promises.h"
#include "tests/support/temp_folder.h"

namespace postern::queue {
namespace {

QueueId crash_id(int n) { return QueueId::parse("4CRASHTEST" + std::to_string(n)).value(); }

Envelope crash_envelope(int n) {
    Envelope e;
    e.id = crash_id(n);
    e.sender = "a@b.test";
    e.recipients = {{.address = "one@x.test"}, {.address = "two@x.test"}};
    return e;
}

std::string text_of(int n) { return "Subject: " + crash_id(n).str() + "\r\n\r\nhello\r\n"; }

// Called when something is promised to somebody outside.
using Note = std::function<void(const std::string&)>;

// cleanup: one batch of three and one large message, each acknowledged after its sync.
Result<void> accept_mail(sys::Fs& fs, const Note& note) {
    BatchBuilder batch;
    for (int n = 0; n < 3; ++n) batch.add(crash_envelope(n), text_of(n));
    {
        TRY_ASSIGN(const Fd fd, fs.open(path_of(Directory::incoming, crash_id(0)),
                                        O_RDWR | O_CREAT | O_EXCL, 0600));
        TRY(fs.write(fd.get(), std::move(batch).finish()));
        TRY(fs.sync(fd.get()));
        for (int n = 0; n < 3; ++n) note("accepted " + crash_id(n).str());
    }
    TRY_ASSIGN(StreamWriter large,
               StreamWriter::create(fs, path_of(Directory::incoming, crash_id(3))));
    TRY(large.append(text_of(3).substr(0, 10)));
    TRY(large.append(text_of(3).substr(10)));
    TRY_ASSIGN(const Fd fd, std::move(large).finish(crash_envelope(3)));
    TRY(fs.sync(fd.get()));
    note("accepted " + crash_id(3).str());
    return {};
}

// qmgr: delivers message 0 whole, one recipient of 1, defers the rest of 1 and all of 2 into files
// of their own.
Result<void> deliver_mail(sys::Fs& fs, const Note& note) {
    const std::string path = path_of(Directory::incoming, crash_id(0));
    TRY_ASSIGN(const Fd fd, fs.open(path, O_RDWR));
    TRY_ASSIGN(const Reader reader, Reader::open(fs, fd.get()));
    TRY_ASSIGN(std::vector<Message> messages, reader.messages());
    const auto done = [&](Message& m, std::size_t i) -> Result<void> {
        note("done " + m.envelope.id.str() + " " + m.envelope.recipients[i].address);
        m.envelope.recipients[i].done = true;
        return mark_done(fs, fd.get(), m.envelope.recipients[i].status_offset);
    };
    TRY(done(messages[0], 0));
    TRY(done(messages[0], 1));
    TRY(done(messages[1], 1));
    for (std::size_t n = 1; n < 3; ++n) {
        const QueueId& id = messages[n].envelope.id;
        TRY(create_parent(fs, Directory::deferred, id));
        TRY_ASSIGN(const Fd out, extract(fs, fd.get(), messages[n], messages[n].envelope,
                                         path_of(Directory::deferred, id)));
        TRY(fs.sync(out.get()));
        TRY(fs.sync_directory(parent_of(Directory::deferred, id)));
        for (const Recipient& r : messages[n].envelope.recipients)
            if (!r.done) TRY(mark_done(fs, fd.get(), r.status_offset));
    }
    return fs.unlink(path);
}

// "id address" of everything that a restart would deliver: a file of its own wins over a batch.
std::multiset<std::string> recover(const std::string& root) {
    support::RootedFs fs(root);
    std::multiset<std::string> left;
    std::set<std::string> seen;
    std::vector<std::string> folders = {"hold", "incoming"};
    const auto subfolders = fs.list("deferred").value();
    for (const auto& sub : subfolders) folders.insert(folders.begin(), "deferred/" + sub.name);
    for (const std::string& folder : folders) {
        const auto entries = fs.list(folder).value();
        for (const auto& entry : entries) {
            const Fd fd = fs.open(folder + "/" + entry.name, O_RDONLY, 0).value();
            const auto reader = Reader::open(fs, fd.get());
            if (!reader) continue;
            const auto messages = reader->messages();
            if (!messages) continue;
            for (const Message& m : *messages) {
                if (!verify_body(fs, fd.get(), m)) continue;
                if (!seen.insert(m.envelope.id.str()).second) continue;
                for (const Recipient& r : m.envelope.recipients)
                    if (!r.done) left.insert(m.envelope.id.str() + " " + r.address);
            }
        }
    }
    return left;
}

TEST(QueueCrash, AcknowledgedMeansRecoveredAndNothingComesTwice) {
    const support::TempFolder folder;
    support::CrashFs fs(folder.path());
    ASSERT_TRUE(create_all(fs));
    const Note note = [&](const std::string& text) { fs.note(text); };
    ASSERT_TRUE(accept_mail(fs, note));
    ASSERT_TRUE(deliver_mail(fs, note));

    int crashes = 0;
    fs.for_each_crash(
        [](const std::string& disk) {
            ASSERT_TRUE(create_all(*std::make_unique<support::RootedFs>(disk)));
        },
        [&](std::size_t n, const std::string& disk) {
            const std::multiset<std::string> found = recover(disk);
            for (const std::string& need : support::owed(fs.notes(n)))
                EXPECT_EQ(found.count(need), 1U) << need << " after operation " << n;
            for (const std::string& one : found) EXPECT_EQ(found.count(one), 1U) << one;
            ++crashes;
        });
    EXPECT_GT(crashes, 200);
}

void make_folders(const std::string& disk) {
    ASSERT_TRUE(create_all(*std::make_unique<support::RootedFs>(disk)));
}

// A disk keeps what was not synced, or does not, in any combination.
TEST(QueueCrash, InWhateverOrderTheDiskWrites) {
    const support::TempFolder folder;
    support::CrashFs fs(folder.path());
    ASSERT_TRUE(create_all(fs));
    const Note note = [&](const std::string& text) { fs.note(text); };
    ASSERT_TRUE(accept_mail(fs, note));
    ASSERT_TRUE(deliver_mail(fs, note));
    const std::size_t disks =
        fs.for_each_reordering(make_folders, [&](std::size_t n, const std::string& disk) {
            const std::multiset<std::string> found = recover(disk);
            for (const std::string& need : support::owed(fs.notes(n)))
                EXPECT_EQ(found.count(need), 1U) << need << " after operation " << n;
            for (const std::string& one : found) EXPECT_EQ(found.count(one), 1U) << one;
        });
    EXPECT_GT(disks, 200U);
}

// postsuper: what it moves to and fro, in files of their own and out of a batch, is never nowhere.
Result<void> administrate(sys::Fs& fs, const Note& note) {
    TRY(accept_mail(fs, note));
    const auto change = [&](int n, Change what) -> Result<void> {
        TRY_ASSIGN(const bool changed, change_message(fs, crash_id(n), what));
        return changed ? Result<void>() : Error{Errc::not_found, crash_id(n).str()};
    };
    TRY(change(1, Change::hold));
    TRY(change(3, Change::hold));
    TRY(change(1, Change::release));
    TRY(change(1, Change::expire));
    TRY(change(1, Change::requeue));
    TRY(change(3, Change::release));
    TRY(change(1, Change::hold));
    note("done " + crash_id(2).str() + " one@x.test");
    note("done " + crash_id(2).str() + " two@x.test");
    TRY(change(2, Change::remove));
    note("done " + crash_id(3).str() + " one@x.test");
    note("done " + crash_id(3).str() + " two@x.test");
    return change(3, Change::remove);
}

TEST(QueueCrash, WhatPostsuperMovesIsNeverLost) {
    const support::TempFolder folder;
    support::CrashFs fs(folder.path());
    ASSERT_TRUE(create_all(fs));
    const auto done = administrate(fs, [&](const std::string& text) { fs.note(text); });
    ASSERT_TRUE(done) << done.error().what;
    const std::size_t disks =
        fs.for_each_reordering(make_folders, [&](std::size_t n, const std::string& disk) {
            const std::multiset<std::string> found = recover(disk);
            for (const std::string& need : support::owed(fs.notes(n)))
                EXPECT_EQ(found.count(need), 1U) << need << " after operation " << n;
        });
    EXPECT_GT(disks, 300U);
}

TEST(QueueFaults, PostsuperLosesNothingOnAFailingDisk) {
    for (const int why : {ENOSPC, EIO, EDQUOT}) {
        for (int n = 1;; ++n) {
            ASSERT_LT(n, 1000);
            const support::TempFolder folder;
            make_folders(folder.path());
            support::FaultyFs fs(folder.path(), n, why);
            std::vector<std::string> notes;
            const auto done =
                administrate(fs, [&](const std::string& text) { notes.push_back(text); });
            const auto found = recover(folder.path());
            for (const std::string& need : support::owed(notes))
                EXPECT_EQ(found.count(need), 1U) << need << " at " << n;
            if (!fs.fired()) break;
        }
    }
}

TEST(QueueFaults, AFailedOperationPromisesNothingThatIsLost) {
    for (int n = 1;; ++n) {
        const support::TempFolder folder;
        support::RootedFs plain(folder.path());
        ASSERT_TRUE(create_all(plain));
        support::FaultyFs fs(folder.path(), n);
        std::vector<std::string> notes;
        const Note note = [&](const std::string& text) { notes.push_back(text); };
        if (accept_mail(fs, note)) (void)deliver_mail(fs, note);
        const auto found = recover(folder.path());
        for (const std::string& need : support::owed(notes))
            EXPECT_EQ(found.count(need), 1U) << need << " at " << n;
        if (!fs.fired()) break;
        ASSERT_LT(n, 1000);
    }
}

}  // namespace
}  // namespace postern::queue
