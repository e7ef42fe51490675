#include "lib/table/source.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/strings.h"
#include "lib/table/test_files.h"

namespace postern::table {
namespace {

TEST(Source, JoinsContinuationLinesAndDropsComments) {
    const auto lines = logical_lines("# head\na 1\n  2\n\n   # not this\n\t3\nb 4\r\n#end");
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].number, 2);
    EXPECT_EQ(lines[0].text, "a 1  2\t3");
    EXPECT_EQ(lines[1].number, 7);
    EXPECT_EQ(lines[1].text, "b 4");
    EXPECT_TRUE(logical_lines("").empty());
    EXPECT_EQ(logical_lines("  x").size(), 1u);
}

TEST(Source, SplitsMapEntries) {
    struct Case {
        std::string_view line, key, value;
    };
    for (const auto& c : std::vector<Case>{
             {"a b", "a", "b"},
             {"a\tb  c ", "a", "b  c"},
             {"\"john doe\"@x.test  jd", "\"john doe\"@x.test", "jd"},
             {"\"a\\\" b\"@x jd", "\"a\\\" b\"@x", "jd"},
         }) {
        const auto entry = split_map_entry(c.line);
        ASSERT_TRUE(entry) << c.line;
        EXPECT_EQ(entry->key, c.key);
        EXPECT_EQ(entry->value, c.value);
    }
    for (const auto* bad : {"", "a", "a ", "\"a b", "a\\"})
        EXPECT_FALSE(split_map_entry(bad)) << bad;
}

TEST(Source, SplitsAliasEntries) {
    struct Case {
        std::string_view line, key, value;
    };
    for (const auto& c : std::vector<Case>{
             {"root: u1", "root", "u1"},
             {"Root :u1, u2", "Root", "u1, u2"},
             {"\"a: b\": c", "a: b", "c"},
             {"x: \"|prog arg\"", "x", "\"|prog arg\""},
         }) {
        const auto entry = split_alias_entry(c.line);
        ASSERT_TRUE(entry) << c.line;
        EXPECT_EQ(entry->key, c.key);
        EXPECT_EQ(entry->value, c.value);
    }
    for (const auto* bad : {"", "a", "a:", ": b", "\"a: b"})
        EXPECT_FALSE(split_alias_entry(bad)) << bad;
}

TEST(Source, SplitsListsOutsideBraces) {
    EXPECT_EQ(split_list(" a,b\n c,, { d, e } inline:{ x = y, { z = 1 } }"),
              (std::vector<std::string>{"a", "b", "c", "{ d, e }", "inline:{ x = y, { z = 1 } }"}));
    EXPECT_TRUE(split_list(" , ").empty());
    EXPECT_EQ(split_list("a } b"), (std::vector<std::string>{"a", "}", "b"}));
}

TEST(Source, StripsBraces) {
    EXPECT_EQ(*strip_braces("{ a b }"), "a b");
    EXPECT_EQ(*strip_braces("{ a { b } }"), "a { b }");
    EXPECT_EQ(*strip_braces("a"), "a");
    EXPECT_FALSE(strip_braces("{ a"));
    EXPECT_FALSE(strip_braces("{ a } b"));
}

TEST(Source, ReadsFiles) {
    const TestFiles files;
    EXPECT_EQ(*read_file(files.write("a", "text\n")), "text\n");
    EXPECT_EQ(read_file(files.path("none")).error().code, Errc::not_found);
    EXPECT_EQ(read_file("/tmp").error().code, Errc::invalid);
    EXPECT_NE(*stamp_of(files.path("a")), *stamp_of(files.write("b", "other")));
}

TEST(Source, WaitsForNobodyWhereThereIsNoFile) {
    const std::string path = testing::TempDir() + "/source-test-fifo";
    ::unlink(path.c_str());
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_EQ(read_file(path).error().what, cat({"read ", path, ": not a regular file"}));
    ::unlink(path.c_str());
    EXPECT_EQ(read_file("/dev/null").value(), "");
}

}  // namespace
}  // namespace postern::table
