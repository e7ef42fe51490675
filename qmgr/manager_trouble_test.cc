// The Manager after crashes, among damaged and foreign files, without its neighbours.
#include "qmgr/manager_fixture.h"

namespace postern::qmgr {
namespace {

TEST_F(ManagerTest, ACrashBetweenTheStepsOfAMoveDoublesNothing) {
    write_file({envelope(1, {"yes@a.test"}), envelope(2, {"later@a.test"})});
    QueueId own = write_file({envelope(2, {"later@a.test"})}, Directory::deferred);
    ASSERT_TRUE(fs_.set_times(queue::path_of(Directory::deferred, own), 4'000'000'000));
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return files(Directory::incoming) == 0; }));
    EXPECT_EQ(delivered_, std::vector<std::string>{"yes@a.test"});
    EXPECT_EQ(files(Directory::deferred), 1U);
}

// The power failed while the second message was being copied out of its batch: what a disk may have
// of the copy then.
TEST_F(ManagerTest, ACopyThatACrashCutShortIsNoReasonToGiveTheBatchUp) {
    for (const char* kind : {"empty", "half", "zeros", "wrong text", "another message"}) {
        delivered_.clear();
        write_file({envelope(1, {"yes@a.test"}), envelope(2, {"two@a.test"})});
        const QueueId own = write_file({envelope(2, {"two@a.test"})}, Directory::deferred);
        const std::string path = queue::path_of(Directory::deferred, own);
        std::string bytes = *fs_.read_at(fs_.open(path, O_RDONLY, 0)->get(), 0, 100'000);
        const std::string_view what = kind;
        if (what == "empty") bytes.clear();
        if (what == "half") bytes.resize(bytes.size() / 2);
        if (what == "zeros") bytes.assign(bytes.size(), '\0');
        if (what == "wrong text") bytes[20] = static_cast<char>(bytes[20] ^ 1);
        if (what == "another message") {
            (void)write_file({envelope(3, {"three@a.test"})}, Directory::hold);
            filesystem::rename("hold/" + id(3).str(), path);
        } else {
            std::ofstream(path, std::ios::trunc) << bytes;
        }
        ASSERT_TRUE(fs_.set_times(path, 4'000'000'000));
        auto manager = make_manager();
        manager->start();
        ASSERT_TRUE(run_until([&] { return files(Directory::incoming) == 0; })) << kind;
        EXPECT_EQ(std::set<std::string>(delivered_.begin(), delivered_.end()),
                  (std::set<std::string>{"yes@a.test", "two@a.test"}))
            << kind;
        EXPECT_EQ(files(Directory::deferred), 0U) << kind;
        EXPECT_NE(log::take_captured().find("the message is still in its batch"), std::string::npos)
            << kind;
    }
}

// bounce writes the reason for mailq when it gets to it; the message may be gone by then.
TEST_F(ManagerTest, NoDeferLogOutlivesItsMessage) {
    notes_wait_ = true;
    const QueueId name = write_file({envelope(1, {"later@a.test"})});
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(
        run_until([&] { return files(Directory::deferred) == 1 && !waiting_notes_.empty(); }));
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::remove;
    order.queue_id = name;
    EXPECT_EQ(manager->control(order).count, 1U);
    EXPECT_EQ(files(Directory::deferred), 0U);
    answer_notes();
    ASSERT_TRUE(run_until([&] { return files(Directory::defer) == 0; }));
}

// postsuper, which does not ask.
TEST_F(ManagerTest, NorOneThatWasRemovedBehindOurBack) {
    const QueueId name = write_file({envelope(1, {"later@a.test"})});
    notes_wait_ = true;
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(
        run_until([&] { return files(Directory::deferred) == 1 && !waiting_notes_.empty(); }));
    ASSERT_TRUE(*queue::change_message(fs_, name, queue::Change::remove));
    answer_notes();
    ASSERT_TRUE(run_until([&] { return files(Directory::defer) == 0; }));
}

TEST_F(ManagerTest, AnOldDeferLogGoesWhenItsMessageIsFoundAgain) {
    const QueueId name = write_file({envelope(1, {"yes@a.test"})});
    ASSERT_TRUE(queue::create_parent(fs_, Directory::defer, name));
    std::ofstream(queue::path_of(Directory::defer, name)) << "recipient=later@a.test\n\n";
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return files(Directory::incoming) == 0; }));
    EXPECT_EQ(files(Directory::defer), 0U);
}

TEST_F(ManagerTest, DamagedFilesArePutAside) {
    QueueId name = write_file({envelope(1, {"yes@a.test"})});
    std::string path = queue::path_of(Directory::incoming, name);
    std::string bytes = *fs_.read_at(fs_.open(path, O_RDONLY, 0)->get(), 0, 100'000);
    bytes[20] = static_cast<char>(bytes[20] ^ 1);  // in the text
    std::ofstream(path) << bytes;
    std::ofstream("incoming/B999999k") << "being written";
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return files(Directory::corrupt) == 1; }));
    EXPECT_EQ(files(Directory::incoming), 1U);
    EXPECT_TRUE(delivered_.empty());
    EXPECT_NE(log::take_captured().find("saving corrupt file"), std::string::npos);
}

