// Scheduler and retry times, with time given by hand; the last tests simulate whole days.
#include "qmgr/scheduler.h"

#include <chrono>
#include <queue>
#include <set>

#include "qmgr/retry.h"
#include "qmgr/scheduler_fixture.h"

namespace postern::qmgr {
namespace {

TEST(Scheduler, GivesWorkOut) {
    Scheduler scheduler = make(limits(20));
    EXPECT_FALSE(scheduler.next(at(0)));
    EXPECT_EQ(scheduler.add("smtp", "a.test", work(1, 2), at(0)), nullptr);
    EXPECT_EQ(scheduler.queued(), 2U);
    auto batch = scheduler.next(at(0));
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->transport(), "smtp");
    EXPECT_EQ(batch->destination(), "a.test");
    EXPECT_EQ(batch->work.message, 1U);
    EXPECT_EQ(batch->work.recipients, (std::vector<std::uint32_t>{0, 1}));
    EXPECT_FALSE(scheduler.next(at(0)));
    EXPECT_EQ(scheduler.under_way(), 1U);
    EXPECT_TRUE(scheduler.finish(*batch, Scheduler::Outcome::answered, {}, at(1)).empty());
    EXPECT_EQ(scheduler.under_way(), 0U);
    EXPECT_EQ(scheduler.destinations(), 0U) << "an idle site is forgotten";
}

TEST(Scheduler, SplitsByRecipientLimit) {
    Scheduler scheduler = make(limits(20, 50));
    scheduler.add("smtp", "a.test", work(1, 120), at(0));
    std::vector<std::size_t> sizes;
    std::set<std::uint32_t> seen;
    while (auto batch = scheduler.next(at(0))) {
        sizes.push_back(batch->work.recipients.size());
        seen.insert(batch->work.recipients.begin(), batch->work.recipients.end());
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{50, 50, 20}));
    EXPECT_EQ(seen.size(), 120U);
    EXPECT_EQ(scheduler.queued(), 0U);
}

TEST(Scheduler, KeepsConcurrencyPerDestination) {
    Scheduler scheduler = make(limits(2));
    for (MessageKey key = 1; key <= 4; ++key) scheduler.add("smtp", "a.test", work(key, 1), at(0));
    scheduler.add("smtp", "b.test", work(5, 1), at(0));
    std::map<std::string, int> given;
    std::vector<Scheduler::Batch> batches;
    while (auto batch = scheduler.next(at(0))) {
        ++given[batch->destination()];
        batches.push_back(*batch);
    }
    EXPECT_EQ(given["a.test"], 2);
    EXPECT_EQ(given["b.test"], 1);
    scheduler.finish(batches[0], Scheduler::Outcome::answered, {}, at(1));
    auto batch = scheduler.next(at(0));
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->work.message, 3U);
}

TEST(Scheduler, KeepsProcessLimitPerTransport) {
    Scheduler scheduler = make(limits(20, 50, 3));
    for (int i = 0; i < 10; ++i) scheduler.add("smtp", "d" + std::to_string(i), work(1, 1), at(0));
    std::vector<Scheduler::Batch> batches;
    while (auto batch = scheduler.next(at(0))) batches.push_back(*batch);
    EXPECT_EQ(batches.size(), 3U);
    scheduler.finish(batches[0], Scheduler::Outcome::answered, {}, at(0));
    EXPECT_TRUE(scheduler.next(at(0)));
    EXPECT_FALSE(scheduler.next(at(0)));
}

TEST(Scheduler, TakesTurns) {
    Scheduler scheduler = make(limits(20, 1));
    scheduler.add("smtp", "big.test", work(1, 5), at(0));
    scheduler.add("smtp", "big.test", work(2, 1), at(0));
    scheduler.add("smtp", "small.test", work(3, 1), at(0));
    scheduler.add("local", "u", work(4, 1), at(0));
    std::vector<MessageKey> order;
    while (auto batch = scheduler.next(at(0))) order.push_back(batch->work.message);
    ASSERT_GE(order.size(), 4U);
    order.resize(4);
    // One turn, then the other transport, then the other site; at a site the first message first.
    EXPECT_EQ(order, (std::vector<MessageKey>{1, 4, 3, 1}));
}

std::vector<MessageKey> order(Scheduler& scheduler) {
    std::vector<MessageKey> messages;
    while (auto batch = scheduler.next(at(0))) {
        messages.push_back(batch->work.message);
        scheduler.finish(*batch, Scheduler::Outcome::answered, {}, at(0));
    }
    return messages;
}

