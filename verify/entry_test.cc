#include "verify/entry.h"

#include <gtest/gtest.h>

namespace postern::verify {
namespace {

using ipc::AddressStatus;

TEST(Entry, HasPostfixsForm) {
    const Entry entry{AddressStatus::undeliverable, 0, 1'700'000'000,
                      "host x said: 550 no: nobody"};
    EXPECT_EQ(entry.format(), "2:0:1700000000:host x said: 550 no: nobody");
    const auto parsed = Entry::parse(entry.format());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->status, AddressStatus::undeliverable);
    EXPECT_EQ(parsed->probed, 0);
    EXPECT_EQ(parsed->updated, 1'700'000'000);
    EXPECT_EQ(parsed->text, "host x said: 550 no: nobody");
    EXPECT_EQ(Entry::parse("0:1:2:")->text, "");
}

TEST(Entry, WhatIsNoneIsNone) {
    for (const char* text : {"", "0", "0:1", "0:1:2", "4:1:2:x", "-1:1:2:x", "0:-1:2:x", "0:1:-2:x",
                             "a:1:2:x", "0::2:x", "0:99999999999999999999:2:x"})
        EXPECT_FALSE(Entry::parse(text)) << text;
}

TEST(Entry, GetsOld) {
    const Lifetimes lifetimes{Seconds{100}, Seconds{50}, Seconds{20}, Seconds{10}};
    const struct {
        AddressStatus status;
        std::int64_t age;
        bool expired, refresh;
    } cases[] = {
        {AddressStatus::deliverable, 50, false, false},
        {AddressStatus::deliverable, 51, false, true},
        {AddressStatus::deliverable, 100, false, true},
        {AddressStatus::deliverable, 101, true, true},
        {AddressStatus::undeliverable, 10, false, false},
        {AddressStatus::undeliverable, 11, false, true},
        {AddressStatus::undeliverable, 21, true, true},
        {AddressStatus::deferred, 21, true, true},
        {AddressStatus::deliverable, -500, false, false},  // the clock was set back
    };
    for (const auto& c : cases) {
        const Entry entry{c.status, 0, 1000, ""};
        EXPECT_EQ(entry.expired(lifetimes, 1000 + c.age), c.expired) << c.age;
        EXPECT_EQ(entry.needs_refresh(lifetimes, 1000 + c.age), c.refresh) << c.age;
    }
}

TEST(Entry, AProbeIsWaitedForForAWhile) {
    const Entry entry{AddressStatus::unknown, 5000, 0, ""};
    EXPECT_TRUE(entry.probe_under_way(5000));
    EXPECT_TRUE(entry.probe_under_way(5999));
    EXPECT_FALSE(entry.probe_under_way(6000));
    EXPECT_FALSE(entry.probe_under_way(4999)) << "sent in the future";
    EXPECT_FALSE((Entry{AddressStatus::unknown, 0, 0, ""}.probe_under_way(5)));
}

}  // namespace
}  // namespace postern::verify
