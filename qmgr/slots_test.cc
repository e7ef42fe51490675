// Small messages before large ones (doc/decisions/slots.md), and that nothing is lost in any order.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "qmgr/scheduler.h"
#include "qmgr/scheduler_fixture.h"

namespace postern::qmgr {
namespace {

// Gives `count` requests out, one at a time, and returns whose they were.
std::vector<MessageKey> order_of(Scheduler& scheduler, std::size_t count) {
    std::vector<MessageKey> messages;
    while (messages.size() < count) {
        auto batch = scheduler.next(at(0));
        if (!batch) break;
        messages.push_back(batch->work.message);
        scheduler.finish(*batch, Scheduler::Outcome::answered, {}, at(0));
    }
    return messages;
}

constexpr MessageKey kList = 1000;  // a mailing list of 100 requests

// As Postfix's SCHEDULER_README has it: one request of a small message per `cost` of the large one,
// and some in advance.
TEST(Slots, SmallMessagesPassALargeOneByItsSlots) {
    using Order = std::vector<MessageKey>;
    const MessageKey l = kList;
    const struct {
        SlotRules rules;
        Order first;
    } cases[] = {
        {{.cost = 2, .loan = 0, .discount = 0, .minimum = 3}, {l, l, 1, l, l, 2, l, l, 3, l, l, 4}},
        {{.cost = 1, .loan = 0, .discount = 0, .minimum = 3}, {l, 1, l, 2, l, 3, l, 4, l, l, l, l}},
        {{.cost = 2, .loan = 2, .discount = 0, .minimum = 3}, {1, 2, l, l, 3, l, l, 4, l, l, l, l}},
        {{.cost = 2, .loan = 0, .discount = 50, .minimum = 3},
         {l, 1, l, l, 2, l, l, 3, l, l, 4, l}},
        {{.cost = 2, .loan = 0, .discount = 100, .minimum = 3},
         {1, l, l, 2, l, l, 3, l, l, 4, l, l}},
        {{.cost = 0, .loan = 9, .discount = 100, .minimum = 0},
         {l, l, l, l, l, l, l, l, l, l, l, l}},
        // Who cannot earn 60 slots by 100 requests is not passed.
        {{.cost = 2, .loan = 9, .discount = 100, .minimum = 60},
         {l, l, l, l, l, l, l, l, l, l, l, l}},
    };
    for (const auto& c : cases) {
        TransportLimits with = limits(20, 1);
        with.slots = c.rules;
        Scheduler scheduler = make(with);
        scheduler.add("smtp", "a.test", work(kList, 100), at(0));
        for (MessageKey key = 1; key <= 4; ++key)
            scheduler.add("smtp", "a.test", work(key, 1), at(0));
        EXPECT_EQ(order_of(scheduler, c.first.size()), c.first)
            << c.rules.cost << " " << c.rules.loan << " " << c.rules.discount;
    }
}

// A list to as many destinations as recipients is one large message all the same, for a message
// to another destination too.
TEST(Slots, AListOfManyDestinationsIsPassed) {
    Scheduler scheduler = make(limits(20, 50, 1));
    for (int i = 0; i < 1000; ++i) {
        Work part = work(kList, 1);
        part.requests = 1000;
        scheduler.add("smtp", "site" + std::to_string(i), part, at(0));
    }
    EXPECT_EQ(order_of(scheduler, 10), std::vector<MessageKey>(10, kList));
    scheduler.add("smtp", "other.test", work(1, 1), at(0));
    EXPECT_EQ(order_of(scheduler, 1), std::vector<MessageKey>{1});
    scheduler.add("smtp", "site999", work(2, 1), at(0));
    EXPECT_EQ(order_of(scheduler, 1), std::vector<MessageKey>{2});
    EXPECT_EQ(order_of(scheduler, 10'000).size(), 990U);
    EXPECT_EQ(scheduler.destinations(), 0U);
}

// A message that has begun to pass does not stop half-way, and what it owes is paid back before
// the next one passes.
TEST(Slots, AMessageOfSomeRequestsPassesAsAWhole) {
    TransportLimits with = limits(20, 1);
    with.slots = {.cost = 2, .loan = 0, .discount = 50, .minimum = 3};
    Scheduler scheduler = make(with);
    scheduler.add("smtp", "a.test", work(kList, 100), at(0));
    scheduler.add("smtp", "a.test", work(1, 4), at(0));
    scheduler.add("smtp", "a.test", work(2, 2), at(0));
    const MessageKey l = kList;
    EXPECT_EQ(order_of(scheduler, 16),
              (std::vector<MessageKey>{l, l, l, l, 1, 1, 1, 1, l, l, l, l, l, l, 2, 2}));
}

// What a large message has earned is for those who wait while it is there; the next one earns its
// own.
TEST(Slots, SlotsGoWithWhoEarnedThem) {
    TransportLimits with = limits(20, 1);
    with.slots = {.cost = 2, .loan = 0, .discount = 0, .minimum = 3};
    Scheduler scheduler = make(with);
    scheduler.add("smtp", "a.test", work(kList, 100), at(0));
    EXPECT_EQ(order_of(scheduler, 1000).size(), 100U);
    scheduler.add("smtp", "a.test", work(7, 1), at(0));
    EXPECT_EQ(order_of(scheduler, 1), std::vector<MessageKey>{7});
    scheduler.add("smtp", "a.test", work(kList + 1, 100), at(0));
    scheduler.add("smtp", "a.test", work(8, 1), at(0));
    EXPECT_EQ(order_of(scheduler, 3), (std::vector<MessageKey>{kList + 1, kList + 1, 8}));
}

// Of two lists the older one goes first, as far as the smaller one has no slots to pass it.
TEST(Slots, ALargeMessageIsNotStarved) {
    TransportLimits with = limits(20, 1, 1);
    Scheduler scheduler = make(with);
    scheduler.add("smtp", "a.test", work(kList, 100), at(0));
    std::size_t of_list = 0;
    std::size_t steps = 0;
    for (MessageKey key = 1; of_list < 100; ++key, ++steps) {  // small ones come without end
        scheduler.add("smtp", "b.test", work(key, 1), at(0));
        if (order_of(scheduler, 1).front() == kList) ++of_list;
        ASSERT_LT(steps, 1000U);
    }
    EXPECT_EQ(steps, 100 + 100 / 5 + 3) << "a fifth as many passed, and the loan";
}

TEST(Slots, UrgentMailPassesWithoutSlots) {
    TransportLimits with = limits(20, 1);
    with.slots.cost = 0;
    Scheduler scheduler = make(with);
    scheduler.add("smtp", "a.test", work(kList, 100), at(0));
    EXPECT_EQ(order_of(scheduler, 1), std::vector<MessageKey>{kList});
    scheduler.add("smtp", "b.test", urgent(1, 1, 1), at(0));
    scheduler.add("smtp", "a.test", urgent(2, 1, 2), at(0));
    EXPECT_EQ(order_of(scheduler, 3), (std::vector<MessageKey>{2, 1, kList}));
}

// A million messages in 500 seconds of a clock of its own, each answered after 20 ms; among them
// 50,000 for a site that takes requests and gives no answer for five minutes. Nobody else's mail
// waits for a second.
TEST(Slots, AStalledSiteDelaysNobodyOfAMillion) {
    constexpr MessageKey kMessages = 1'000'000;
    constexpr int kPerMilli = 2;
    constexpr MessageKey kStalled = 50'000;  // the first ones of every other message
    const auto moment = [](std::int64_t millis) { return SteadyTime{Millis{millis}}; };
    Scheduler scheduler = make(limits(20));
    std::deque<std::pair<std::int64_t, Scheduler::Batch>> answers, timeouts;  // by their time
    std::int64_t longest = 0;
    std::size_t delivered = 0;
    std::size_t deferred = 0;
    MessageKey next_message = 0;
    for (std::int64_t now = 0; delivered + deferred < kMessages; ++now) {
        ASSERT_LT(now, 2'000'000);
        for (int i = 0; i < kPerMilli && next_message < kMessages; ++i, ++next_message) {
            const bool stalls = next_message < 2 * kStalled && next_message % 2 == 0;
            const std::string site =
                stalls ? "tarpit" : "site" + std::to_string(next_message * 7919 % 10'000);
            if (scheduler.add("smtp", site, work(next_message, 1), moment(now)) != nullptr)
                ++deferred;
        }
        for (; !answers.empty() && answers.front().first <= now; answers.pop_front(), ++delivered)
            scheduler.finish(answers.front().second, Scheduler::Outcome::answered, {}, moment(now));
        for (; !timeouts.empty() && timeouts.front().first <= now; timeouts.pop_front())
            deferred += 1 + scheduler
                                .finish(timeouts.front().second, Scheduler::Outcome::site_down,
                                        kDown, moment(now))
                                .size();
        while (auto batch = scheduler.next(moment(now))) {
            if (batch->destination() == "tarpit") {
                timeouts.emplace_back(now + 300'000, std::move(*batch));
                continue;
            }
            longest =
                std::max(longest, now - static_cast<std::int64_t>(batch->work.message) / kPerMilli);
            answers.emplace_back(now + 20, std::move(*batch));
        }
    }
    EXPECT_LT(longest, 1000) << "milliseconds";
    EXPECT_EQ(delivered, kMessages - kStalled);
}

// Whatever is added, given out, suspended and cancelled in any order: each recipient is given out,
// handed back or cancelled exactly once, limits hold, and nothing is kept in the end.
TEST(Scheduler, LosesNothingInAnyOrder) {
    std::mt19937 random(20'261'122);
    const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    for (int round = 0; round < 300; ++round) {
        TransportLimits with = limits(pick(4), 1 + pick(3), 1 + pick(6));
        with.slots = {.cost = pick(4), .loan = pick(3), .discount = pick(101), .minimum = pick(4)};
        Scheduler scheduler = make(with);
        std::map<MessageKey, std::size_t> left;  // recipients not accounted for
        std::vector<Scheduler::Batch> open;
        const auto step = [&](MessageKey key, int now) {
            switch (pick(10)) {
                case 0:
                case 1:
                case 2:
                case 3: {
                    Work part = urgent(key, 1 + pick(30), static_cast<int>(pick(3)));
                    const std::size_t count = part.recipients.size();
                    part.requests = pick(2) * 100;
                    if (scheduler.add("t" + std::to_string(pick(2)), "d" + std::to_string(pick(5)),
                                      std::move(part), at(now)) == nullptr)
                        left[key] += count;
                    break;
                }
                case 4: {
                    const MessageKey gone = pick(static_cast<unsigned>(key) + 1);
                    left[gone] -= scheduler.cancel(gone);
                    break;
                }
                case 5: scheduler.expire(at(now)); break;
                case 6:
                case 7: {
                    if (open.empty()) break;
                    std::swap(open[pick(static_cast<unsigned>(open.size()))], open.back());
                    const auto outcome =
                        static_cast<Scheduler::Outcome>(pick(20) < 17 ? 0 : 1 + pick(2));
                    for (const Work& rest : scheduler.finish(open.back(), outcome, kDown, at(now)))
                        left[rest.message] -= rest.recipients.size();
                    open.pop_back();
                    break;
                }
                default:
                    if (auto batch = scheduler.next(at(now))) {
                        ASSERT_LE(batch->work.recipients.size(), with.recipients);
                        left[batch->work.message] -= batch->work.recipients.size();
                        open.push_back(std::move(*batch));
                    }
            }
            ASSERT_LE(open.size(), 2 * with.processes);
        };
        int now = 0;
        for (; now < 400; ++now) step(static_cast<MessageKey>(now), now);
        scheduler.revive_all();
        for (; !open.empty() || scheduler.queued() > 0; ++now) {
            ASSERT_LT(now, 20'000);
            while (auto batch = scheduler.next(at(now))) {
                left[batch->work.message] -= batch->work.recipients.size();
                open.push_back(std::move(*batch));
            }
            ASSERT_FALSE(open.empty());
            scheduler.finish(open.back(), Scheduler::Outcome::answered, {}, at(now));
            open.pop_back();
        }
        for (const auto& [key, count] : left) ASSERT_EQ(count, 0U) << key;
        while (scheduler.next(at(now))) {
        }
        scheduler.expire(at(now + 1000));
        EXPECT_EQ(scheduler.destinations(), 0U);
    }
}

}  // namespace
}  // namespace postern::qmgr