// RFC 6710: higher priorities first.
TEST(Scheduler, PrioritiesAtADestination) {
    Scheduler scheduler = make(limits(1, 1));
    scheduler.add("smtp", "a.test", urgent(1, 2, 0), at(0));
    scheduler.add("smtp", "a.test", urgent(2, 1, -3), at(0));
    scheduler.add("smtp", "a.test", urgent(3, 2, 5), at(0));
    scheduler.add("smtp", "a.test", urgent(4, 1, 0), at(0));
    scheduler.add("smtp", "a.test", urgent(5, 1, 5), at(0));
    EXPECT_EQ(order(scheduler), (std::vector<MessageKey>{3, 3, 5, 1, 1, 4, 2}));
}

TEST(Scheduler, PrioritiesBetweenDestinations) {
    Scheduler scheduler = make(limits(20, 50, 1));
    scheduler.add("smtp", "a.test", urgent(1, 1, 0), at(0));
    const auto first = scheduler.next(at(0));
    ASSERT_TRUE(first);
    scheduler.add("smtp", "b.test", urgent(2, 1, 0), at(0));
    scheduler.add("smtp", "c.test", urgent(3, 1, -1), at(0));
    scheduler.add("smtp", "d.test", urgent(4, 1, 0), at(0));
    scheduler.add("smtp", "e.test", urgent(5, 1, 9), at(0));
    // A destination that waits already moves forward.
    scheduler.add("smtp", "c.test", urgent(6, 1, 3), at(0));
    scheduler.finish(*first, Scheduler::Outcome::answered, {}, at(0));
    EXPECT_EQ(order(scheduler), (std::vector<MessageKey>{5, 6, 2, 4, 3}));
}

TEST(Scheduler, WindowGrowsWithSuccessAndIsBounded) {
    Scheduler scheduler = make(limits(10));
    for (MessageKey key = 0; key < 1000; ++key)
        scheduler.add("smtp", "a.test", work(key, 1), at(0));
    std::queue<Scheduler::Batch> open;
    std::size_t most = 0;
    EXPECT_EQ(scheduler.window("smtp", "a.test"), 5);
    for (;;) {
        while (auto batch = scheduler.next(at(0))) open.push(*batch);
        most = std::max(most, open.size());
        if (open.empty()) break;
        scheduler.finish(open.front(), Scheduler::Outcome::answered, {}, at(0));
        open.pop();
    }
    EXPECT_EQ(most, 10U);
}

TEST(Scheduler, SiteDownSuspendsItAlone) {
    Scheduler scheduler = make(limits(20));
    for (MessageKey key = 0; key < 100; ++key)
        scheduler.add("smtp", "dead.test", work(key, 2), at(0));
    scheduler.add("smtp", "live.test", work(1000, 1), at(0));
    std::size_t suspended = 0;
    int attempts = 0;
    bool live = false;
    while (auto batch = scheduler.next(at(0))) {
        if (batch->destination() == "live.test") {
            live = true;
            scheduler.finish(*batch, Scheduler::Outcome::answered, {}, at(0));
            continue;
        }
        ++attempts;
        for (const Work& rest :
             scheduler.finish(*batch, Scheduler::Outcome::site_down, kDown, at(0)))
            suspended += rest.recipients.size();
    }
    EXPECT_TRUE(live);
    EXPECT_EQ(attempts, 4) << "1/5 + 1/4 + 1/3 + 1/2 of a cohort";
    EXPECT_EQ(suspended, 2U * (100 - 4));
    const Verdict* why = scheduler.add("smtp", "dead.test", work(7, 1), at(299));
    ASSERT_NE(why, nullptr);
    EXPECT_EQ(why->text, "delivery temporarily suspended: connect to a: Connection refused");
    EXPECT_EQ(why->status, "4.4.1");
    EXPECT_EQ(scheduler.add("smtp", "dead.test", work(7, 1), at(300)), nullptr);
    EXPECT_TRUE(scheduler.next(at(0)));
}

TEST(Scheduler, SuccessForgivesFailures) {
    Scheduler scheduler = make(limits(20));
    for (int round = 0; round < 50; ++round) {
        for (auto outcome : {Scheduler::Outcome::site_down, Scheduler::Outcome::answered}) {
            ASSERT_EQ(scheduler.add("smtp", "flaky.test", work(1, 1), at(0)), nullptr) << round;
            auto batch = scheduler.next(at(0));
            ASSERT_TRUE(batch);
            scheduler.finish(*batch, outcome, kDown, at(0));
        }
    }
}

