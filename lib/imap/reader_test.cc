// CommandReader, tokens, sequence sets, mailbox names.
#include "lib/imap/command_reader.h"
#include "lib/imap/mailbox_name.h"
#include "lib/imap/parser.h"
#include "lib/imap/sequence_set.h"

namespace postern::imap {
namespace {

using Event = CommandReader::Event;

// Plays input in pieces of the given size; keeps literals that fit and refuses others.
std::vector<std::string> play(std::string_view bytes, std::size_t piece, ReaderLimits limits = {}) {
    CommandReader reader(limits);
    std::vector<std::string> seen;
    while (!bytes.empty()) {
        std::string_view input = bytes.substr(0, piece);
        bytes.remove_prefix(input.size());
        for (;;) {
            const Event event = reader.feed(input);
            if (event == Event::need_more) break;
            if (event == Event::complete) seen.push_back(std::string(reader.text()));
            if (event == Event::too_long)
                seen.push_back("TOO LONG " + std::string(tag_or_star(reader.text())));
            if (event != Event::literal) continue;
            if (reader.fits(reader.literal())) {
                seen.push_back(reader.literal().waits ? "+" : "-");
                reader.keep_literal();
            } else {
                seen.push_back("REFUSED " + std::string(tag_or_star(reader.text())));
                reader.refuse_literal();
            }
        }
    }
    return seen;
}

TEST(CommandReader, CutsCommandsWhateverThePieces) {
    struct Case {
        const char* name;
        std::string input;
        std::vector<std::string> expected;
    };
    const ReaderLimits small{40, 10};
    const Case cases[] = {
        {"lines", "a noop\r\nb check\n", {"a noop", "b check"}},
        {"literal",
         "a login {3}\r\nbob {0}\r\n\r\nb noop\r\n",
         {"+", "+", "a login {3}\r\nbob {0}\r\n", "b noop"}},
        {"literal+", "a login {3+}\r\nb\r\n x\r\n", {"-", "a login {3+}\r\nb\r\n x"}},
        {"refused, waiting", "a x {99}\r\nb noop\r\n", {"REFUSED a", "b noop"}},
        {"refused, not waiting",
         "a x {12+}\r\nc noop\r\nd n y {3+}\r\nxyz\r\nb noop\r\n",
         {"REFUSED a", "b noop"}},
        {"literals together too big",
         "a {6}\r\n123456 {6}\r\nb noop\r\n",
         {"+", "REFUSED a", "b noop"}},
        {"long line", "a " + std::string(100, 'x') + "\r\nb noop\r\n", {"TOO LONG a", "b noop"}},
        {"long line with literal+",
         "a " + std::string(60, 'x') + " {4+}\r\nc d\n rest\r\nb noop\r\n",
         {"TOO LONG a", "b noop"}},
        {"no literal",
         "a {x}\r\nb {}\r\nc {-1}\r\nd {99999999999999999999}\r\n",
         {"a {x}", "b {}", "c {-1}", "d {99999999999999999999}"}},
        {"empty line", "\r\na noop\r\n", {"", "a noop"}},
    };
    for (const auto& c : cases) {
        for (std::size_t piece : {1, 2, 3, 7, 1000}) {
            EXPECT_EQ(play(c.input, piece, small), c.expected)
                << c.name << " in pieces of " << piece;
        }
    }
}

TEST(CommandReader, StreamsLiterals) {
    CommandReader reader;
    std::string_view input = "a append x {5}\r\nhello\r\nb noop\r\n";
    ASSERT_EQ(reader.feed(input), Event::literal);
    EXPECT_EQ(reader.text(), "a append x {5}");
    EXPECT_EQ(reader.literal().size, 5u);
    reader.stream_literal();
    EXPECT_TRUE(input.starts_with("hello"));
    input.remove_prefix(5);
    ASSERT_EQ(reader.feed(input), Event::complete);
    EXPECT_EQ(reader.text(), "a append x {5}\r\n");
    ASSERT_EQ(reader.feed(input), Event::complete);
    EXPECT_EQ(reader.text(), "b noop");
}

TEST(CommandReader, KnowsTags) {
    EXPECT_EQ(tag_or_star("a1 noop"), "a1");
    EXPECT_EQ(tag_or_star("a1"), "a1");
    for (auto bad : {"", " noop", "+ noop", "a\"b noop", "{3}", "\xff noop"})
        EXPECT_EQ(tag_or_star(bad), "*") << bad;
    EXPECT_EQ(tag_or_star(std::string(1000, 'a')), "*");
}

TEST(Parser, Strings) {
    struct Case {
        std::string text;
        const char* value;  // nullptr: malformed
        const char* rest = "";
    };
    const Case cases[] = {
        {"atom next", "atom", " next"},
        {"a]b", "a]b"},
        {"\"quoted \\\" \\\\\" x", "quoted \" \\", " x"},
        {"\"\"", ""},
        {"{3}\r\nab)rest", "ab)", "rest"},
        {"{3+}\r\nab)rest", "ab)", "rest"},
        {"{0}\r\n", ""},
        {"\"8bit \xc3\xa9\"", "8bit \xc3\xa9"},
        {"\"open", nullptr},
        {"\"bad \\n\"", nullptr},
        {"\"a\r\nb\"", nullptr},
        {"{4}\r\nab", nullptr},
        {"{4", nullptr},
        {"{a} {1}\r\nx", nullptr},
        {std::string("{1}\r\n\0", 6), nullptr},
        {"", nullptr},
        {"(x)", nullptr},
        {"a\x01", "a", "\x01"},
    };
    for (const auto& c : cases) {
        Parser parser(c.text);
        auto value = parser.astring();
        EXPECT_EQ(value.has_value(), c.value != nullptr) << c.text;
        if (value && c.value != nullptr) {
            EXPECT_EQ(*value, c.value);
            EXPECT_EQ(parser.rest(), c.rest);
        }
    }
    EXPECT_EQ(*Parser("nil").nstring(), "");
    EXPECT_FALSE(Parser("other").nstring());
    EXPECT_EQ(*Parser("a*b%").list_mailbox(), "a*b%");
    EXPECT_EQ(*Parser("\"*\"").list_mailbox(), "*");
}

TEST(Parser, NumbersAndFlags) {
    EXPECT_EQ(*Parser("12 ").number(), 12u);
    EXPECT_EQ(*Parser("4294967295").number(), 4294967295u);
    for (auto bad : {"4294967296", "", "-1", "x"}) EXPECT_FALSE(Parser(bad).number()) << bad;
    EXPECT_FALSE(Parser("0").nz_number());
    EXPECT_EQ(*Parser("(\\Seen $x)").flag_list(), (std::vector<std::string>{"\\Seen", "$x"}));
    EXPECT_TRUE(Parser("()").flag_list()->empty());
    for (auto bad : {"(", "(a", "(a  b)", "(\\)", "a", "(a b"})
        EXPECT_FALSE(Parser(bad).flag_list()) << bad;
}

std::string ranges(std::string_view text, std::uint32_t largest) {
    const auto set = SequenceSet::parse(text);
    if (!set) return "?";
    std::string out;
    for (const auto& r : set->resolve(largest))
        out += std::to_string(r.first) + "-" + std::to_string(r.last) + " ";
    return out;
}

TEST(SequenceSet, ParsesAndResolves) {
    struct Case {
        const char *text, *expected;
    };
    const Case cases[] = {
        {"1", "1-1 "},
        {"1:3,5", "1-3 5-5 "},
        {"3:1", "1-3 "},
        {"*", "10-10 "},
        {"8:*", "8-10 "},
        {"*:8", "8-10 "},
        {"12:*", "10-12 "},
        {"5,1:3,2:4", "1-5 "},
        {"1:4294967295,7", "1-4294967295 "},
        {"*:*", "10-10 "},
        {"0", "?"},
        {"1:0", "?"},
        {"", "?"},
        {"1,", "?"},
        {",1", "?"},
        {"1:2:3", "?"},
        {"4294967296", "?"},
        {"01", "?"},
        {"+1", "?"},
    };
    for (const auto& c : cases) EXPECT_EQ(ranges(c.text, 10), c.expected) << c.text;
    EXPECT_EQ(ranges("*", 0), "");
    EXPECT_EQ(ranges("3:*", 0), "");
    EXPECT_EQ(SequenceSet::parse("3:*,7")->largest_written(), 7u);
    const auto set = SequenceSet::parse("2:4,8")->resolve(9);
    for (std::uint32_t n : {2u, 3u, 4u, 8u}) EXPECT_TRUE(contains(set, n));
    for (std::uint32_t n : {0u, 1u, 5u, 9u}) EXPECT_FALSE(contains(set, n));
    EXPECT_EQ(format_set({1, 2, 3, 7, 9, 10}), "1:3,7,9:10");
    EXPECT_EQ(format_set(std::vector<std::uint32_t>()), "");
}

TEST(MailboxName, ModifiedUtf7) {
    struct Case {
        const char *utf8, *wire;
    };
    const Case cases[] = {
        {"INBOX", "INBOX"},
        {"A&B", "A&-B"},
        {"Entw\xc3\xbcrfe", "Entw&APw-rfe"},
        {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
         "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
        {"\xf0\x9f\x98\x80", "&2D3eAA-"},
        {"", ""},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(encode_mailbox_name(c.utf8), c.wire);
        EXPECT_EQ(decode_mailbox_name(c.wire).value_or("?"), c.utf8);
    }
    for (auto bad :
         {"&", "&APw", "&!-", "\xc3\xbc", "&AGE-", "&APw-&APw-", "&2D0-", "&APx-", "a\x01"}) {
        EXPECT_FALSE(decode_mailbox_name(bad)) << bad;
    }
}

TEST(MailboxName, Patterns) {
    struct Case {
        const char *name, *pattern;
        bool matches;
    };
    const Case cases[] = {
        {"INBOX", "*", true},
        {"INBOX", "%", true},
        {"INBOX", "inbox", true},
        {"a.b", "%", false},
        {"a.b", "*", true},
        {"a.b", "%.%", true},
        {"a.b.c", "%.%", false},
        {"a.b.c", "%.*", true},
        {"a.b", "a.b", true},
        {"a.b", "A.B", false},
        {"a.b", "a*", true},
        {"a.b", "a%", false},
        {"a", "a%", true},
        {"abcabd", "*abd", true},
        {"abc", "*b*", true},
        {"abc", "*d*", false},
        {"", "", true},
        {"a", "", false},
        {"", "*", true},
        {"t3.t4.t5", "*t4", false},
        {"t3.t4", "%3.%4", true},
        {"t3.t4", "%t*4", true},
        {"INBOX.x", "inbox.*", true},
        {"INBOXES", "inboxes", false},
        {"a.b.c.d", "*.%", true},
        {"a.bb.c", "*%.c", true},
        {"ab.cd", "%b.%d%", true},
    };
    for (const auto& c : cases)
        EXPECT_EQ(matches_pattern(c.name, c.pattern, '.'), c.matches) << c.name << " " << c.pattern;
    EXPECT_FALSE(matches_pattern(std::string(240, 'a'), "*a*a*a*a*a*a*a*a*a*a*a*b", '.'));
    EXPECT_FALSE(matches_pattern(std::string(240, 'a'), "%a%a%a%a%a%a%a%a%a%a%a%b", '.'));
}

}  // namespace
}  // namespace postern::imap
