#include "lib/base/date_time.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(DateTime, IsReadAndWritten) {
    const WallTime moment{Seconds{1'796'117'400}};  // 2026-12-01T09:30:00Z
    const char* good[] = {"2026-12-01T09:30:00Z",      "2026-12-01t09:30:00z",
                          "2026-12-01T10:30:00+01:00", "2026-11-30T23:00:00-10:30",
                          "2026-12-01T09:29:59.25Z",   "2026-12-01T09:30:00.000Z",
                          "2026-12-01T09:29:60Z"};
    for (const char* text : good) EXPECT_EQ(parse_date_time(text), moment) << text;
    EXPECT_EQ(format_date_time(moment), "2026-12-01T09:30:00Z");
    EXPECT_EQ(parse_date_time("2028-02-29T00:00:00Z"), WallTime{Seconds{1'835'395'200}});
    for (const char* text :
         {"", "2026-12-01", "2026-12-01T09:30:00", "2026-12-01 09:30:00Z", "2026-13-01T09:30:00Z",
          "2026-02-29T09:30:00Z", "2026-12-01T24:00:00Z", "2026-12-01T09:60:00Z",
          "2026-12-01T09:30:61Z", "2026-12-01T09:30:00.Z", "2026-12-01T09:30:00+1:00",
          "2026-12-01T09:30:00+24:00", "2026-12-01T09:30:00ZZ", "26-12-01T09:30:00Z",
          "2026-12-01T9:30:00Z", "2026-12-01T09:30Z"})
        EXPECT_FALSE(parse_date_time(text)) << text;
}

TEST(DateTime, IsWrittenInLocalTime) {
    const WallTime moment{Seconds{1'796'117'400} + Millis{999}};
    EXPECT_EQ(format_local_time(moment, "%s, %S"), "1796117400, 00");
    EXPECT_EQ(format_local_time(moment, std::string(300, 'x').c_str()), "");
}

}  // namespace
}  // namespace postern