TEST(Scheduler, TransportDownSuspendsAllItsSites) {
    Scheduler scheduler = make(limits(20));
    scheduler.add("lmtp", "a", work(1, 1), at(0));
    scheduler.add("lmtp", "b", work(2, 3), at(0));
    scheduler.add("smtp", "a", work(3, 1), at(0));
    auto batch = scheduler.next(at(0));
    ASSERT_TRUE(batch);
    ASSERT_EQ(batch->transport(), "lmtp");
    auto rest = scheduler.finish(*batch, Scheduler::Outcome::transport_down, kDown, at(0));
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest[0].recipients.size(), 3U);
    EXPECT_NE(scheduler.add("lmtp", "c", work(4, 1), at(59)), nullptr);
    auto other = scheduler.next(at(0));
    ASSERT_TRUE(other);
    EXPECT_EQ(other->transport(), "smtp");
    EXPECT_EQ(scheduler.add("lmtp", "c", work(4, 1), at(60)), nullptr);
    EXPECT_TRUE(scheduler.next(at(0)));
}

TEST(Scheduler, FlushRevivesSites) {
    Scheduler scheduler = make(limits(1));
    scheduler.add("smtp", "dead", work(1, 1), at(0));
    auto batch = scheduler.next(at(0));
    scheduler.finish(*batch, Scheduler::Outcome::site_down, kDown, at(0));
    EXPECT_NE(scheduler.add("smtp", "dead", work(1, 1), at(1)), nullptr);
    scheduler.revive_all();
    EXPECT_EQ(scheduler.add("smtp", "dead", work(1, 1), at(1)), nullptr);
}

TEST(Scheduler, ExpireForgetsOldSuspensions) {
    Scheduler scheduler = make(limits(1));
    for (int i = 0; i < 100; ++i) {
        scheduler.add("smtp", "dead" + std::to_string(i), work(1, 1), at(0));
        auto batch = scheduler.next(at(0));
        scheduler.finish(*batch, Scheduler::Outcome::site_down, kDown, at(0));
    }
    EXPECT_EQ(scheduler.destinations(), 100U);
    scheduler.expire(at(299));
    EXPECT_EQ(scheduler.destinations(), 100U);
    scheduler.expire(at(300));
    EXPECT_EQ(scheduler.destinations(), 0U);
}

TEST(Scheduler, CancelTakesAMessageOut) {
    Scheduler scheduler = make(limits(1));
    scheduler.add("smtp", "a", work(1, 3), at(0));
    scheduler.add("smtp", "a", work(2, 1), at(0));
    scheduler.add("smtp", "b", work(1, 2), at(0));
    EXPECT_EQ(scheduler.cancel(1), 5U);
    auto batch = scheduler.next(at(0));
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->work.message, 2U);
    EXPECT_FALSE(scheduler.next(at(0)));
    EXPECT_EQ(scheduler.queued(), 0U);
}

TEST(Scheduler, AWindowFollowsTheFeedback) {
    const struct {
        Feedback growth;
        unsigned after_ten;  // successes, from 5
    } cases[] = {{{.amount = 1}, 15},
                 {{.amount = 0}, 5},
                 {{.amount = 1.0 / 5}, 7},
                 {{.amount = 1.0 / 3}, 9},
                 {{.amount = 1, .per = Feedback::Per::window}, 7},
                 {{.amount = 1, .per = Feedback::Per::root_of_window}, 9}};
    for (const auto& c : cases) {
        TransportLimits with = limits(100);
        with.growth = c.growth;
        Scheduler scheduler = make(with);
        for (MessageKey key = 0; key < 1000; ++key)
            scheduler.add("smtp", "a.test", work(key, 1), at(0));
        std::queue<Scheduler::Batch> open;
        for (int n = 0; n < 10; ++n) {
            while (auto batch = scheduler.next(at(0))) open.push(*batch);
            scheduler.finish(open.front(), Scheduler::Outcome::answered, {}, at(0));
            open.pop();
        }
        EXPECT_EQ(scheduler.window("smtp", "a.test"), c.after_ten)
            << c.growth.amount << " per " << static_cast<int>(c.growth.per);
    }
}

TEST(Scheduler, FailuresShrinkAWindowAtTheEndOfARun) {
    TransportLimits with = limits(20);
    with.failed_cohorts = 100;
    with.shrinkage.amount = 1.0 / 3;
    Scheduler scheduler = make(with);
    for (MessageKey key = 0; key < 30; ++key) scheduler.add("smtp", "a.test", work(key, 1), at(0));
    std::vector<unsigned> windows;
    for (int n = 0; n < 15; ++n) {
        auto batch = scheduler.next(at(0));
        ASSERT_TRUE(batch);
        EXPECT_TRUE(scheduler.finish(*batch, Scheduler::Outcome::site_down, kDown, at(0)).empty());
        windows.push_back(scheduler.window("smtp", "a.test"));
    }
    EXPECT_EQ(windows, (std::vector<unsigned>{5, 5, 4, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1, 1}));
}

