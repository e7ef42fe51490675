// Manager: orders that come from outside: postkick's letters, ETRN and postqueue -s.
#include "qmgr/manager_fixture.h"

namespace postern::qmgr {
namespace {

ipc::QueueControl order_of(ipc::QueueOperation operation) {
    ipc::QueueControl order;
    order.operation = operation;
    return order;
}

TEST_F(ManagerTest, ObeysPostfixsLetters) {
    auto manager = make_manager();
    const auto kick = [&](const std::string& letters) {
        auto order = order_of(ipc::QueueOperation::trigger);
        order.requests = letters;
        const auto answer = manager->control(order);
        EXPECT_TRUE(answer.ok);
        return answer.text;
    };
    const auto future = write_file({envelope(1, {"yes@a.test"})}, Directory::deferred);
    ASSERT_TRUE(fs_.set_times(queue::path_of(Directory::deferred, future),
                              std::chrono::duration_cast<Seconds>(
                                  (clock_.now() + std::chrono::hours{1}).time_since_epoch())
                                  .count()));
    write_file({envelope(2, {"yes@b.test"})}, Directory::deferred);
    write_file({envelope(3, {"yes@c.test"})});
    const auto scanned_for = [&](const std::string& letters, std::size_t delivered) {
        EXPECT_EQ(kick(letters), "");
        return run_until([&] { return delivered_.size() == delivered; });
    };
    EXPECT_TRUE(scanned_for("FA", 0));
    EXPECT_TRUE(scanned_for("I", 1));
    EXPECT_EQ(delivered_.back(), "yes@c.test");
    EXPECT_TRUE(scanned_for("D", 2));
    EXPECT_EQ(delivered_.back(), "yes@b.test");
    EXPECT_TRUE(scanned_for("AD", 3));
    EXPECT_EQ(delivered_.back(), "yes@a.test");
    write_file({envelope(4, {"yes@d.test"})});
    EXPECT_TRUE(scanned_for("W", 4));
    EXPECT_EQ(kick("IxD\n"), "requests ignored: \"x?\"");
    EXPECT_EQ(kick(""), "");
}

// ETRN: only what waits for the site is tried, whatever its time, and waits for the next who asks.
TEST_F(ManagerTest, ASiteAsksForItsMail) {
    auto manager = make_manager();
    const auto flush = [&](const std::string& site) {
        std::optional<ipc::QueueControlAnswer> got;
        manager->flush_site(site, [&](const ipc::QueueControlAnswer& answer) { got = answer; });
        EXPECT_TRUE(run_until([&] { return got.has_value(); }));
        return got.value_or(ipc::QueueControlAnswer{});
    };
    EXPECT_TRUE(flush("a.served.test").ok) << "nothing waits";
    manager->on_nudge(write_file({envelope(1, {"later@a.served.test", "later1@a.served.test"})}));
    manager->on_nudge(write_file({envelope(2, {"later@a.served.test", "later@x.test"})}));
    manager->on_nudge(write_file({envelope(3, {"later@x.test", "later@b.served.test"})}));
    ASSERT_TRUE(
        run_until([&] { return files(Directory::deferred) == 3 && manager->active() == 0; }));
    delivered_.clear();
    for (int times = 1; times <= 2; ++times) {
        const auto answer = flush("A.served.test");
        EXPECT_TRUE(answer.ok);
        EXPECT_EQ(answer.count, 2U);
        ASSERT_TRUE(
            run_until([&] { return delivered_.size() == 4U * static_cast<unsigned>(times); }));
        ASSERT_TRUE(run_until_idle(*manager));
    }
    EXPECT_EQ(std::count(delivered_.begin(), delivered_.end(), "later@b.served.test"), 0);
    // Who is not served, and who may be.
    auto refused = flush("x.test");
    EXPECT_FALSE(refused.ok);
    EXPECT_TRUE(refused.not_served);
    EXPECT_EQ(refused.text, "Flush service is not configured for destination \"x.test\"");
    refused = flush("unknown.test");
    EXPECT_TRUE(!refused.ok && !refused.not_served);
    refused = flush("bad.test");
    EXPECT_TRUE(!refused.ok && !refused.not_served);
    manager->drain();
    EXPECT_FALSE(flush("a.served.test").ok);
}

// What nobody asks for is tried all the same after fast_flush_refresh_time.
TEST_F(ManagerTest, OldSiteLogsAreRefreshed) {
    options_.site_refresh = Seconds{3600};
    auto manager = make_manager();
    manager->on_nudge(write_file({envelope(1, {"later@a.served.test"})}));
    ASSERT_TRUE(
        run_until([&] { return files(Directory::deferred) == 1 && manager->active() == 0; }));
    fs_.set_times(queue::path_of(Directory::deferred, id(1)),
                  std::chrono::duration_cast<Seconds>(
                      (clock_.now() + std::chrono::hours{9}).time_since_epoch())
                      .count())
        .value();
    manager->start();
    loop_.run_for(Millis{30});
    EXPECT_EQ(delivered_.size(), 1U);
    clock_.shift = std::chrono::hours{1} + Seconds{1};
    manager->start();
    EXPECT_TRUE(run_until([&] { return delivered_.size() == 2; }));
}

// RFC 4865: nobody has it before its time, and its life begins then.
TEST_F(ManagerTest, FutureRelease) {
    for (const bool batch : {false, true}) {
        delivered_.clear();
        clock_.shift = Micros{0};
        const int first = batch ? 20 : 10;
        auto one = envelope(first, {"yes@a.test"});
        const WallTime release = loop_.clock().now() + Seconds{10 * 86400};
        one.set_attribute(queue::attribute::kRelease,
                          std::to_string(release.time_since_epoch().count()));
        std::vector<queue::Envelope> messages = {one};
        if (batch) messages.push_back(envelope(first + 1, {"other@a.test"}));
        auto manager = make_manager();
        manager->on_nudge(write_file(messages));
        ASSERT_TRUE(run_until_idle(*manager));
        EXPECT_EQ(delivered_.size(), batch ? 1U : 0U);
        EXPECT_EQ(due(id(first)), WallTime(std::chrono::floor<Seconds>(release)));
        ipc::QueueControl order;
        order.operation = ipc::QueueOperation::flush_all;
        manager->control(order);
        for (int i = 0; i < 20; ++i) loop_.run_for(Millis{1});
        ASSERT_TRUE(run_until_idle(*manager));
        EXPECT_EQ(delivered_.size(), batch ? 1U : 0U) << "flushed before its time";
        EXPECT_EQ(due(id(first)), WallTime(std::chrono::floor<Seconds>(release)));
        clock_.shift = Seconds{10 * 86400 + 1};
        order.operation = ipc::QueueOperation::rescan;
        manager->control(order);
        ASSERT_TRUE(run_until([&] { return delivered_.size() == (batch ? 2U : 1U); }));
        ASSERT_TRUE(run_until_idle(*manager));
        EXPECT_EQ(delivered_.back(), "yes@a.test") << "not expired either";
        EXPECT_EQ(files(Directory::deferred), 0U);
    }
    clock_.shift = Micros{0};
}

TEST_F(ManagerTest, FutureReleaseIsOnTime) {
    auto one = envelope(1, {"yes@a.test"});
    const WallTime release = loop_.clock().now() + Millis{300};
    one.set_attribute(queue::attribute::kRelease,
                      std::to_string(release.time_since_epoch().count()));
    auto manager = make_manager();
    manager->on_nudge(write_file({one}));
    ASSERT_TRUE(run_until([&] { return !delivered_.empty(); })) << "without a scan";
    EXPECT_GE(loop_.clock().now(), release);
    ASSERT_TRUE(run_until_idle(*manager));
}

TEST_F(ManagerTest, PriorityGoesToTheAgent) {
    auto one = envelope(1, {"yes@a.test"});
    one.set_attribute(queue::attribute::kPriority, "-7");
    auto manager = make_manager();
    manager->on_nudge(write_file({one}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(requests_.at(0).priority, -7);
}

}  // namespace
}  // namespace postern::qmgr
