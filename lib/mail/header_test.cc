// Header fields, address lists, envelopes, dates.
#include "lib/mail/header.h"
#include "lib/mail/address_list.h"
#include "lib/mail/date.h"
#include "lib/mail/envelope.h"

namespace postern::mail {
namespace {

TEST(Header, SplitsAtTheFirstEmptyLine) {
    struct Case {
        const char* name;
        std::string_view message, header, body;
    };
    const Case cases[] = {
        {"crlf", "A: b\r\n\r\nbody\r\n", "A: b\r\n\r\n", "body\r\n"},
        {"lf", "A: b\n\nbody\n", "A: b\n\n", "body\n"},
        {"no body", "A: b\r\n", "A: b\r\n", ""},
        {"no line end", "A: b", "A: b", ""},
        {"no header", "\r\nbody", "\r\n", "body"},
        {"empty", "", "", ""},
        {"a line of blanks does not end it", "A: b\r\n \r\nC: d\r\n\r\nx",
         "A: b\r\n \r\nC: d\r\n\r\n", "x"},
    };
    for (const auto& c : cases) {
        const auto parts = split_message(c.message);
        EXPECT_EQ(parts.header, c.header) << c.name;
        EXPECT_EQ(parts.body, c.body) << c.name;
    }
}

TEST(Header, IteratesOverFields) {
    HeaderCursor cursor(
        "From: a\r\nSubject:x\r\n\ty\r\nObs : z\r\njunk\r\n: none\r\nLast: 1\r\n\r\nNot: this\r\n");
    std::vector<std::string> seen;
    while (auto field = cursor.next()) {
        seen.push_back(std::string(field->name) + "=" + unfold(field->body));
        EXPECT_TRUE(field->raw.ends_with("\r\n"));
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"From= a", "Subject=x\ty", "Obs= z", "=junk",
                                              "=: none", "Last= 1"}));
}

TEST(Header, FindsFieldsWithoutRegardToCase) {
    const std::string_view header = "To: a\nSUBJECT: first\n  line\nSubject: second\n\n";
    EXPECT_EQ(field_text(header, "subject"), "first  line");
    EXPECT_EQ(find_field(header, "Subject")->raw, "SUBJECT: first\n  line\n");
    EXPECT_FALSE(find_field(header, "cc"));
    EXPECT_EQ(field_text(header, "cc"), "");
}

TEST(Date, CalendarGoesBothWays) {
    EXPECT_EQ(days_from_civil({1970, 1, 1}), 0);
    EXPECT_EQ(days_from_civil({2000, 3, 1}), 11017);
    EXPECT_EQ(days_from_civil({1969, 12, 31}), -1);
    for (std::int64_t day = -800000; day < 800000; day += 97)
        EXPECT_EQ(days_from_civil(civil_from_days(day)), day);
    EXPECT_TRUE(is_valid({2000, 2, 29}));
    EXPECT_FALSE(is_valid({1900, 2, 29}));
    EXPECT_FALSE(is_valid({2001, 4, 31}));
    EXPECT_FALSE(is_valid({2001, 13, 1}));
}

TEST(Date, ParsesWhatMailWrites) {
    struct Case {
        const char* text;
        const char* normal;  // nullptr: not a date
    };
    const Case cases[] = {
        {"Wed, 17 Jul 1996 02:23:25 -0700", "Wed, 17 Jul 1996 02:23:25 -0700"},
        {" 17 Jul 1996 02:23:25 -0700 (PDT)", "Wed, 17 Jul 1996 02:23:25 -0700"},
        {"Wed, 17 Jul 1996 02:23 +0000", "Wed, 17 Jul 1996 02:23:00 +0000"},
        {"17 jul 96 2:23:25 EST", "Wed, 17 Jul 1996 02:23:25 -0500"},
        {"1 Jan 05 00:00:00 GMT", "Sat, 01 Jan 2005 00:00:00 +0000"},
        {"1 Jan 105 00:00:00 Z", "Sat, 01 Jan 2005 00:00:00 +0000"},
        {"Sat,1 Jan 2005 00:00:00 XYZ", "Sat, 01 Jan 2005 00:00:00 +0000"},
        {"Sat, 1 (first (of)) Jan 2005 00:00:60", "Sat, 01 Jan 2005 00:01:00 +0000"},
        {"Wed Jul 17 02:23:25 1996", "Wed, 17 Jul 1996 02:23:25 +0000"},
        {"Wed Jul 17 02:23:25 EDT 1996", "Wed, 17 Jul 1996 02:23:25 -0400"},
        {"Thu, 29 Feb 2024 23:59:59\r\n +0530", "Thu, 29 Feb 2024 23:59:59 +0530"},
        {"Thu, 30 Feb 2024 23:59:59 +0530", nullptr},
        {"17 Jul 1996 24:00:00 +0000", nullptr},
        {"17 Foo 1996 02:00:00 +0000", nullptr},
        {"17 Jul", nullptr},
        {"", nullptr},
        {"((((((", nullptr},
    };
    for (const auto& c : cases) {
        const auto date = parse_date(c.text);
        EXPECT_EQ(date.has_value(), c.normal != nullptr) << c.text;
        if (date && c.normal != nullptr) {
            EXPECT_EQ(format_date(*date), c.normal);
        }
    }
    EXPECT_EQ(parse_date("Thu, 1 Jan 1970 01:00:00 +0100")->seconds, 0);
}