TEST(Scheduler, ADestinationRestsBetweenDeliveries) {
    TransportLimits with = limits(20);
    with.site_pause = Seconds{10};
    Scheduler scheduler = make(with);
    for (MessageKey key = 1; key <= 3; ++key) scheduler.add("smtp", "a.test", work(key, 1), at(0));
    scheduler.add("smtp", "b.test", work(4, 1), at(0));
    auto first = scheduler.next(at(0));
    auto other = scheduler.next(at(0));
    ASSERT_TRUE(first && other);
    EXPECT_EQ(other->destination(), "b.test");
    EXPECT_FALSE(scheduler.next(at(0))) << "one at a time";
    EXPECT_FALSE(scheduler.wakes());
    scheduler.finish(*first, Scheduler::Outcome::answered, {}, at(2));
    scheduler.finish(*other, Scheduler::Outcome::answered, {}, at(5));
    EXPECT_EQ(scheduler.wakes(), at(12));
    EXPECT_FALSE(scheduler.next(at(11)));
    auto second = scheduler.next(at(12));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->work.message, 2U);
    scheduler.add("smtp", "b.test", work(5, 1), at(13));
    EXPECT_FALSE(scheduler.next(at(14))) << "the pause of a site outlives its work";
    EXPECT_TRUE(scheduler.next(at(15)));
    scheduler.cancel(3);
    scheduler.finish(*second, Scheduler::Outcome::answered, {}, at(16));
    EXPECT_EQ(scheduler.destinations(), 2U);
    EXPECT_FALSE(scheduler.next(at(100)));
    EXPECT_EQ(scheduler.destinations(), 1U) << "forgotten when its pause is over";
}

TEST(Scheduler, ATransportRestsBetweenDeliveries) {
    Scheduler scheduler([](std::string_view name) {
        TransportLimits with;
        if (name == "slow") with.transport_pause = Seconds{1};
        return with;
    });
    scheduler.add("slow", "a.test", work(1, 1), at(0));
    scheduler.add("slow", "b.test", work(2, 1), at(0));
    scheduler.add("smtp", "a.test", work(3, 1), at(0));
    std::vector<Scheduler::Batch> given;
    while (auto batch = scheduler.next(at(0))) given.push_back(*batch);
    ASSERT_EQ(given.size(), 2U);
    for (const auto& batch : given)
        scheduler.finish(batch, Scheduler::Outcome::answered, {}, at(3));
    EXPECT_FALSE(scheduler.next(at(3)));
    EXPECT_EQ(scheduler.wakes(), at(4));
    auto last = scheduler.next(at(4));
    ASSERT_TRUE(last);
    EXPECT_EQ(last->work.message, 2U);
}

TEST(Scheduler, CountsWhatIsBeyondAShare) {
    Scheduler scheduler([](std::string_view) { return limits(1, 10); }, {100, 100});
    const auto excess = [&] {
        const Backlog beyond = scheduler.excess();
        return std::make_pair(beyond.jobs, beyond.recipients);
    };
    for (MessageKey key = 0; key < 90; ++key) scheduler.add("smtp", "a.test", work(key, 2), at(0));
    EXPECT_EQ(excess(), std::make_pair(std::size_t{0}, std::size_t{80}));
    for (MessageKey key = 90; key < 150; ++key) {
        scheduler.add("smtp", "a.test", work(key, 2), at(0));
        scheduler.add("smtp", "b.test", work(key, 1), at(0));
    }
    EXPECT_EQ(excess(), std::make_pair(std::size_t{50}, std::size_t{200}));
    auto batch = scheduler.next(at(0));
    EXPECT_EQ(excess(), std::make_pair(std::size_t{49}, std::size_t{198}));
    EXPECT_EQ(scheduler.cancel(7), 2U);
    EXPECT_EQ(excess(), std::make_pair(std::size_t{48}, std::size_t{196}));
    scheduler.finish(*batch, Scheduler::Outcome::site_down, kDown, at(0));
    EXPECT_EQ(excess(), std::make_pair(std::size_t{0}, std::size_t{0}));
}

