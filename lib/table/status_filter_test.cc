#include "lib/table/status_filter.h"

#include "lib/log/log.h"

namespace postern::table {
namespace {

std::string said(const Verdict& verdict) {
    const char kind = verdict.accepted() ? '+' : verdict.deferred() ? '~' : '-';
    return kind + verdict.status + " " + verdict.text;
}

TEST(StatusFilter, ReplacesStatusAndText) {
    StatusFilter filter(
        "inline:{ {5.1.1 unknown = 4.1.1 wait for him} {4.4.1 down = 5.4.1 given up}"
        " {2.0.0 sent = 2.0.0 queued as elsewhere} {4.2.2 Full = 4.2.2 no room}"
        " {5.0.0 odd = 5.0.0   padded } }",
        "smtp_delivery_status_filter");
    const struct {
        Verdict verdict;
        std::string becomes;
    } cases[] = {
        {Verdict::reject("5.1.1", "unknown"), "~4.1.1 wait for him"},
        {Verdict::defer("4.4.1", "down"), "-5.4.1 given up"},
        {Verdict::accept("2.0.0", "sent"), "+2.0.0 queued as elsewhere"},
        {Verdict::defer("4.2.2", "Full"), "~4.2.2 no room"},
        {Verdict::defer("4.2.2", "full"), "~4.2.2 full"},  // case counts
        {Verdict::reject("5.0.0", "odd"), "-5.0.0 padded"},
        {Verdict::reject("5.7.1", "other"), "-5.7.1 other"},
    };
    for (const auto& c : cases) EXPECT_EQ(said(filter.apply(c.verdict)), c.becomes);
}

TEST(StatusFilter, WhatTablesMustNotDo) {
    log::open_capture();
    for (const std::string result :
         {"2.0.0 done all the same", "later", "4.4", "4.4.1", "4.4.4.4 x", "3.0.0 x", "4.x.1 no",
          "4.1234.1 no", "4..1 no"}) {
        StatusFilter filter("static:{" + result + "}", "f");
        EXPECT_EQ(said(filter.apply(Verdict::reject("5.1.1", "unknown"))), "-5.1.1 unknown")
            << result;
        EXPECT_THAT(log::take_captured(), testing::HasSubstr("f: bad result \"" + result));
    }
    StatusFilter fails("static:{4.0.0 no}", "f");
    EXPECT_EQ(said(fails.apply(Verdict::accept("2.0.0", "sent"))), "+2.0.0 sent")
        << "what was delivered would be delivered again";
}

TEST(StatusFilter, ATableThatFails) {
    log::open_capture();
    StatusFilter filter("fail:broken", "f");
    EXPECT_EQ(said(filter.apply(Verdict::reject("5.1.1", "unknown"))),
              "~4.3.0 f lookup problem: unknown");
    EXPECT_EQ(said(filter.apply(Verdict::defer("4.1.1", "x"))), "~4.1.1 x");
    EXPECT_EQ(said(filter.apply(Verdict::accept("2.0.0", "x"))), "+2.0.0 x");
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("warning"));
}

TEST(StatusFilter, NoTables) {
    StatusFilter none("", "f");
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(said(none.apply(Verdict::defer("4.0.0", "x"))), "~4.0.0 x");
}

}  // namespace
}  // namespace postern::table
