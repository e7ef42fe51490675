#include "lib/table/query.h"

#include "lib/base/strings.h"

#include "lib/table/registry.h"
#include "lib/table/test_files.h"

namespace postern::table {
namespace {

TEST(Format, Expands) {
    struct Case {
        const char *format, *text, *key, *expected;  // expected null: suppressed
    };
    for (const Case& c : std::vector<Case>{
             {"%s", "a@b.org", "a@b.org", "a@b.org"},
             {"%u|%d|%S|%U|%D", "x@y", "a@b.org", "x|y|a@b.org|a|b.org"},
             {"%1 %2 %3", "k", "a@m.b.org", "org b m"},
             {"%4", "k", "a@m.b.org", nullptr},
             {"%d", "user", "user", nullptr},
             {"%u", "user", "user", "user"},
             {"%u", "@b.org", "@b.org", nullptr},
             {"%d", "a@", "a@", nullptr},
             {"%u", "a@b@c", "a@b@c", "a@b"},
             {"100%% %", "k", "k", "100% %"},
             {"%q", "k", "k", nullptr},
             {"", "k", "k", ""},
         }) {
        const auto got = expand_format(c.format, c.text, c.key);
        if (c.expected == nullptr) {
            EXPECT_FALSE(got.has_value()) << c.format << " gave " << *got;
        } else {
            ASSERT_TRUE(got.has_value()) << c.format;
            EXPECT_EQ(*got, c.expected) << c.format;
        }
    }
    EXPECT_EQ(*expand_format("(%s)", "a", "a",
                             [](std::string_view v) {
                                 return cat({"<", v, ">"});
                             }),
              "(<a>)");
}

TEST(SqlTemplate, TurnsQuotedTextIntoParameters) {
    struct Case {
        const char* statement;
        std::vector<std::string> texts, formats;
    };
    for (const Case& c : std::vector<Case>{
             {"SELECT a FROM t WHERE k='%s'", {"SELECT a FROM t WHERE k=", ""}, {"%s"}},
             {"k='%u@%d' AND x='it''s' AND y = %s",
              {"k=", " AND x='it''s' AND y = ", ""},
              {"%u@%d", "%s"}},
             {"k LIKE '%%%s%%' OR a %% 2 = 0", {"k LIKE ", " OR a % 2 = 0"}, {"%%%s%%"}},
             {"k=\"%s\"", {"k=", ""}, {"%s"}},
             {"SELECT 1", {"SELECT 1"}, {}},
         }) {
        auto parsed = SqlTemplate::parse(c.statement);
        ASSERT_TRUE(parsed) << c.statement;
        EXPECT_EQ(parsed->texts, c.texts) << c.statement;
        EXPECT_EQ(parsed->formats, c.formats) << c.statement;
    }
    EXPECT_FALSE(SqlTemplate::parse("k='%s"));
}

TEST(TableSettings, Read) {
    auto settings = TableSettings::parse(
        "f", "# c\nhosts = a, b\nquery = SELECT x\n  FROM y\nn = 5\nf = Yes\n");
    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->get("query"), "SELECT x  FROM y");
    EXPECT_EQ(settings->list("hosts"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(*settings->number("n", 0), 5u);
    EXPECT_TRUE(*settings->flag("f", false));
    EXPECT_FALSE(settings->number("f", 0));
    EXPECT_FALSE(settings->flag("n", false));
    auto bad = TableSettings::parse("f", "hosts = a\nnonsense\n");
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().what, "f, line 2: expected name = value");
}

TEST(TableSettings, OlderStatements) {
    auto settings = TableSettings::parse(
        "f", "table = t\nselect_field = s\nwhere_field = w\nadditional_conditions = AND active\n");
    EXPECT_EQ(*statement_of(*settings), "SELECT s FROM t WHERE w = '%s' AND active");
    EXPECT_FALSE(statement_of(*TableSettings::parse("f", "table = t\n")));
}

TEST(ResultRules, DomainAndLimit) {
    auto rules =
        ResultRules::from(*TableSettings::parse("f",
                                                "domain = B.org c.org\nresult_format = [%u]\n"
                                                "expansion_limit = 2\n"));
    ASSERT_TRUE(rules);
    EXPECT_TRUE(rules->admits("a@b.ORG"));
    EXPECT_FALSE(rules->admits("a@d.org"));
    EXPECT_FALSE(rules->admits("@b.org"));
    EXPECT_FALSE(rules->admits("b.org"));
    std::string answer;
    std::size_t count = 0;
    EXPECT_TRUE(rules->append(answer, count, "x@y", "k"));
    EXPECT_TRUE(rules->append(answer, count, "", "k"));
    EXPECT_TRUE(rules->append(answer, count, "z", "k"));
    EXPECT_EQ(answer, "[x],[z]");
    EXPECT_FALSE(rules->append(answer, count, "q", "k"));
}

TEST(Sql, SaysWhatIsMissing) {
    const TestFiles files;
    for (const auto* text : {"dbpath = x\n", "query = SELECT '%s\n", "nonsense\n"}) {
        EXPECT_FALSE(open_table("sqlite:" + files.write("t.cf", text))) << text;
    }
    auto table = open_table("sqlite:" +
                            files.write("t.cf", "dbpath = /nonexistent/db\nquery = SELECT '%s'\n"));
    ASSERT_TRUE(table);
    auto found = (*table)->lookup("a");
    ASSERT_TRUE(found.failed());
    EXPECT_THAT(found.error().what, testing::HasSubstr("t.cf"));
}

}  // namespace
}  // namespace postern::table