TEST(Feedback, IsReadAsPostfixReadsIt) {
    const struct {
        const char* text;
        double at_16;
    } good[] = {{"1", 1},
                {"0.5", 0.5},
                {"1/8", 0.125},
                {" 1 / 8 ", 0.125},
                {"0", 0},
                {"1/concurrency", 1.0 / 16},
                {"1 / sqrt_concurrency", 0.25}};
    for (const auto& c : good) {
        const auto feedback = Feedback::parse(c.text);
        ASSERT_TRUE(feedback) << c.text;
        EXPECT_DOUBLE_EQ(feedback->at(16), c.at_16) << c.text;
    }
    for (const char* bad :
         {"", "x", "2", "-1", "1/0", "1/", "/2", "1/x", "1 2", "nan", "inf", "1/-1"}) {
        const auto feedback = Feedback::parse(bad);
        ASSERT_FALSE(feedback) << bad;
        EXPECT_EQ(feedback.error().what.find(std::string("\"") + bad + "\" is no number"), 0U);
    }
}

// A stalled site holds its window for ever; everything else is delivered at full speed.
TEST(Scheduler, StalledSiteDelaysNobody) {
    Scheduler scheduler = make(limits(20));
    for (MessageKey key = 0; key < 1000; ++key) {
        scheduler.add("smtp", key % 2 == 0 ? "tarpit" : "site" + std::to_string(key % 50),
                      work(key, 1), at(0));
    }
    int delivered = 0;
    std::vector<Scheduler::Batch> stuck;
    while (auto batch = scheduler.next(at(0))) {
        if (batch->destination() == "tarpit") {
            stuck.push_back(*batch);
        } else {
            ++delivered;
            scheduler.finish(*batch, Scheduler::Outcome::answered, {}, at(0));
        }
    }
    EXPECT_EQ(delivered, 500);
    EXPECT_EQ(stuck.size(), 5U);
}

// A million messages to 20,000 sites, of which every tenth is down; each delivery takes a second.
TEST(Scheduler, SimulatesAMillionMessages) {
    Scheduler scheduler = make(limits(20, 50, 500));
    constexpr MessageKey kMessages = 1'000'000;
    std::size_t delivered = 0;
    std::size_t deferred = 0;
    std::deque<Scheduler::Batch> open;
    MessageKey next_message = 0;
    int second = 0;
    for (; next_message < kMessages || scheduler.queued() > 0 || !open.empty(); ++second) {
        for (int i = 0; i < 20'000 && next_message < kMessages; ++i, ++next_message) {
            std::string site = "site" + std::to_string(next_message * 7919 % 20'000);
            if (scheduler.add("smtp", site, work(next_message, 1), at(second)) != nullptr)
                ++deferred;
        }
        std::size_t finishing = open.size();
        for (std::size_t i = 0; i < finishing; ++i) {
            Scheduler::Batch batch = std::move(open.front());
            open.pop_front();
            bool down = batch.destination().ends_with('7');
            ++(down ? deferred : delivered);
            auto rest = scheduler.finish(
                batch, down ? Scheduler::Outcome::site_down : Scheduler::Outcome::answered, kDown,
                at(second));
            for (const Work& job : rest) deferred += job.recipients.size();
        }
        while (auto batch = scheduler.next(at(second))) open.push_back(std::move(*batch));
        ASSERT_LT(second, 10'000);
    }
    EXPECT_EQ(delivered + deferred, kMessages);
    EXPECT_EQ(delivered, 900'000U);
    scheduler.expire(at(second + 1000));
    EXPECT_EQ(scheduler.destinations(), 0U);
}

TEST(Retry, IntervalsFollowAge) {
    RetryRules rules;
    auto time = [](int seconds) { return WallTime{Seconds{1'000'000 + seconds}}; };
    struct {
        int now, expected;
    } cases[] = {{0, 300},     {100, 400},   {300, 600}, {600, 1200},
                 {4000, 8000}, {5000, 9000}, {-50, 250}};
    for (auto& c : cases)
        EXPECT_EQ(next_attempt(rules, time(0), time(c.now)), time(c.expected)) << c.now;
}

TEST(Retry, Expiry) {
    RetryRules rules;
    rules.maximal_lifetime = Seconds{100};
    rules.bounce_lifetime = Seconds{10};
    auto time = [](int seconds) { return WallTime{Seconds{1'000'000 + seconds}}; };
    EXPECT_FALSE(is_expired(rules, time(0), time(99), false));
    EXPECT_TRUE(is_expired(rules, time(0), time(100), false));
    EXPECT_FALSE(is_expired(rules, time(0), time(9), true));
    EXPECT_TRUE(is_expired(rules, time(0), time(10), true));
}

}  // namespace
}  // namespace postern::qmgr
