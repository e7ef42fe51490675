// Numbers of clients.
#include "limits/counts.h"

#include "lib/base/strings.h"

namespace postern::limits {
namespace {

using ipc::AnvilEvent;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

class CountsTest : public testing::Test {
  protected:
    ipc::AnvilAnswer note(AnvilEvent event, const std::string& who = "smtp:192.0.2.1") {
        return counts_.note(event, who, now_);
    }
    void pass(Millis time) {
        now_.steady += time;
        now_.wall += time;
    }
    Counts::Moment now_{};
    Counts counts_{{.unit = Millis{60'000}, .max_idle = 100}};
};

TEST_F(CountsTest, SessionsComeAndGo) {
    EXPECT_EQ(note(AnvilEvent::connect).count, 1U);
    const auto second = note(AnvilEvent::connect);
    EXPECT_EQ(second.count, 2U);
    EXPECT_EQ(second.rate, 2U);
    EXPECT_EQ(note(AnvilEvent::connect, "submission:192.0.2.1").count, 1U) << "each service alone";
    EXPECT_EQ(note(AnvilEvent::disconnect).count, 1U);
    EXPECT_EQ(note(AnvilEvent::disconnect).count, 0U);
    EXPECT_EQ(note(AnvilEvent::disconnect).count, 0U) << "never below nothing";
    const auto again = note(AnvilEvent::connect);
    EXPECT_EQ(again.count, 1U);
    EXPECT_EQ(again.rate, 3U) << "connections that are over count for the rate";
}

TEST_F(CountsTest, EachEventHasItsOwnRate) {
    const struct {
        AnvilEvent event;
        std::uint32_t expected;
    } steps[] = {
        {AnvilEvent::mail, 1}, {AnvilEvent::mail, 2},       {AnvilEvent::rcpt, 1},
        {AnvilEvent::auth, 1}, {AnvilEvent::tls_status, 0}, {AnvilEvent::new_tls, 1},
        {AnvilEvent::mail, 3}, {AnvilEvent::tls_status, 1}, {AnvilEvent::auth, 2},
    };
    for (const auto& step : steps) EXPECT_EQ(note(step.event).rate, step.expected);
}

TEST_F(CountsTest, RatesBeginAnewAfterTheUnit) {
    note(AnvilEvent::connect);
    note(AnvilEvent::mail);
    pass(Millis{60'000});
    EXPECT_EQ(note(AnvilEvent::mail).rate, 2U) << "still the same unit";
    pass(Millis{1});
    EXPECT_EQ(note(AnvilEvent::mail).rate, 1U);
    const auto more = note(AnvilEvent::connect);
    EXPECT_EQ(more.rate, 1U);
    EXPECT_EQ(more.count, 2U) << "the open session is still there";
}

TEST_F(CountsTest, ManyAddressesDoNotFillTheMemory) {
    note(AnvilEvent::connect, "smtp:192.0.2.200");
    for (int i = 0; i < 1000; ++i) {
        const auto who = "smtp:2001:db8::" + std::to_string(i);
        note(AnvilEvent::connect, who);
        note(AnvilEvent::disconnect, who);
        note(AnvilEvent::mail, "smtp:2001:db8:1::" + std::to_string(i));
    }
    EXPECT_LE(counts_.size(), 102U);
    EXPECT_EQ(note(AnvilEvent::connect, "smtp:192.0.2.200").count, 2U)
        << "who has a session is never forgotten";
    EXPECT_EQ(note(AnvilEvent::connect, "smtp:2001:db8::999").rate, 2U) << "nor are the latest";
}

TEST_F(CountsTest, WhoHasNotComeForAUnitIsForgotten) {
    for (int i = 0; i < 50; ++i) note(AnvilEvent::mail, "smtp:10.0.0." + std::to_string(i));
    EXPECT_EQ(counts_.size(), 50U);
    pass(Millis{60'001});
    note(AnvilEvent::mail, "smtp:10.0.1.1");
    EXPECT_EQ(counts_.size(), 1U);
}

TEST_F(CountsTest, StatisticsNameTheMaxima) {
    EXPECT_TRUE(counts_.statistics().empty());
    note(AnvilEvent::connect, "smtp:192.0.2.1");
    note(AnvilEvent::connect, "smtp:192.0.2.2");
    note(AnvilEvent::connect, "smtp:192.0.2.2");
    note(AnvilEvent::mail, "smtp:192.0.2.1");
    note(AnvilEvent::rcpt, "smtp:192.0.2.1");
    note(AnvilEvent::new_tls, "smtp:192.0.2.1");
    note(AnvilEvent::auth, "smtp:192.0.2.1");
    const std::string at = " at [A-Z][a-z][a-z] [0-9 ][0-9] [0-9:]*";
    EXPECT_THAT(
        counts_.statistics(),
        ElementsAre(MatchesRegex("statistics: max connection rate 2/60s for .smtp:192.0.2.2." + at),
                    MatchesRegex("statistics: max connection count 2 for .smtp:192.0.2.2." + at),
                    MatchesRegex("statistics: max message rate 1/60s for .smtp:192.0.2.1." + at),
                    MatchesRegex("statistics: max recipient rate 1/60s for .smtp:192.0.2.1." + at),
                    MatchesRegex("statistics: max newtls rate 1/60s for .smtp:192.0.2.1." + at),
                    MatchesRegex("statistics: max auth rate 1/60s for .smtp:192.0.2.1." + at),
                    MatchesRegex("statistics: max cache size 2" + at)));
    EXPECT_TRUE(counts_.statistics().empty()) << "each is told once";
    note(AnvilEvent::connect, "smtp:192.0.2.1");
    EXPECT_THAT(counts_.statistics().at(0), HasSubstr("max connection rate 2/60s"));
}

}  // namespace
}  // namespace postern::limits
