// SORT, THREAD, ESORT, PARTIAL, PREVIEW in a session.
#include "imapd/preview.h"
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class SortTest : public SessionTest {
  protected:
    void fill(Client& c) {
        c.append(
            "INBOX",
            "From: Zed <zed@x>\r\nTo: a@x\r\nSubject: Re: beta\r\nDate: Mon, 6 Jul 2026 10:00:00 "
            "+0200\r\nMessage-ID: <2@x>\r\nReferences: <1@x>\r\n\r\nxx\r\n");
        c.append("INBOX",
                 "From: =?utf-8?Q?=C3=84nne?= <m@x>\r\nTo: group: c@x;\r\nSubject: beta\r\nDate: "
                 "Mon, 6 Jul "
                 "2026 07:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\nxxxx\r\n");
        c.append("INBOX",
                 "From: adam@x\r\nSubject: Alpha\r\nDate: Tue, 7 Jul 2026 07:00:00 +0000\r\n"
                 "Message-ID: <3@x>\r\n\r\n\r\n");
        c("SELECT INBOX");
    }
};

TEST_F(SortTest, Orders) {
    Client c(maildir);
    fill(c);
    struct Case {
        const char *command, *expected;
    };
    const Case cases[] = {
        {"SORT (ARRIVAL) UTF-8 ALL", "* SORT 1 2 3"},
        {"SORT (DATE) UTF-8 ALL", "* SORT 2 1 3"},
        {"SORT (REVERSE DATE) UTF-8 ALL", "* SORT 3 1 2"},
        {"SORT (SUBJECT) UTF-8 ALL", "* SORT 3 1 2"},
        {"SORT (SUBJECT DATE) UTF-8 ALL", "* SORT 3 2 1"},
        {"SORT (FROM) UTF-8 ALL", "* SORT 3 2 1"},
        {"SORT (DISPLAYFROM) UTF-8 ALL", "* SORT 3 2 1"},
        {"SORT (DISPLAYTO) UTF-8 ALL", "* SORT 3 1 2"},
        {"SORT (CC) UTF-8 ALL", "* SORT 1 2 3"},
        {"SORT (SIZE) UTF-8 1:2", "* SORT 1 2"},
        {"UID SORT (SUBJECT) UTF-8 SUBJECT beta", "* SORT 1 2"},
        {"SORT (DATE) UTF-8 SUBJECT none", "* SORT\r"},
        {"THREAD REFERENCES UTF-8 ALL", "* THREAD (2 1)(3)"},
        {"THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (2 1)(3)"},
        {"UID THREAD REFERENCES UTF-8 SUBJECT none", "* THREAD\r"},
    };
    for (const auto& one : cases)
        EXPECT_THAT(c(one.command), StartsWith(one.expected)) << one.command;
    EXPECT_THAT(c("SORT (DATE) X-NONE TEXT x"), StartsWith("t NO [BADCHARSET"));
    EXPECT_THAT(c("THREAD REFERENCES X-NONE TEXT x"), StartsWith("t NO [BADCHARSET"));
}

TEST_F(SortTest, ExtendedAnswers) {
    Client c(maildir);
    fill(c);
    EXPECT_THAT(c("SORT RETURN (MIN MAX COUNT ALL) (DATE) UTF-8 ALL"),
                HasSubstr(") MIN 2 MAX 3 COUNT 3 ALL 2,1,3\r\n"));
    EXPECT_THAT(c("SORT RETURN (PARTIAL 1:2) (DATE) UTF-8 ALL"),
                HasSubstr(") PARTIAL (1:2 2,1)\r\n"));
    EXPECT_THAT(c("UID SEARCH RETURN (PARTIAL -1:-2) ALL"),
                HasSubstr(") UID PARTIAL (-1:-2 2:3)\r\n"));
    EXPECT_THAT(c("SEARCH RETURN (PARTIAL 100:200) ALL"), HasSubstr("PARTIAL (100:200 NIL)"));
    EXPECT_THAT(c("SEARCH RETURN (SAVE PARTIAL 2:2) ALL"), HasSubstr("PARTIAL (2:2 2)"));
    EXPECT_THAT(c("SEARCH $"), StartsWith("* SEARCH 2\r\n"));
    c("SORT RETURN (SAVE) (DATE) UTF-8 ALL");
    EXPECT_THAT(c("SEARCH $"), StartsWith("* SEARCH 1 2 3\r\n"));
    EXPECT_THAT(c("SORT RETURN (COUNT) (DATE) UTF-8 MODSEQ 1"), HasSubstr("COUNT 3 MODSEQ "));
    // RFC 9394 3.3
    EXPECT_THAT(c("UID FETCH 1:* UID (PARTIAL -1:-1)"), StartsWith("* 3 FETCH (UID 3)\r\nt OK"));
    EXPECT_THAT(c("UID FETCH 1:* UID (PARTIAL 1:2 CHANGEDSINCE 1)"), HasSubstr("* 2 FETCH"));
    EXPECT_THAT(c("FETCH 1:* UID (PARTIAL 1:2)"), StartsWith("t BAD"));
}

TEST_F(SortTest, Previews) {
    Client c(maildir);
    c.append("INBOX", "Subject: x\r\n\r\n> quoted\r\nHello,\r\n  world\r\n");
    c.append("INBOX", kMime);
    c.append("INBOX", "Content-Type: image/png\r\n\r\nxx\r\n");
    c("SELECT INBOX");
    EXPECT_THAT(c("FETCH 1 (PREVIEW)"), StartsWith("* 1 FETCH (PREVIEW \"Hello, world\")"));
    EXPECT_THAT(c("FETCH 2 (UID PREVIEW (LAZY))"),
                StartsWith("* 2 FETCH (UID 2 PREVIEW \"part one\")"));
    EXPECT_THAT(c("FETCH 3 PREVIEW"), StartsWith("* 3 FETCH (PREVIEW \"\")"));
    EXPECT_THAT(c("FETCH 1 FLAGS"), Not(HasSubstr("Seen")));
}

std::string preview(const std::string& message) {
    return preview_of(message, mail::parse_mime(message));
}

TEST(Preview, OfManyKinds) {
    EXPECT_EQ(
        preview("Content-Type: text/html\r\n\r\n<html><head><style>p {}</style></head><!-- no -->"
                "<body><p>Hello&nbsp;&amp; <b>all</b></p>"),
        "Hello & all");
    EXPECT_EQ(preview("Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: "
                      "text/html\r\n\r\n<p>html\r\n--b\r\n\r\nplain\r\n--b--\r\n"),
              "plain");
    EXPECT_EQ(preview("Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
                      "quoted-printable\r\n\r\ngr=FC=DFe\r\n"),
              "gr\xc3\xbc\xc3\x9f"
              "e");
    EXPECT_EQ(preview("\r\n" + std::string(1000, 'x')).size(), kPreviewCharacters);
    EXPECT_EQ(preview("Content-Type: text/html\r\n\r\n<script>endless <"), "");
    EXPECT_EQ(preview("Content-Type: text/html\r\n\r\na < b &foo; <"), "a");
    EXPECT_EQ(preview(""), "");
}

}  // namespace
}  // namespace postern::imapd
