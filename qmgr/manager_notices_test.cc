// What the Manager has bounce record and send, and when.
#include "qmgr/manager_fixture.h"

namespace postern::qmgr {
namespace {

TEST_F(ManagerTest, Bounces) {
    auto manager = make_manager();
    QueueId name = write_file({envelope(1, {"yes@a.test", "no@a.test", "x@bad.test"})});
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    std::sort(records_.begin(), records_.end());
    EXPECT_EQ(records_, (std::vector<std::string>{"no@a.test 0", "x@bad.test 0"}));
    EXPECT_EQ(notices_, std::vector<std::string>{name.str() + " 0"});
    EXPECT_EQ(files(Directory::incoming), 0U);
    std::string log = log::take_captured();
    EXPECT_NE(log.find("to=<x@bad.test>, relay=none, "), std::string::npos) << log;
    EXPECT_NE(log.find("dsn=5.1.2, status=bounced (bad domain)"), std::string::npos) << log;
}

TEST_F(ManagerTest, NobodyIsGivenUpWithoutARecord) {
    bounce_works_ = false;
    auto manager = make_manager();
    QueueId name = write_file({envelope(1, {"no@a.test"})});
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 1U);
    bounce_works_ = true;
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    manager->control(order);
    ASSERT_TRUE(run_until([&] { return notices_.size() == 1; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 0U);
}

TEST_F(ManagerTest, SendsANoticeThatACrashPrevented) {
    QueueId name = id(1);
    queue::Envelope done = envelope(1, {});
    write_file({done}, Directory::deferred);
    ASSERT_TRUE(queue::create_parent(fs_, Directory::bounce, name));
    std::ofstream(queue::path_of(Directory::bounce, name)) << "recipient=x@y\n\n";
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return notices_.size() == 1; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 0U);
}

TEST_F(ManagerTest, NotifyOptions) {
    notify_ = ipc::kNotifyNever;
    auto manager = make_manager();
    manager->on_nudge(write_file({envelope(1, {"no@a.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_TRUE(notices_.empty());
    notify_ = ipc::kNotifySuccess | ipc::kNotifyFailure;
    manager->on_nudge(write_file({envelope(2, {"yes@a.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(records_, std::vector<std::string>{"yes@a.test 2"});
    EXPECT_EQ(notices_, std::vector<std::string>{id(2).str() + " 2"});
}

// Every NOTIFY with every fate: what is recorded where, and which notices follow.
TEST_F(ManagerTest, EveryNotifyWithEveryFate) {
    const std::string bounce = " 0", trace = " 2";
    for (int notify = 0; notify < 16; ++notify) {
        if ((notify & 1) != 0 && notify != 1) continue;  // NEVER stands alone
        const bool success = (notify & ipc::kNotifySuccess) != 0;
        const bool failure = notify == 0 || (notify & ipc::kNotifyFailure) != 0;
        notify_ = static_cast<std::uint8_t>(notify);
        records_.clear(), notices_.clear();
        auto manager = make_manager();
        QueueId name =
            write_file({envelope(notify + 1, {"yes@a.test", "no@a.test", "passed@a.test"})});
        manager->on_nudge(name);
        ASSERT_TRUE(run_until_idle(*manager));
        std::vector<std::string> records, notices;
        if (failure)
            records.push_back("no@a.test" + bounce), notices.push_back(name.str() + bounce);
        if (success) records.push_back("yes@a.test" + trace), notices.push_back(name.str() + trace);
        std::sort(records_.begin(), records_.end());
        EXPECT_EQ(records_, records) << notify;
        EXPECT_EQ(notices_, notices) << notify;
        EXPECT_EQ(files(Directory::incoming), 0U);
    }
}

// RFC 3461 5.2.7.3: what was expanded is in the first report, once.
TEST_F(ManagerTest, TellsWhatWasExpanded) {
    for (const bool batch : {false, true}) {
        records_.clear(), notices_.clear();
        const int first = batch ? 20 : 10;
        auto one = envelope(first, {"yes@a.test", "later@a.test"});
        queue::Recipient list;
        list.address = "list@a.test";
        list.notify = ipc::kNotifySuccess;
        one.expanded = {list};
        std::vector<queue::Envelope> messages = {one};
        if (batch) messages.push_back(envelope(first + 1, {"yes@a.test"}));
        auto manager = make_manager();
        manager->on_nudge(write_file(messages));
        ASSERT_TRUE(run_until_idle(*manager));
        EXPECT_THAT(records_, testing::Contains("list@a.test 2"));
        EXPECT_EQ(notices_, std::vector<std::string>{id(first).str() + " 2"});
        const auto resting = fs_.info(queue::path_of(Directory::deferred, id(first)));
        ASSERT_TRUE(resting);
        EXPECT_EQ(resting->mode & queue::kPlainMode, queue::kPlainMode)
            << "or nobody but root could read it";
        ASSERT_TRUE(try_again(*manager));
        EXPECT_EQ(notices_.size(), 1U) << "not again";
    }
}

// sendmail -v: all that became of the first attempt, once; bounces besides.
TEST_F(ManagerTest, ReportsAllOnce) {
    for (const bool batch : {false, true}) {
        records_.clear(), notices_.clear(), delivered_.clear();
        const int first = batch ? 40 : 30;
        auto one = envelope(first, {"yes@a.test", "later@a.test", "no@a.test"});
        one.flags |= queue::kReportAll;
        std::vector<queue::Envelope> messages = {one};
        if (batch) messages.push_back(envelope(first + 1, {"yes@a.test"}));
        auto manager = make_manager();
        manager->on_nudge(write_file(messages));
        ASSERT_TRUE(run_until_idle(*manager));
        EXPECT_THAT(records_, testing::IsSupersetOf({"yes@a.test 2", "later@a.test 2",
                                                     "no@a.test 2", "no@a.test 0"}));
        const std::string name = id(first).str();
        EXPECT_EQ(notices_, (std::vector<std::string>{name + " 0", name + " 3"}));
        ASSERT_TRUE(try_again(*manager));
        EXPECT_EQ(notices_.size(), 2U) << "of the first attempt only";
    }
}

TEST_F(ManagerTest, AReportThatCannotBeSentIsSentLater) {
    notify_ = ipc::kNotifySuccess;
    sending_works_ = false;
    auto manager = make_manager();
    manager->on_nudge(write_file({envelope(1, {"yes@a.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 1U);
    sending_works_ = true;
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    manager->control(order);
    ASSERT_TRUE(run_until([&] { return notices_.size() == 2; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 0U);
    EXPECT_EQ(delivered_.size(), 1U);
}

TEST_F(ManagerTest, ExpiredMailGoesBack) {
    age_ = Seconds{6 * 86400};
    auto manager = make_manager();
    QueueId name = write_file({envelope(1, {"later@a.test"})});
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(notices_.size(), 1U);
    std::string log = log::take_captured();
    EXPECT_NE(log.find(name.str() + ": from=<s@client.test>, status=expired, returned to sender\n"),
              std::string::npos)
        << log;
    EXPECT_EQ(files(Directory::incoming) + files(Directory::deferred), 0U);
}

TEST_F(ManagerTest, DelayWarningOnce) {
    options_.delay_warning = Seconds{3600};
    age_ = Seconds{7200};
    auto manager = make_manager();
    write_file({envelope(1, {"later@a.test"})}, Directory::deferred);
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    for (int i = 0; i < 3; ++i) {
        manager->control(order);
        ASSERT_TRUE(run_until([&] { return static_cast<int>(delivered_.size()) == i + 1; }));
        ASSERT_TRUE(run_until_idle(*manager));
    }
    EXPECT_EQ(notices_, std::vector<std::string>{id(1).str() + " 1"});
}

// confirm_delay_cleared: who was told of a delay hears that it is over.
TEST_F(ManagerTest, ADelayThatIsOver) {
    options_.confirm_delay_cleared = true;
    const std::pair<int, bool> cases[] = {{0, true},
                                          {ipc::kNotifyDelay, true},
                                          {ipc::kNotifyFailure, false},
                                          {ipc::kNotifyNever, false}};
    int number = 0;
    for (const auto& [notify, told] : cases) {
        records_.clear(), notices_.clear(), delivered_.clear();
        notify_ = static_cast<std::uint8_t>(notify);
        auto manager = make_manager();
        const QueueId name = write_file({envelope(++number, {"yes@a.test"})}, Directory::deferred);
        const std::string path = queue::path_of(Directory::deferred, name);
        ASSERT_TRUE(fs_.set_mode(path, fs_.info(path)->mode | queue::kModeDelayTold));
        ASSERT_TRUE(try_again(*manager));
        const std::vector<std::string> notices =
            told ? std::vector<std::string>{name.str() + " 2"} : std::vector<std::string>{};
        EXPECT_EQ(notices_, notices) << notify;
        records_.clear(), notices_.clear();
        write_file({envelope(++number, {"yes@a.test"})}, Directory::deferred);
        ASSERT_TRUE(try_again(*manager));
        EXPECT_TRUE(notices_.empty()) << "nothing was told of this one";
    }
}

// The notice is made from the records: it waits for those that bounce is still writing.
TEST_F(ManagerTest, ADelayWarningWaitsForItsReasons) {
    options_.delay_warning = Seconds{3600};
    age_ = Seconds{7200};
    notes_wait_ = true;
    auto manager = make_manager();
    write_file({envelope(1, {"later@a.test"})}, Directory::deferred);
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    manager->control(order);
    ASSERT_TRUE(run_until([&] { return waiting_notes_.size() == 1; }));
    for (int i = 0; i < 20; ++i) loop_.run_for(Millis{1});
    EXPECT_TRUE(notices_.empty());
    EXPECT_EQ(manager->active(), 1U);
    answer_notes();
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(notices_, std::vector<std::string>{id(1).str() + " 1"});
}

TEST_F(ManagerTest, ForcedExpiry) {
    auto manager = make_manager();
    QueueId name = write_file({envelope(1, {"yes@a.test"})}, Directory::deferred);
    ASSERT_TRUE(*queue::change_message(fs_, name, queue::Change::expire));
    manager->start();
    ASSERT_TRUE(run_until([&] { return notices_.size() == 1; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_TRUE(delivered_.empty());
    EXPECT_NE(log::take_captured().find("status=force-expired, returned to sender"),
              std::string::npos);
}

}  // namespace
}  // namespace postern::qmgr
