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
