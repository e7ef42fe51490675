#include "lib/queue/bounce_log.h"

namespace postern::queue {
namespace {

BounceRecord full() {
    return {"u1@b.test",
            "alias@b.test",
            "rfc822;alias@b.test",
            "FAILURE",
            "failed",
            "5.1.1",
            "host b.test[127.0.0.1] said: 550 no",
            "b.test",
            "smtp",
            "550 no"};
}

TEST(BounceLog, RoundTrip) {
    BounceRecord small;
    small.address = "x@y";
    std::string log = format_bounce_record(full()) + format_bounce_record(small);
    EXPECT_EQ(parse_bounce_log(log), (std::vector<BounceRecord>{full(), small}));
}

TEST(BounceLog, ValuesCannotForgeRecords) {
    BounceRecord record = full();
    record.text = "line one\n\nrecipient=evil@x\r\n";
    auto records = parse_bounce_log(format_bounce_record(record));
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].address, "u1@b.test");
    EXPECT_EQ(records[0].text, "line one??recipient=evil@x??");
}

TEST(BounceLog, ValuesAreBounded) {
    BounceRecord record = full();
    record.text.assign(100'000, 'x');
    EXPECT_LT(format_bounce_record(record).size(), 3 * kMaxBounceValue);
}

TEST(BounceLog, EveryPrefixGivesWholeRecordsOnly) {
    std::string log = format_bounce_record(full()) + format_bounce_record(full());
    for (std::size_t size = 0; size <= log.size(); ++size) {
        for (const BounceRecord& record : parse_bounce_log(std::string_view(log).substr(0, size)))
            EXPECT_EQ(record, full()) << size;
    }
}

TEST(BounceLog, Junk) {
    EXPECT_TRUE(parse_bounce_log("").empty());
    EXPECT_TRUE(parse_bounce_log("\n\n\n").empty());
    EXPECT_TRUE(parse_bounce_log("nonsense\n=\nstatus=4.0.0\n\n").empty());
    EXPECT_EQ(parse_bounce_log("recipient=a\n\nrecipient=b\n\n", 1).size(), 1U);
}

}  // namespace
}  // namespace postern::queue