// A clock that jumps: nothing is lost or returned before its time, new mail does not notice.
TEST_F(ManagerTest, AClockThatJumpsAnHour) {
    options_.retry.minimal_backoff = Seconds{300};
    options_.retry.maximal_backoff = Seconds{400};
    options_.queue_run_delay = Millis{50};
    auto manager = make_manager();
    manager->start();
    manager->on_nudge(write_file({envelope(1, {"later@a.test"})}));
    ASSERT_TRUE(run_until([&] { return files(Directory::deferred) == 1; }));
    const auto attempts = [&](const std::string& address) {
        return std::count(delivered_.begin(), delivered_.end(), address);
    };
    EXPECT_EQ(attempts("later@a.test"), 1);
    // Forward: it is due at once, and waits again from the new time on.
    clock_.shift = Seconds{3600};
    ASSERT_TRUE(run_until(
        [&] { return attempts("later@a.test") == 2 && files(Directory::deferred) == 1; }));
    EXPECT_GE(due(id(1)), loop_.clock().now() + Seconds{290});
    // Back: what is new goes out as ever, also what seems to come from the future.
    clock_.shift = Seconds{0};
    manager->on_nudge(write_file({envelope(2, {"yes@a.test"})}));
    age_ = Seconds{-3600};
    manager->on_nudge(write_file({envelope(3, {"yes@b.test", "later@b.test"})}));
    ASSERT_TRUE(
        run_until([&] { return attempts("yes@a.test") == 1 && attempts("yes@b.test") == 1; }));
    ASSERT_TRUE(run_until([&] { return files(Directory::deferred) == 2; }));
    EXPECT_LE(due(id(3)), loop_.clock().now() + Seconds{301}) << "the shortest time, not an hour";
    EXPECT_EQ(attempts("later@a.test"), 2) << "an hour later than it could be, and a flush away";
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    EXPECT_TRUE(manager->control(order).ok);
    ASSERT_TRUE(
        run_until([&] { return attempts("later@a.test") == 3 && attempts("later@b.test") == 2; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 2U);
    EXPECT_TRUE(notices_.empty()) << "nobody was told that his mail had failed";
    EXPECT_EQ(log::take_captured().find("delay=-"), std::string::npos);
}

// What has no business in the queue: told of, put aside, and everything else goes on.
TEST_F(ManagerTest, ForeignThingsInTheQueueArePutAside) {
    const QueueId good = write_file({envelope(1, {"yes@a.test"})});
    const std::string bytes =
        *fs_.read_at(fs_.open("incoming/" + good.str(), O_RDONLY, 0)->get(), 0, 100'000);
    filesystem::create_symlink("/etc/passwd", "incoming/B000002k");
    ASSERT_EQ(::mkfifo("incoming/B000003k", 0600), 0);
    std::string version = bytes;
    version[8] = 9;
    std::ofstream("incoming/B000004k") << version;
    std::string index = bytes;
    index[index.size() - 40] = static_cast<char>(index[index.size() - 40] ^ 1);
    std::ofstream("incoming/B000005k") << index;
    ASSERT_TRUE(queue::create_parent(fs_, Directory::deferred, id(6)));
    ASSERT_EQ(::mkfifo(queue::path_of(Directory::deferred, id(6)).c_str(), 0600), 0);
    std::ofstream("incoming/not an id") << "?";
    filesystem::create_directory("incoming/B000007k");
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return !delivered_.empty() && fs_.list("corrupt")->size() >= 5; }));
    EXPECT_EQ(delivered_, std::vector<std::string>{"yes@a.test"});
    const std::string log = log::take_captured();
    for (const char* line :
         {"warning B000002k: open incoming/B000002k: Too many levels of symbolic links; saving",
          "warning B000003k: incoming/B000003k: not a plain file; saving",
          "warning B000004k: queue file: written by another version of this format; saving",
          "warning B000005k: queue file: index does not match its checksum; saving",
          "warning B000006k: deferred/k/B000006k: not a plain file; saving"})
        EXPECT_NE(log.find(line), std::string::npos) << line << "\n" << log;
    EXPECT_TRUE(fs_.info("incoming/not an id")) << "not ours to judge";
    // An order for a FIFO does not hold the queue manager either.
    ASSERT_EQ(::mkfifo(queue::path_of(Directory::deferred, id(8)).c_str(), 0600), 0);
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_message;
    order.queue_id = id(8);
    EXPECT_FALSE(manager->control(order).ok);
}

