// What remains of a Maildir when the power fails, at every moment of deliveries and appends:
// acknowledged means present and whole, nothing half-written is ever a message, and a UID that a
// client was told never comes to mean another message. And the same story with every operation
// failing once.
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "lib/mailbox/store.h"
#include "tests/support/crash_fs.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::mailbox {
namespace {

using support::CrashFs;
using support::FaultyFs;
using support::RootedFs;
using support::TempFolder;

std::string text_of(int n) {
    return "Subject: " + std::to_string(n) + "\n\n" +
           std::string(static_cast<std::size_t>(n) * 700, 'x') + "\n";
}

std::function<Result<void>(MessageWriter&)> writer_of(const std::string& text) {
    return [text](MessageWriter& writer) -> Result<void> {
        // In two pieces, so that a cut can fall between them.
        TRY(writer.write(std::string_view(text).substr(0, 5)));
        TRY(writer.flush());
        return writer.write(std::string_view(text).substr(5));
    };
}

std::vector<Delivery> deliveries(int from, int to) {
    std::vector<Delivery> all;
    for (int n = from; n < to; ++n)
        all.push_back(
            {"Maildir", "170000000" + std::to_string(n) + ".Qx.h", writer_of(text_of(n)), 0, ""});
    return all;
}

using Note = std::function<void(const std::string&)>;

// local: a group of three, then one alone.
void deliver_all(sys::Fs& fs, const Note& note) {
    for (const auto& [from, to] : {std::pair(0, 3), std::pair(3, 4)}) {
        const auto group = deliveries(from, to);
        const auto results = deliver(fs, group);
        for (std::size_t i = 0; i < results.size(); ++i)
            if (results[i]) note(text_of(from + static_cast<int>(i)));
    }
}

// Looking at a disk after the accident needs no durability: without fsync hundreds of disks are
// quick.
class Disk final : public RootedFs {
  public:
    using RootedFs::RootedFs;
    Result<void> sync(int) override { return {}; }
    Result<void> sync_directory(const std::string&) override { return {}; }
};

// The texts of all messages in new/; a file whose size is not what its name says is reported as
// broken.
std::multiset<std::string> messages_in(sys::Fs& fs) {
    std::multiset<std::string> texts;
    const auto entries = fs.list("Maildir/new");
    if (!entries) return texts;
    for (const auto& entry : *entries) {
        const Fd file = fs.open("Maildir/new/" + entry.name, 0, 0).value();
        texts.insert(fs.read_at(file.get(), 0, 1 << 20).value());
    }
    return texts;
}

std::set<std::string> all_texts(int count) {
    std::set<std::string> texts;
    for (int n = 0; n < count; ++n) texts.insert(text_of(n));
    return texts;
}

// Every message that was acknowledged is there once, and none is there in part.
void expect_whole(const std::vector<std::string>& acknowledged, const std::string& disk,
                  const std::set<std::string>& known, std::size_t n) {
    Disk left(disk);
    const auto present = messages_in(left);
    for (const auto& text : acknowledged) EXPECT_EQ(present.count(text), 1U) << "crash at " << n;
    for (const auto& text : present) EXPECT_TRUE(known.contains(text)) << "crash at " << n;
}

TEST(MaildirCrash, DeliveredMeansPresentAndWhole) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    deliver_all(fs, [&](const std::string& text) { fs.note(text); });
    ASSERT_EQ(fs.notes(fs.size()).size(), 4U);
    const auto known = all_texts(4);
    std::size_t looked = 0;
    fs.for_each_crash([](const std::string&) {},
                      [&](std::size_t n, const std::string& disk) {
                          expect_whole(fs.notes(n), disk, known, n);
                          ++looked;
                      });
    EXPECT_GT(looked, 100U);
}

