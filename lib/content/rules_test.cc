// Every action of header_checks(5), good and bad.
#include "lib/content/rules.h"

#include "lib/log/log.h"

namespace postern::content {
namespace {

// One answer for everything, or a failure.
struct OneRule final : Rules {
    explicit OneRule(std::string value) : value_(std::move(value)) {}
    bool wants(Kind) const override { return true; }
    Lookup<std::string> find(Kind, std::string_view) override {
        if (value_ == "fail") return Error{Errc::temporary, "table is away"};
        if (value_.empty()) return NotFound{};
        return value_;
    }
    std::string value_;
};

struct Judged {
    Effects effects;
    Fate fate;
    std::string log;
};

Judged judged(const std::string& rule, Kind kind = Kind::header,
              std::string_view text = "Subject: x") {
    log::open_capture();
    OneRule rules(rule);
    Judged j;
    j.fate = judge(rules, kind, text, j.effects);
    j.log = log::take_captured();
    return j;
}

TEST(ContentRules, WhatDoesNothing) {
    for (const char* rule : {"", "DUNNO", "dunno anything", "OK"}) {
        const auto j = judged(rule);
        EXPECT_TRUE(j.fate.keep && !j.fate.replaced && j.fate.prepend.empty()) << rule;
        EXPECT_TRUE(j.effects.notes.empty() && !j.effects.refusal) << rule;
        EXPECT_EQ(j.log, "") << rule;
    }
}

TEST(ContentRules, Reject) {
    struct Case {
        const char* rule;
        const char* status;
        const char* text;
    };
    const Case cases[] = {
        {"REJECT", "5.7.1", "message content rejected"},
        {"reject No thanks", "5.7.1", "No thanks"},
        {"REJECT 5.6.0 bad thing", "5.6.0", "bad thing"},
        {"REJECT 4.6.0 odd", "5.7.1", "4.6.0 odd"},
        {"REJECT 5.6 odd", "5.7.1", "5.6 odd"},
    };
    for (const Case& c : cases) {
        const auto j = judged(c.rule);
        ASSERT_TRUE(j.effects.refusal) << c.rule;
        EXPECT_TRUE(j.effects.refusal->rejected());
        EXPECT_EQ(j.effects.refusal->status, c.status) << c.rule;
        EXPECT_EQ(j.effects.refusal->text, c.text) << c.rule;
        ASSERT_EQ(j.effects.notes.size(), 1u);
        EXPECT_EQ(j.effects.notes[0].what, "reject: header Subject: x");
    }
}

TEST(ContentRules, WhatIsDoneToTheMessage) {
    EXPECT_TRUE(judged("DISCARD").effects.discard);
    EXPECT_TRUE(judged("HOLD look at it").effects.hold);
    EXPECT_EQ(judged("FILTER smtp:[127.0.0.1]:10026").effects.filter, "smtp:[127.0.0.1]:10026");
    EXPECT_EQ(judged("REDIRECT spam@example.test").effects.redirect, "spam@example.test");
    EXPECT_THAT(judged("BCC copy@example.test").effects.bcc,
                testing::ElementsAre("copy@example.test"));
    EXPECT_EQ(judged("HOLD look at it").effects.notes.at(0).text, "look at it");
    EXPECT_EQ(judged("BCC copy@example.test", Kind::body, "spam").effects.notes.at(0).what,
              "bcc: body spam");
}

TEST(ContentRules, WhatIsDoneToTheField) {
    EXPECT_FALSE(judged("IGNORE").fate.keep);
    EXPECT_TRUE(judged("IGNORE").effects.notes.empty());
    EXPECT_FALSE(judged("STRIP why").fate.keep);
    EXPECT_EQ(judged("STRIP why").effects.notes.at(0).what, "strip: header Subject: x");
    EXPECT_EQ(judged("PREPEND X-Spam: yes").fate.prepend, "X-Spam: yes");
    const auto j = judged("REPLACE Subject: y");
    EXPECT_TRUE(j.fate.replaced && j.fate.keep);
    EXPECT_EQ(j.fate.text, "Subject: y");
    EXPECT_EQ(judged("WARN look").effects.notes.at(0).what, "warning: header Subject: x");
    EXPECT_EQ(judged("INFO look").effects.notes.at(0).what, "info: header Subject: x");
    EXPECT_EQ(judged("REPLACE any text", Kind::body).fate.text, "any text");
}

TEST(ContentRules, MistakesAreWarnedOfAndChangeNothing) {
    const char* cases[] = {"NONSENSE",
                           "FILTER here",
                           "REDIRECT nobody",
                           "BCC a b@c",
                           "REPLACE no header",
                           "PREPEND : empty",
                           "REPLACE",
                           "PREPEND",
                           "REDIRECT a@b\nc",
                           "BCC",
                           "550 access(5) style"};
    for (const char* rule : cases) {
        const auto j = judged(rule);
        EXPECT_TRUE(j.fate.keep && !j.fate.replaced && j.fate.prepend.empty()) << rule;
        EXPECT_TRUE(j.effects.filter.empty() && j.effects.redirect.empty() && j.effects.bcc.empty())
            << rule;
        EXPECT_THAT(j.log, testing::HasSubstr("in header_checks map")) << rule;
    }
    EXPECT_THAT(judged("NONSENSE", Kind::nested_header).log,
                testing::HasSubstr("in nested_header_checks map"));
}

TEST(ContentRules, ATableThatFailsMakesMailWait) {
    const auto j = judged("fail");
    ASSERT_TRUE(j.effects.refusal);
    EXPECT_TRUE(j.effects.refusal->deferred());
    EXPECT_THAT(j.log, testing::HasSubstr("header_checks map lookup problem"));
}

TEST(ContentRules, CopiesAreBounded) {
    OneRule rules("BCC a@b.test");
    Effects effects;
    for (int i = 0; i < 500; ++i) (void)judge(rules, Kind::body, "x", effects);
    EXPECT_EQ(effects.bcc.size(), 100u);
}

TEST(ContentRules, Tables) {
    TableNames names;
    names.header = "inline:{{subject: spam=REJECT}}";
    names.body = "static:DUNNO";
    TableRules rules(names);
    EXPECT_TRUE(rules.wants(Kind::header));
    EXPECT_FALSE(rules.wants(Kind::mime_header));
    EXPECT_TRUE(rules.find(Kind::header, "Subject: SPAM").found());
    EXPECT_TRUE(rules.find(Kind::header, "Subject: ham").not_found());
    EXPECT_EQ(*rules.find(Kind::body, "x"), "DUNNO");
}

}  // namespace
}  // namespace postern::content