TEST_F(ManagerTest, LeftoversOfACrashAreClearedAwayInTime) {
    const auto leave = [&](const std::string& name, const std::string& bytes, Seconds age) {
        std::ofstream("incoming/" + name) << bytes;
        const auto when = loop_.clock().now() - age;
        ASSERT_TRUE(fs_.set_times("incoming/" + name, std::chrono::system_clock::to_time_t(when)));
    };
    leave("B000001k", "", Seconds{1000});
    leave("B000002k", "PosternQ and no end", Seconds{1000});
    leave("B000003k", "", Seconds{60});     // perhaps its writer is just about to lock it
    leave("B000004k", "", Seconds{-3600});  // the clock has been set back
    leave("B000005k", "PosternQ being written", Seconds{1000});
    const Fd writer = *fs_.open("incoming/B000005k", O_RDWR, 0);
    ASSERT_TRUE(*sys::try_lock(writer.get(), sys::LockKind::exclusive));
    auto manager = make_manager();
    manager->start();
    manager->on_nudge(write_file({envelope(6, {"yes@a.test"})}));
    ASSERT_TRUE(run_until(
        [&] { return files(Directory::corrupt) == 1 && files(Directory::incoming) == 3; }));
    EXPECT_TRUE(fs_.info("corrupt/B000002k"));
    EXPECT_FALSE(fs_.info("incoming/B000001k"));
    EXPECT_EQ(delivered_, std::vector<std::string>{"yes@a.test"});
}

// Status bytes, moves and notices as seen by a second life: qmgr ends at any moment without a word.
TEST_F(ManagerTest, SuddenDeathLosesNothing) {
    for (int i = 1; i <= 40; ++i) {
        std::string kind = i % 4 == 0 ? "later" : i % 5 == 0 ? "no" : "yes";
        write_file({envelope(2 * i, {kind + "@a.test", "yes@b.test"}),
                    envelope(2 * i + 1, {"yes@c.test"})});
    }
    for (int turns = 1; turns <= 12; ++turns) {
        auto manager = make_manager();
        manager->start();
        for (int i = 0; i < turns; ++i) loop_.run_for(Millis{1});
    }
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(
        run_until([&] { return files(Directory::incoming) == 0 && manager->active() == 0; }));
    std::set<std::string> seen;
    for (const auto& request : requests_) seen.insert(request.queue_id.str() + request.next_hop);
    EXPECT_EQ(seen.size(), 120U) << "everybody was tried";
    EXPECT_EQ(files(Directory::deferred), 10U);
    EXPECT_EQ(std::set<std::string>(notices_.begin(), notices_.end()).size(), 6U);
}