TEST(MaildirCrash, DeliveredMeansPresentAndWholeInWhateverOrderTheDiskWrites) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    deliver_all(fs, [&](const std::string& text) { fs.note(text); });
    const auto known = all_texts(4);
    const std::size_t disks = fs.for_each_reordering(
        [](const std::string&) {},
        [&](std::size_t n, const std::string& disk) { expect_whole(fs.notes(n), disk, known, n); });
    EXPECT_GT(disks, 150U);
}

TEST(MaildirCrash, ADeliveryRepeatedAfterTheCrashIsThereOnce) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    deliver_all(fs, [&](const std::string& text) { fs.note(text); });
    fs.for_each_crash([](const std::string&) {},
                      [&](std::size_t n, const std::string& disk) {
                          Disk left(disk);
                          int delivered = 0;
                          deliver_all(left, [&](const std::string&) { ++delivered; });
                          EXPECT_EQ(delivered, 4) << "crash at " << n;
                          EXPECT_EQ(messages_in(left).size(), 4U) << "crash at " << n;
                      });
}

TEST(MaildirFaults, AnyFailureIsReportedAndNothingBrokenShows) {
    const auto known = all_texts(4);
    for (const auto after : {FaultyFs::After::recovers, FaultyFs::After::stays_broken}) {
        bool fired = true;
        for (int n = 1; fired && n < 500; ++n) {
            const TempFolder folder;
            FaultyFs fs(folder.path(), n, ENOSPC, after);
            std::multiset<std::string> promised;
            deliver_all(fs, [&](const std::string& text) { promised.insert(text); });
            fired = fs.fired();
            Disk left(folder.path());
            const auto present = messages_in(left);
            for (const auto& text : promised)
                EXPECT_TRUE(present.contains(text)) << "failure " << n;
            for (const auto& text : present) EXPECT_TRUE(known.contains(text)) << "failure " << n;
        }
    }
}

// A full disk: what is there, and what another program puts there, can be read, and the session
// goes on; once there is room, it is as if there always had been.
TEST(MaildirFaults, AFullDiskCanBeRead) {
    bool fired = true;
    for (int n = 1; fired && n < 100; ++n) {
        const TempFolder folder;
        Disk disk(folder.path());
        const std::vector<AppendMessage> known = {{writer_of(text_of(0)), 0, {}, 0}};
        ASSERT_TRUE(Store::open("Maildir", disk)->mailbox("INBOX")->append(known));
        FaultyFs fs(folder.path(), n, ENOSPC, FaultyFs::After::stays_broken);
        {
            auto view = Store::open("Maildir", fs)->mailbox("INBOX")->open(Access::read_write);
            ASSERT_TRUE(view) << "failure " << n << ": " << view.error().what;
            EXPECT_EQ((*view)->count(), 1U);
            std::ofstream(folder.path() + "/Maildir/new/1.M2P3.other") << text_of(1);
            const std::uint32_t all[] = {1};
            (void)(*view)->store_unchanged(all, StoreMode::add, {kSeen, 0}, UINT64_MAX);
            const auto changes = (*view)->sync(Expunges::report, true);
            ASSERT_TRUE(changes) << "failure " << n << ": " << changes.error().what;
            EXPECT_EQ((*view)->message(1).uid, 1U);
        }
        fired = fs.fired();
        auto later = Store::open("Maildir", disk)->mailbox("INBOX")->open(Access::read_only);
        ASSERT_TRUE(later && (*later)->count() == 2);
        EXPECT_EQ((*later)->message(2).uid, 2U);
    }
    EXPECT_FALSE(fired) << "the last ones went through";
}

// --- UIDs: what a client was told.

struct Told {
    std::uint32_t validity;
    Uid uid;
    std::string text;
};

