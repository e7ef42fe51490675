// The records of bounces on a disk whose power fails: a recipient is given up for a record, so the
// record must be there and be understood, whatever a crash has left before it.
#include "bounce/records.h"

#include <fcntl.h>

#include <algorithm>

#include "lib/queue/directories.h"
#include "tests/support/crash_fs.h"
#include "tests/support/faulty_fs.h"

namespace postern::bounce {
namespace {

using support::CrashFs;
using support::FaultyFs;
using support::RootedFs;
using support::TempFolder;

const QueueId kId = QueueId::parse("4BOUNCETEST").value();

ipc::BounceAppend record_for(const std::string& address) {
    ipc::BounceAppend request;
    request.log = ipc::BounceLog::bounce;
    request.queue_id = kId;
    request.recipient.address = address;
    request.report.status = "5.1.1";
    request.report.text = "no such user " + std::string(100, 'x');
    return request;
}

std::vector<std::string> addresses_in(sys::Fs& fs) {
    std::vector<std::string> addresses;
    auto file = fs.open(queue::path_of(queue::Directory::bounce, kId), O_RDONLY, 0);
    if (!file) return addresses;
    for (const auto& r : queue::parse_bounce_log(fs.read_at(file->get(), 0, 1 << 20).value()))
        addresses.push_back(r.address);
    return addresses;
}

void make_folders(const std::string& disk) {
    RootedFs fs(disk);
    ASSERT_TRUE(queue::create_all(fs));
}

TEST(Records, WhatWasRecordedIsReadAfterACrashAndSoIsWhatFollows) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    make_folders(folder.path());
    Records records(fs);
    for (const char* address : {"a@x.test", "b@x.test", "c@x.test"}) {
        ASSERT_TRUE(records.append(record_for(address)));
        fs.note(address);
    }
    const auto look = [&](std::size_t n, const std::string& disk) {
        RootedFs after(disk);
        ASSERT_TRUE(Records(after).append(record_for("later@x.test")));
        const auto found = addresses_in(after);
        std::vector<std::string> needed = fs.notes(n);
        needed.push_back("later@x.test");
        for (const std::string& address : needed)
            EXPECT_EQ(std::count(found.begin(), found.end(), address), 1)
                << address << " after operation " << n;
    };
    fs.for_each_crash(make_folders, look);
    EXPECT_GT(fs.for_each_reordering(make_folders, look), 10U);
}

TEST(Records, AFailingDiskIsNoSuccess) {
    for (const int why : {ENOSPC, EIO, EDQUOT, EMFILE})
        for (int n = 1;; ++n) {
            ASSERT_LT(n, 20);
            const TempFolder folder;
            make_folders(folder.path());
            FaultyFs fs(folder.path(), n, why);
            const bool first = Records(fs).append(record_for("a@x.test")).has_value();
            RootedFs plain(folder.path());
            ASSERT_TRUE(Records(plain).append(record_for("b@x.test")));
            const auto found = addresses_in(plain);
            EXPECT_EQ(std::count(found.begin(), found.end(), "b@x.test"), 1) << n;
            if (first) {
                EXPECT_EQ(found.front(), "a@x.test") << n;
            }
            if (!fs.fired()) break;
            EXPECT_FALSE(first) << n;
        }
}

TEST(Records, ALogIsOneLinePerFactWhateverIsInIt) {
    const TempFolder folder;
    make_folders(folder.path());
    RootedFs fs(folder.path());
    Records records(fs);
    auto evil = record_for("a@x.test");
    evil.report.text = "x\n\nrecipient=evil@x.test\n\n";
    ASSERT_TRUE(records.append(evil));
    EXPECT_EQ(addresses_in(fs), std::vector<std::string>{"a@x.test"});
    EXPECT_FALSE(records.append({}));
    ASSERT_TRUE(records.forget(ipc::BounceLog::bounce, kId));
    ASSERT_TRUE(records.forget(ipc::BounceLog::bounce, kId)) << "gone already is no error";
    EXPECT_TRUE(addresses_in(fs).empty());
}

}  // namespace
}  // namespace postern::bounce