TEST_F(ManagerTest, FewDescriptorsSuffice) {
    options_.max_open_files = 3;
    hold_answers_ = false;
    auto manager = make_manager();
    for (int i = 1; i <= 200; ++i) {
        write_file({envelope(i, {"yes@a.test"})});
        manager->on_nudge(id(i));
    }
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(delivered_.size(), 200U);
    EXPECT_EQ(files(Directory::incoming), 0U);
}

TEST_F(ManagerTest, AgentsThatDieOrAreMissing) {
    auto manager = make_manager();
    manager->on_nudge(write_file({envelope(1, {"die@a.test", "x@none.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 1U);
    std::string log = log::take_captured();
    EXPECT_NE(log.find("status=deferred (unknown mail transport error)"), std::string::npos) << log;
    EXPECT_NE(log.find("status=deferred (mail transport unavailable)"), std::string::npos) << log;
}

TEST_F(ManagerTest, ResolverMissing) {
    rewrite_.reset();
    auto manager = make_manager();
    manager->on_nudge(write_file({envelope(1, {"yes@a.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 1U);
    EXPECT_NE(log::take_captured().find("(address resolver unavailable)"), std::string::npos);
}

// Far more mail for one site than may be in memory, and the site says nothing.
TEST_F(ManagerTest, AStalledSiteKeepsNobodysMailOut) {
    options_.message_active_limit = options_.recipient_active_limit = 40;
    hold_answers_ = true;
    auto manager = make_manager();
    const auto announce = [&](int number, const std::string& to) {
        const QueueId name = write_file({envelope(number, {to})});
        manager->on_nudge(name);
    };
    for (int n = 0; n < 200; ++n) announce(n, "yes@stalled.test");
    ASSERT_TRUE(run_until([&] { return requests_.size() == 5; })) << "its window";
    hold_answers_ = false;
    for (int n = 200; n < 210; ++n) announce(n, "yes@other.test");
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 10; }));
    EXPECT_EQ(std::count(delivered_.begin(), delivered_.end(), "yes@other.test"), 10);
    // Memory has an end.
    for (int n = 300; n < 600; ++n) announce(n, "yes@stalled.test");
    ASSERT_TRUE(run_until([&] { return manager->active() == 400; }));
}

// Retries of old mail leave a part of the memory, too, to what is new.
TEST_F(ManagerTest, RetriesForAStalledSiteLeaveRoomForNewMail) {
    options_.message_active_limit = options_.recipient_active_limit = 10;
    hold_answers_ = true;
    for (int n = 0; n < 120; ++n)
        write_file({envelope(n, {"yes@stalled.test"})}, Directory::deferred);
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return manager->active() == 80 && requests_.size() == 5; }))
        << "a request that came later would be answered";
    hold_answers_ = false;
    manager->on_nudge(write_file({envelope(200, {"yes@other.test"})}));
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 1; }));
    EXPECT_EQ(manager->active(), 80U);
}

TEST_F(ManagerTest, MemoryHasAnEndInRecipientsToo) {
    options_.message_active_limit = 1000;
    options_.recipient_active_limit = 40;
    hold_answers_ = true;
    auto manager = make_manager();
    const std::vector<std::string> five = {"a@stalled.test", "b@stalled.test", "c@stalled.test",
                                           "d@stalled.test", "e@stalled.test"};
    for (int n = 0; n < 100; ++n) manager->on_nudge(write_file({envelope(n, five)}));
    EXPECT_EQ(manager->active(), 16U)
        << "what waits behind others is told from what does not later";
    ASSERT_TRUE(run_until([&] { return manager->active() == 80; }));
    loop_.run_for(Millis{100});
    EXPECT_EQ(manager->active(), 80U) << "400 recipients";
}

TEST_F(ManagerTest, PausesBetweenDeliveriesEndByThemselves) {
    options_.limits_for = [](std::string_view) {
        TransportLimits limits;
        limits.site_pause = Millis{30};
        return limits;
    };
    auto manager = make_manager();
    const SteadyTime began = clock_.steady();
    for (int n = 0; n < 4; ++n) manager->on_nudge(write_file({envelope(n, {"yes@a.test"})}));
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 4; }));
    EXPECT_GE(clock_.steady() - began, 3 * Millis{30});
    EXPECT_TRUE(run_until_idle(*manager));
}

}  // namespace
}  // namespace postern::qmgr
