#include <stdlib.h>

#include <filesystem>
#include <set>

#include "lib/base/strings.h"
#include "lib/table/maps.h"
#include "lib/table/memory_table.h"
#include "lib/table/pattern_table.h"
#include "lib/table/registry.h"
#include "lib/table/test_files.h"

namespace postern::table {
namespace {

std::string answer(Table& table, std::string_view key) {
    auto found = table.lookup(key);
    return found.found() ? *found : found.failed() ? "FAILED" : "none";
}

std::string ask(std::string_view spec, std::string_view key) {
    auto table = open_table(spec);
    return table ? answer(**table, key) : "ERROR " + table.error().what;
}

TEST(Registry, OpensEveryType) {
    const TestFiles files;
    const auto text = files.write("t", "A@x.test  one\nb two\n  more\nbad\n");
    const auto passwd = files.write("p", "u1:{PLAIN}secret:1000:1001::/home/u1::\n#x\n\nU2:x\n");
    struct Case {
        std::string spec, key, value;
    };
    for (const auto& c : std::vector<Case>{
             {"texthash:" + text, "a@X.test", "one"},
             {"texthash:" + text, "b", "two  more"},
             {"texthash:" + text, "bad", "none"},
             {"inline:{ a=1, { b = two words }, C = 3 }", "b", "two words"},
             {"inline:{a=1, b=2}", "A", "1"},
             {"inline:{ a=1, C = 3 }", "c", "3"},
             {"inline:{a=1}", "z", "none"},
             {"static:yes", "anything", "yes"},
             {"static:{ 550 Go away }", "x", "550 Go away"},
             {"fail:x", "x", "FAILED"},
             {"proxy:inline:{a=1}", "a", "1"},
             {"proxy:unix:passwd.byname", "no-such-user-here", "none"},
             {"unix:passwd.byname", "root", "root:x:0:0:root:/root:/bin/bash"},
             {"unix:group.byname", "no-such-group-here", "none"},
             {"passwdfile:" + passwd, "u1", "x:1000:1001::/home/u1::"},
             {"passwdfile:" + passwd, "u2", "x:"},
             {"passwdfile:" + passwd, "u3", "none"},
             {"passwdfile:/nonexistent/users", "u1", "none"},
             {"unionmap:{inline:{a=1}, inline:{a=2, b=3}}", "a", "1,2"},
             {"unionmap:{inline:{a=1}, inline:{a=2, b=3}}", "b", "3"},
             {"unionmap:{inline:{a=1}, fail:x}", "a", "FAILED"},
             {"pipemap:{inline:{a=b}, inline:{b=c}}", "a", "c"},
             {"pipemap:{inline:{a=b}, inline:{b=c}}", "b", "none"},
         }) {
        if (c.value.starts_with("root:") && ask(c.spec, c.key).starts_with("root:x:0:0:")) continue;
        EXPECT_EQ(ask(c.spec, c.key), c.value) << c.spec << " " << c.key;
    }
}

TEST(Registry, SaysWhatIsWrong) {
    EXPECT_EQ(ask("nosuch:x", "k"), "ERROR unsupported dictionary type: nosuch");
    EXPECT_EQ(ask("word", "k"),
              "ERROR open dictionary: expecting \"type:name\" form instead of \"word\"");
    EXPECT_EQ(ask("texthash:/nonexistent", "k"),
              "ERROR open /nonexistent: No such file or directory");
    EXPECT_EQ(ask("unix:shadow", "k"), "ERROR unknown table: unix:shadow");
    for (const auto* bad :
         {"inline:{a}", "inline:{}", "inline:{a=1", "unionmap:{}", "pipemap:{x}", "randmap:{}",
          "tcp:x", "socketmap:x", "sqlite:/nonexistent", "cdb:/nonexistent", "lmdb:/nonexistent"}) {
        EXPECT_TRUE(ask(bad, "k").starts_with("ERROR")) << bad;
    }
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += "proxy:";
    EXPECT_TRUE(ask(deep + "static:x", "k").starts_with("ERROR"));
    EXPECT_FALSE((*open_table("static:x"))->each([](auto, auto) {}));
}

TEST(TextHash, IsReadAgainWhenChanged) {
    const TestFiles files;
    auto table = open_table("texthash:" + files.write("t", "a 1\n"));
    EXPECT_EQ(answer(**table, "a"), "1");
    // Written in place, it might be half-written: the old text serves a moment longer.
    files.write("t", "a twelve\n");
    const auto written = std::chrono::steady_clock::now();
    while (answer(**table, "a") == "1" &&
           std::chrono::steady_clock::now() - written < std::chrono::seconds(10)) {
    }
    EXPECT_EQ(answer(**table, "a"), "twelve");
    files.write("new", "a 13\n");
    std::filesystem::rename(files.path("new"), files.path("t"));
    EXPECT_EQ(answer(**table, "a"), "13");
}

std::string match(PatternTable::Kind kind, std::string_view text, std::string_view key) {
    auto table = PatternTable::parse(kind, "t", text);
    return table ? answer(**table, key) : "ERROR " + table.error().what;
}

// Before the first user there is no file; later one that is missing is being replaced.
TEST(PasswdFile, OneThatIsGoneForAMomentIsNotNoUsers) {
    const TestFiles files;
    const auto path = files.write("p", "u1:x\n");
    const auto table = open_table("passwdfile:" + path).value();
    EXPECT_EQ(answer(*table, "u1"), "x:");
    std::filesystem::rename(path, path + "~");
    EXPECT_EQ(answer(*table, "u1"), "FAILED");
    EXPECT_EQ(answer(*table, "u2"), "FAILED");
    std::filesystem::rename(path + "~", path);
    EXPECT_EQ(answer(*table, "u1"), "x:");
}

TEST(Regexp, MatchesInOrderAndSubstitutes) {
    const auto ask_regexp = [](auto text, auto key) {
        return match(PatternTable::Kind::regexp, text, key);
    };
    EXPECT_EQ(ask_regexp("/^a/ 1\n/^ab/ 2\n", "abc"), "1");
    EXPECT_EQ(ask_regexp("/^(.*)@(x)\\.test$/ $2-${1}-$(1)$$ x", "joe@X.test"), "X-joe-joe$ x");
    EXPECT_EQ(ask_regexp("/^A$/i yes", "a"), "none");
    EXPECT_EQ(ask_regexp("/^A$/i yes", "A"), "yes");
    EXPECT_EQ(ask_regexp("!/^a/ not-a", "b"), "not-a");
    EXPECT_EQ(ask_regexp("|^/etc| path", "/etc/x"), "path");
    EXPECT_EQ(ask_regexp("/a\\/b/ slash", "a/b"), "slash");
    const auto* nested = "if /x/\nif !/y/\n/./ x-not-y\nendif\n/./ x-and-y\nendif\n/./ other\n";
    EXPECT_EQ(ask_regexp(nested, "x"), "x-not-y");
    EXPECT_EQ(ask_regexp(nested, "xy"), "x-and-y");
    EXPECT_EQ(ask_regexp(nested, "z"), "other");
}

// As Postfix does: a bad rule is left out, the others work, and somebody is told.
TEST(Regexp, WarnsOfBadRules) {
    for (const auto kind : {PatternTable::Kind::regexp, PatternTable::Kind::pcre}) {
        auto table = PatternTable::parse(kind, "t", "/(/ 2\n/a/ 1\n");
        ASSERT_TRUE(table) << table.error().what;
        EXPECT_EQ(answer(**table, "a"), "1");
        ASSERT_EQ((*table)->warnings().size(), 1u);
        EXPECT_TRUE((*table)->warnings()[0].starts_with("t, line 1: ")) << (*table)->warnings()[0];
        for (const auto* bad : {"abc def", "/a", "/a/q 1", "if /a/\n/c/ 1", "endif", "/b/ $1",
                                "/(b)/ $x", "!/(a)/ $1", "/(b)/ ${1"}) {
            table = PatternTable::parse(kind, "t", bad);
            EXPECT_EQ((*table)->warnings().size(), 1u) << bad;
            EXPECT_EQ(answer(**table, "b"), "none") << bad;
        }
    }
}

TEST(Pcre, MatchesWithItsOwnOptions) {
    const auto ask_pcre = [](auto text, auto key) {
        return match(PatternTable::Kind::pcre, text, key);
    };
    EXPECT_EQ(ask_pcre("/^(?<user>\\w+)@x\\.test$/ $1", "Joe@X.test"), "Joe");
    EXPECT_EQ(ask_pcre("/^a(?=b)/ yes", "abc"), "yes");
    EXPECT_EQ(ask_pcre("/^A$/i yes", "a"), "none");
    EXPECT_EQ(ask_pcre("/a.b/ yes", "a\nb"), "yes");
    EXPECT_EQ(ask_pcre("/a.b/s yes", "a\nb"), "none");
    EXPECT_EQ(ask_pcre("/^b/m yes", "a\nb"), "yes");
    EXPECT_EQ(ask_pcre("/a b # c/x yes", "ab"), "yes");
    EXPECT_EQ(ask_pcre("/b/A yes", "ab"), "none");
    EXPECT_EQ(ask_pcre("/(a)|(b)/ [$1$2]", "b"), "[b]");
    EXPECT_EQ(ask_pcre("/(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)/ ${10}-$1", "abcdefghij"), "j-a");
    EXPECT_EQ(ask_pcre("if !/x/\n/./ no-x\nendif\n/./ x", "x"), "x");
    // Patterns that take for ever fail, and do not.
    EXPECT_EQ(ask_pcre("/^(a+)+$/ yes", std::string(60, 'a') + "b"), "FAILED");
}

TEST(Patterns, RulesInMainCf) {
    const auto find = [](std::string_view spec, std::string_view key) -> std::string {
        auto table = open_table(spec);
        if (!table) return "error: " + table.error().what;
        const auto found = (*table)->lookup(key);
        return found.found() ? *found : found.failed() ? "failed" : "-";
    };
    EXPECT_EQ(find("regexp:{{/^a(.*)/ one $1}, {/b/ two}}", "abc"), "one bc");
    EXPECT_EQ(find("regexp:{ {/^a(.*)/ one $1} {/b/ two} }", "xb"), "two");
    EXPECT_EQ(find("regexp:{{/^x{2,3}$/ braces}}", "xxx"), "braces");
    EXPECT_EQ(find("cidr:{{192.0.2.0/24 REJECT}}", "192.0.2.7"), "REJECT");
    EXPECT_EQ(find("cidr:{{192.0.2.0/24 REJECT}}", "192.0.3.7"), "-");
    EXPECT_THAT(find("regexp:{/a/ b}", "a"), testing::StartsWith("error: rule without '{'"));
    EXPECT_THAT(find("regexp:{{/a/ b}", "a"), testing::StartsWith("error: "));
    EXPECT_EQ(find("regexp:{}", "a"), "-");
}

TEST(Patterns, AreReadAgainWhenReplaced) {
    const TestFiles files;
    const auto path = files.write("t", "/a/ 1\n");
    auto table = open_table("regexp:" + path);
    ASSERT_TRUE(table);
    EXPECT_EQ(answer(**table, "a"), "1");
    files.write("new", "/a/ 2\n");
    std::filesystem::rename(files.path("new"), path);
    EXPECT_EQ(answer(**table, "a"), "2");
    std::filesystem::remove(path);
    EXPECT_EQ(answer(**table, "a"), "FAILED");
    files.write("t", "/a/ 3\n");
    EXPECT_EQ(answer(**table, "a"), "3");
}

TEST(Maps, TellWhereTheAnswerStands) {
    const TestFiles files;
    const auto path = files.write("t", "# patterns\n/a/ 1\nif /b/\n/bb/\n  2\nendif\n");
    auto maps = Maps::open("inline:{x=y}, regexp:" + path);
    EXPECT_TRUE(maps.find("x").found());
    EXPECT_EQ(maps.matched(), "inline:{x=y}");
    EXPECT_TRUE(maps.find("bb").found());
    EXPECT_EQ(maps.matched(), cat({"regexp:", path, " line 4"}));
    EXPECT_TRUE(maps.find("a").found());
    EXPECT_EQ(maps.matched(), cat({"regexp:", path, " line 2"}));
    EXPECT_EQ(Maps::open("").matched(), "");
}

TEST(Random, AnswersWithAnyOfItsValues) {
    auto table = open_table("randmap:{ a, b }");
    ASSERT_TRUE(table);
    std::set<std::string> seen;
    for (int i = 0; i < 200; ++i) seen.insert(answer(**table, "x"));
    EXPECT_EQ(seen, (std::set<std::string>{"a", "b"}));
}

TEST(Environment, AnswersWithVariables) {
    setenv("POSTERN_TABLE_TEST", "Yes", 1);
    EXPECT_EQ(ask("environ:", "POSTERN_TABLE_TEST"), "Yes");
    EXPECT_EQ(ask("environ:", "POSTERN_TABLE_NOT_THERE"), "none");
}

TEST(Cidr, MatchesNetworks) {
    const auto* text = "192.0.2.1 one\n192.0.2.0/24 net\n2001:db8::/32 six\n!10.0.0.0/8 not-ten\n";
    const auto ask_cidr = [&](auto key) { return match(PatternTable::Kind::cidr, text, key); };
    EXPECT_EQ(ask_cidr("192.0.2.1"), "one");
    EXPECT_EQ(ask_cidr("192.0.2.2"), "net");
    EXPECT_EQ(ask_cidr("2001:db8::9"), "six");
    EXPECT_EQ(ask_cidr("10.1.1.1"), "none");
    EXPECT_EQ(ask_cidr("172.16.0.1"), "not-ten");
    EXPECT_EQ(match(PatternTable::Kind::cidr, "x.test OK\n10.0.0.1 yes", "10.0.0.1"), "yes");
}

TEST(Maps, AskInOrderAndStopAtAFailure) {
    auto maps = Maps::open("inline:{a=1}, inline:{a=2,b=3} fail:x inline:{c=4}");
    EXPECT_FALSE(maps.empty());
    EXPECT_EQ(*maps.find("a"), "1");
    EXPECT_EQ(*maps.find("b"), "3");
    EXPECT_TRUE(maps.find("c").failed());
    // fail: is a table of patterns: it does not see parts.
    EXPECT_EQ(*maps.find("c", KeyKind::part), "4");
    EXPECT_TRUE(Maps::open("").empty());
    EXPECT_TRUE(Maps().find("x").not_found());
}

TEST(Maps, DeferWhileATableIsMissing) {
    auto maps = Maps::open("hash:/nonexistent/table");
    ASSERT_EQ(maps.problems().size(), 1u);
    EXPECT_EQ(maps.problems()[0].what,
              "hash:/nonexistent/table is unavailable. open database /nonexistent/table.db: No "
              "such file or "
              "directory");
    EXPECT_TRUE(maps.find("a").failed());
}

TEST(Maps, TakeAnEmptyResultForAMistake) {
    MemoryTable::Entries entries{{"a", ""}};
    std::vector<std::unique_ptr<Table>> tables;
    tables.push_back(std::make_unique<MemoryTable>(entries, Fold::lower));
    EXPECT_TRUE(Maps::of(std::move(tables)).find("a").failed());
}

}  // namespace
}  // namespace postern::table