// A mailbox's life: two appends (one of two messages), a delivery that a session sees, a copy.
void live(sys::Fs& fs, const Clock& clock, const std::function<void(const Told&)>& tell) {
    auto store = Store::open("Maildir", fs, clock);
    if (!store) return;
    auto inbox = store->mailbox("INBOX");
    if (!inbox) return;
    const auto append = [&](int from, int to) {
        std::vector<AppendMessage> messages;
        for (int n = from; n < to; ++n) messages.push_back({writer_of(text_of(n)), 0, {}, 0});
        const auto appended = inbox->append(messages);
        if (!appended) return;
        for (int n = from; n < to; ++n)
            tell({appended->uid_validity, appended->uids[static_cast<std::size_t>(n - from)],
                  text_of(n)});
    };
    append(0, 1);
    append(1, 3);
    (void)deliver(fs, deliveries(3, 4));
    auto view = inbox->open(Access::read_write);
    if (!view) return;
    for (std::uint32_t seq = 1; seq <= (*view)->count(); ++seq) {
        const auto text = (*view)->read(seq);
        if (text) tell({(*view)->uid_validity(), (*view)->message(seq).uid, *text});
    }
    if ((*view)->count() == 0) return;
    const std::uint32_t first = 1;
    const auto original = (*view)->read(first);
    const auto copied = (*view)->copy({&first, 1}, *inbox);
    if (copied && original) tell({copied->uid_validity, copied->uids[0], *original});
}

// Opens the mailbox after the accident: what is there under which UID.
std::map<Uid, std::string> reopen(sys::Fs& fs, std::uint32_t& validity) {
    std::map<Uid, std::string> found;
    auto store = Store::open("Maildir", fs);
    EXPECT_TRUE(store) << store.error().what;
    auto view = store->mailbox("INBOX")->open(Access::read_write);
    EXPECT_TRUE(view) << view.error().what;
    validity = (*view)->uid_validity();
    for (std::uint32_t seq = 1; seq <= (*view)->count(); ++seq)
        found[(*view)->message(seq).uid] = *(*view)->read(seq);
    return found;
}

TEST(UidCrash, AToldUidKeepsItsMeaning) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    std::vector<Told> told;
    live(fs, SystemClock::instance(), [&](const Told& t) {
        fs.note(std::to_string(told.size()));
        told.push_back(t);
    });
    ASSERT_EQ(told.size(), 3U + 4U + 1U);
    const auto known = all_texts(4);
    fs.for_each_crash([](const std::string&) {},
                      [&](std::size_t n, const std::string& disk) {
                          Disk left(disk);
                          std::uint32_t validity = 0;
                          const auto found = reopen(left, validity);
                          for (const auto& note : fs.notes(n)) {
                              const Told& t = told[std::stoul(note)];
                              ASSERT_EQ(validity, t.validity) << "crash at " << n;
                              ASSERT_TRUE(found.contains(t.uid))
                                  << "crash at " << n << ": uid " << t.uid;
                              EXPECT_EQ(found.at(t.uid), t.text) << "crash at " << n;
                          }
                          for (const auto& [uid, text] : found)
                              EXPECT_TRUE(known.contains(text)) << "crash at " << n;
                      });
}

TEST(UidFaults, AToldUidKeepsItsMeaning) {
    bool fired = true;
    for (int n = 1; fired && n < 500; ++n) {
        const TempFolder folder;
        FaultyFs fs(folder.path(), n);
        std::vector<Told> told;
        live(fs, SystemClock::instance(), [&](const Told& t) { told.push_back(t); });
        fired = fs.fired();
        Disk left(folder.path());
        std::uint32_t validity = 0;
        const auto found = reopen(left, validity);
        for (const Told& t : told) {
            ASSERT_EQ(validity, t.validity) << "failure " << n;
            ASSERT_TRUE(found.contains(t.uid)) << "failure " << n << ": uid " << t.uid;
            EXPECT_EQ(found.at(t.uid), t.text) << "failure " << n;
        }
    }
}

// --- Flags and expunges: what a client was told OK for.

struct Fact {
    Uid uid;
    bool exists;
    Flags flags;
    std::uint64_t modseq;
    bool unsure = false;  // the client was told NO: either may be true
};