TEST(Date, InternalDateIsFixedInWidth) {
    const auto date = parse_internal_date("17-Jul-1996 02:44:25 -0700");
    ASSERT_TRUE(date);
    EXPECT_EQ(date->seconds, 837596665);
    EXPECT_EQ(format_internal_date(*date), "17-Jul-1996 02:44:25 -0700");
    EXPECT_EQ(format_internal_date(*parse_internal_date(" 7-Jul-1996 02:44:25 +0000")),
              " 7-Jul-1996 02:44:25 +0000");
    EXPECT_TRUE(parse_internal_date("07-Jul-1996 02:44:25 +0000"));
    for (auto bad :
         {"7-Jul-1996 02:44:25 +0000", "17-Jul-1996 02:44:25", "17-Jul-1996 02:44:25 GMT  ",
          "17-Foo-1996 02:44:25 +0000", "31-Feb-1996 02:44:25 +0000", ""}) {
        EXPECT_FALSE(parse_internal_date(bad)) << bad;
    }
    EXPECT_EQ(*parse_imap_date("1-Feb-1994"), (CivilDate{1994, 2, 1}));
    EXPECT_FALSE(parse_imap_date("1-Feb-94"));
    EXPECT_EQ(local_day(*date), days_from_civil({1996, 7, 17}));
}

std::string shown(std::string_view text) {
    std::string out;
    for (const auto& a : parse_address_list(text)) {
        if (!out.empty()) out += ' ';
        if (a.kind == ListedAddress::Kind::group_start) {
            out += '{' + a.local;
        } else if (a.kind == ListedAddress::Kind::group_end) {
            out += '}';
        } else {
            out +=
                (a.has_name ? "[" + a.name + "]" : "") + a.route + "|" + a.local + "|" + a.domain;
        }
    }
    return out;
}

TEST(AddressList, ReadsWhatPeopleWrite) {
    struct Case {
        const char *text, *expected;
    };
    const Case cases[] = {
        {"a@b.c", "|a|b.c"},
        {"<a@b.c>", "|a|b.c"},
        {"Terry Gray <gray@cac.washington.edu>", "[Terry Gray]|gray|cac.washington.edu"},
        {"\"Gray, Terry\" <gray@cac>", "[Gray, Terry]|gray|cac"},
        {"\"a \\\"quote\\\"\" <g@c>", "[a \"quote\"]|g|c"},
        {"gray@cac (Terry Gray)", "[Terry Gray]|gray|cac"},
        {"J. Q. Public <j@x>", "[J. Q. Public]|j|x"},
        {"a@b, c@d ,, e@f", "|a|b |c|d |e|f"},
        {"<@r1,@r2:a@b>", "@r1,@r2|a|b"},
        {"friends: a@b, C <c@d>;", "{friends |a|b [C]|c|d }"},
        {"undisclosed-recipients:;", "{undisclosed-recipients }"},
        {"g: a@b, h: c@d", "{g |a|b } {h |c|d }"},
        {"a . b @ c . d", "|a.b|c.d"},
        {"\"a b\"@c", "|a b|c"},
        {"a@[1.2.3.4]", "|a|[1.2.3.4]"},
        {"=?utf-8?q?J=C3=BCrgen?= <j@x>", "[=?utf-8?q?J=C3=BCrgen?=]|j|x"},
        {"local", "|local|"},
        {"Name <local>", "[Name]|local|"},
        {"Name <a@b", "[Name]|a|b"},
        {"<>", "||"},
        {"a@b\r\n (folded\r\n comment), c@d", "[folded comment]|a|b |c|d"},
        {">>,;,", ""},
        {"", ""},
        {"\"unterminated", "|unterminated|"},
        {"(((", ""},
    };
    for (const auto& c : cases) EXPECT_EQ(shown(c.text), c.expected) << c.text;
}

TEST(AddressList, IsBounded) {
    std::string text;
    for (std::size_t i = 0; i < 2 * kMaxListedAddresses; ++i) text += "a@b,";
    EXPECT_EQ(parse_address_list(text).size(), kMaxListedAddresses);
}

TEST(Envelope, TakesFieldsAndDefaults) {
    const auto e = parse_envelope(
        "From: A <a@x>\r\nTo: b@y\r\nTo: c@z\r\nSubject: one\r\n two\r\nSubject: again\r\n"
        "Message-ID: <1@x>\r\nDate: today\r\n\r\n");
    EXPECT_EQ(e.subject, "one two");
    EXPECT_EQ(e.date, "today");
    EXPECT_EQ(e.message_id, "<1@x>");
    EXPECT_FALSE(e.in_reply_to);
    EXPECT_EQ(e.to.size(), 2u);
    EXPECT_EQ(e.sender.at(0).local, "a");
    EXPECT_EQ(e.reply_to.at(0).domain, "x");
    EXPECT_TRUE(e.cc.empty());
}

}  // namespace
}  // namespace postern::mail