// Five messages; flags and keywords are changed, names follow, one message is expunged, a snapshot
// replaces the log's tail. Tells what is true from then on, or may be: the last fact about a UID
// counts, or the one that was about to replace it.
void change(sys::Fs& fs, const std::function<void(const Fact&)>& tell) {
    auto store = Store::open("Maildir", fs);
    if (!store) return;
    const auto inbox = store->mailbox("INBOX");
    if (!inbox) return;
    std::vector<AppendMessage> messages;
    for (int n = 0; n < 5; ++n) messages.push_back({writer_of(text_of(n)), 0, {}, 0});
    if (!inbox->append(messages)) return;
    auto opened = inbox->open(Access::read_write);
    if (!opened || (*opened)->count() != 5) return;
    View& view = **opened;
    const auto say = [&](std::uint32_t seq, bool done) {
        const Message m = view.message(seq);
        tell({m.uid, true, m.flags, m.modseq, !done});
    };
    const std::vector<std::uint32_t> few{1, 2, 4};
    const std::vector<std::string> names{"Work"};
    bool done = view.store(few, StoreMode::add, {kSeen | kFlagged, 1}).has_value();
    for (const auto seq : few) say(seq, done);
    const auto bits = view.keyword_bits(names);
    done = bits && view.store(few, StoreMode::add, {0, *bits});
    for (const auto seq : few) say(seq, done);
    (void)view.tidy().has_value();
    const std::uint32_t second = 2;
    say(2, view.store({&second, 1}, StoreMode::remove, {kFlagged, 0}).has_value());
    (void)view.tidy().has_value();
    const std::uint32_t third = 3;
    done = view.expunge({&third, 1}).has_value();
    tell({view.message(3).uid, false, {}, 0, !done});
    (void)view.sync(Expunges::report).has_value();
}

std::map<Uid, Message> flags_after(sys::Fs& fs, std::vector<std::string>& keywords) {
    std::map<Uid, Message> found;
    auto store = Store::open("Maildir", fs);
    auto view = store->mailbox("INBOX")->open(Access::read_write);
    EXPECT_TRUE(view) << view.error().what;
    if (!view) return found;
    for (std::uint32_t seq = 1; seq <= (*view)->count(); ++seq)
        found[(*view)->message(seq).uid] = (*view)->message(seq);
    keywords = (*view)->keywords();
    return found;
}

void expect_facts(sys::Fs& fs, const std::vector<Fact>& facts, std::size_t told,
                  const std::string& where) {
    std::vector<std::string> keywords;
    const auto found = flags_after(fs, keywords);
    for (std::size_t i = 0; i < told; ++i) {
        const Fact& fact = facts[i];
        if (fact.unsure) continue;
        if (!fact.exists) {
            EXPECT_FALSE(found.contains(fact.uid)) << where << ": uid " << fact.uid << " is back";
            continue;
        }
        // A later change may be there although nobody was told of it yet.
        bool superseded = false, may_be_gone = false;
        for (std::size_t j = i + 1; j < facts.size(); ++j) {
            if (facts[j].uid != fact.uid) continue;
            superseded = superseded || j < told;
            may_be_gone = may_be_gone || !facts[j].exists;
            const auto now = found.find(fact.uid);
            if (now != found.end() && now->second.flags == facts[j].flags) superseded = true;
        }
        if (superseded) continue;
        const auto now = found.find(fact.uid);
        if (now == found.end()) {
            EXPECT_TRUE(may_be_gone) << where << ": uid " << fact.uid << " is gone";
            continue;
        }
        EXPECT_EQ(now->second.flags.system, fact.flags.system) << where << ": uid " << fact.uid;
        EXPECT_EQ(now->second.flags.keywords, fact.flags.keywords) << where << ": " << fact.uid;
        EXPECT_GE(now->second.modseq, fact.modseq) << where << ": uid " << fact.uid;
        if (fact.flags.keywords > 1) {
            EXPECT_EQ(keywords.at(1), "Work") << where;
        }
    }
}

TEST(FlagCrash, WhatAClientWasToldIsTrue) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    std::vector<Fact> facts;
    change(fs, [&](const Fact& fact) {
        fs.note(std::to_string(facts.size()));
        facts.push_back(fact);
    });
    ASSERT_EQ(facts.size(), 8U);
    fs.for_each_crash([](const std::string&) {},
                      [&](std::size_t n, const std::string& disk) {
                          Disk left(disk);
                          expect_facts(left, facts, fs.notes(n).size(),
                                       "crash at " + std::to_string(n));
                      });
}

TEST(FlagFaults, WhatAClientWasToldIsTrue) {
    bool fired = true;
    for (int n = 1; fired && n < 500; ++n) {
        const TempFolder folder;
        FaultyFs fs(folder.path(), n);
        std::vector<Fact> facts;
        change(fs, [&](const Fact& fact) { facts.push_back(fact); });
        fired = fs.fired();
        Disk left(folder.path());
        expect_facts(left, facts, facts.size(), "failure " + std::to_string(n));
    }
}

// Many at once: their files wait for their removal, and are no messages meanwhile.
void expunge_many(sys::Fs& fs, const std::function<void(const Fact&)>& tell) {
    auto store = Store::open("Maildir", fs);
    if (!store) return;
    const auto inbox = store->mailbox("INBOX");
    if (!inbox) return;
    const std::vector<AppendMessage> messages(10, {writer_of(text_of(1)), 0, {}, 0});
    if (!inbox->append(messages)) return;
    auto view = inbox->open(Access::read_write);
    if (!view || (*view)->count() != 10) return;
    const std::vector<std::uint32_t> all_but_first{2, 3, 4, 5, 6, 7, 8, 9, 10};
    const bool done = (*view)->expunge(all_but_first).has_value();
    for (const auto seq : all_but_first) tell({(*view)->message(seq).uid, false, {}, 0, !done});
    (void)(*view)->sync(Expunges::report).has_value();
    (void)(*view)->tidy().has_value();
}

TEST(ExpungeCrash, WhatIsExpungedStaysAway) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    std::vector<Fact> facts;
    expunge_many(fs, [&](const Fact& fact) {
        fs.note("told");
        facts.push_back(fact);
    });
    ASSERT_EQ(facts.size(), 9U);
    const auto look = [&](std::size_t n, const std::string& disk) {
        Disk left(disk);
        expect_facts(left, facts, fs.notes(n).size(), "crash at " + std::to_string(n));
        EXPECT_FALSE(left.list("Maildir/postern.expunged")) << "crash at " << n << ": left over";
    };
    fs.for_each_crash([](const std::string&) {}, look);
    fs.for_each_reordering([](const std::string&) {}, look);
}

TEST(ExpungeFaults, WhatIsExpungedStaysAway) {
    bool fired = true;
    for (int n = 1; fired && n < 500; ++n) {
        const TempFolder folder;
        FaultyFs fs(folder.path(), n, ENOSPC, FaultyFs::After::stays_broken);
        std::vector<Fact> facts;
        expunge_many(fs, [&](const Fact& fact) { facts.push_back(fact); });
        fired = fs.fired();
        Disk left(folder.path());
        expect_facts(left, facts, facts.size(), "failure " + std::to_string(n));
    }
}

// The rebuildable files, damaged or gone: nothing but time is lost.
TEST(Damage, OfTheSnapshotLosesNothing) {
    const TempFolder folder;
    Disk fs(folder.path());
    std::vector<Fact> facts;
    change(fs, [&](const Fact& fact) { facts.push_back(fact); });
    ASSERT_EQ(facts.size(), 8U);
    const std::string path = folder / "Maildir/postern.index";
    const auto put = [&](const std::string& bytes) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    };
    std::filesystem::remove(path);
    expect_facts(fs, facts, facts.size(), "no snapshot");
    for (const std::string& bytes :
         {std::string(), std::string(4096, '\0'), std::string("PSTNINDX")}) {
        put(bytes);
        expect_facts(fs, facts, facts.size(), "damaged snapshot");
    }
}

}  // namespace
}  // namespace postern::mailbox
