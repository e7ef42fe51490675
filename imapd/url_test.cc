// CATENATE (RFC 4469) and URLAUTH (RFC 4467, RFC 5524), with the RFCs' own examples.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

Options fred() {
    Options options;
    options.user = "fred@example.com";
    return options;
}

// What a session says between two marks.
std::string between(const std::string& text, const std::string& from, const std::string& to) {
    const auto start = text.find(from);
    if (start == std::string::npos) return "";
    const auto begin = start + from.size();
    return text.substr(begin, text.find(to, begin) - begin);
}

class UrlTest : public SessionTest {
  protected:
    std::string signed_url(Client& c, const std::string& rump) {
        return between(c("GENURLAUTH \"" + rump + "\" INTERNAL"), "* GENURLAUTH \"", "\"");
    }
};

// RFC 4469 4: a message is edited and a part of it is replaced.
TEST_F(UrlTest, CatenatesTextAndPartsOfMessages) {
    Client c(maildir, fred());
    c("CREATE Drafts");
    c.append("Drafts", kMime);
    EXPECT_THAT(c("APPEND Drafts (\\Seen \\Draft $MDNSent) CATENATE (URL "
                  "\"/Drafts/;UID=1/;section=HEADER\" TEXT {19+}\r\n\r\n--b\r\n\r\npart one\r\n"
                  " URL \"/Drafts/;UID=1/;section=2.MIME\" URL "
                  "\"imap://fred@example.com/Drafts/;UID=1/;section=2/;PARTIAL=0.4\" TEXT {7+}\r\n"
                  "\r\n--b--)"),
                HasSubstr("t OK [APPENDUID "));
    c("SELECT Drafts");
    const std::string text = c("FETCH 2 (FLAGS BODY.PEEK[])");
    EXPECT_THAT(text, HasSubstr("FLAGS (\\Seen \\Draft $MDNSent"));
    EXPECT_THAT(text, HasSubstr("boundary=b\r\n\r\n\r\n--b\r\n\r\npart one\r\nContent-Type: "
                                "text/plain; charset=iso-8859-1\r\n"
                                "Content-Transfer-Encoding: base64\r\n\r\nR3L8\r\n--b--"));
}

TEST_F(UrlTest, WaitsForEachLiteral) {
    Client c(maildir, fred());
    c.append("INBOX", kPlain);
    c.send("a APPEND INBOX CATENATE (TEXT {5}\r\n");
    EXPECT_EQ(c.line(), "+ OK\r\n");
    c.send("a: b\n URL {13}\r\n");
    EXPECT_EQ(c.line(), "+ OK\r\n");
    c.send("/INBOX/;UID=1 TEXT {3}\r\n");
    EXPECT_EQ(c.line(), "+ OK\r\n");
    c.send("end) CATENATE (URL /INBOX/;UID=1) (\\Seen) {4}\r\n");
    EXPECT_EQ(c.line(), "+ OK\r\n");
    c.send("last\r\n");
    EXPECT_THAT(c.line(), testing::MatchesRegex("a OK \\[APPENDUID [0-9]+ 2:4\\].*\r\n"));
    c("SELECT INBOX");
    EXPECT_THAT(c("FETCH 2 BODY[]"), HasSubstr("a: b\r\n" + kPlain + "end"));
    EXPECT_THAT(c("FETCH 4 (FLAGS BODY.PEEK[])"), HasSubstr("\\Seen"));
}

TEST_F(UrlTest, RefusesAndSavesNothing) {
    Options options = fred();
    options.max_message = 500;
    Client c(maildir, options);
    c.append("INBOX", kPlain);
    struct Case {
        const char *arguments, *answer;
    };
    const Case cases[] = {
        // RFC 4469 4.1
        {"(URL \"/INBOX/;UID=9\" TEXT {2+}\r\nab)", "t NO [BADURL \"/INBOX/;UID=9\"] "},
        {"(URL \"/INBOX;UIDVALIDITY=5/;UID=1\")", "t NO [BADURL "},
        {"(URL \"/nowhere/;UID=1\")", "t NO [BADURL "},
        {"(URL \"/../../etc/;UID=1\")", "t NO [BADURL "},
        {"(URL \"/INBOX/;UID=1/;SECTION=3\")", "t NO [BADURL "},
        {"(URL \"imap://joe@example.com/INBOX/;UID=1\")", "t NO [BADURL "},
        {"(TEXT {2+}\r\nab URL x)", "t NO [BADURL \"x\"] "},
        {"(URL \"/INBOX/;UID=1\") CATENATE (URL \"/INBOX/;UID=2\") {2+}\r\nab", "t NO [BADURL "},
        {"(URL /INBOX/;UID=1 URL /INBOX/;UID=1 URL /INBOX/;UID=1 URL /INBOX/;UID=1)",
         "t NO [TOOBIG] "},
        {"(URL /INBOX/;UID=1 TEXT {400+}\r\n", "t NO [TOOBIG] "},
        {"(TEXT {0+}\r\n)", "t NO [CANNOT] "},
        {"(TEXT {2+}\r\nab", "t BAD "},
        {"(TEXT {2+}\r\nab) junk", "t BAD "},
        {"(TEXT {2+}\r\nab JUNK x)", "t BAD "},
        {"(UTF8 (~{2+}\r\nab))", "t BAD "},
        {"()", "t BAD "},
    };
    for (const auto& one : cases) {
        std::string command = std::string("APPEND INBOX CATENATE ") + one.arguments;
        if (command.ends_with("{400+}\r\n")) command += std::string(400, 'x') + ")";
        EXPECT_THAT(c(command), StartsWith(one.answer)) << one.arguments;
    }
    EXPECT_THAT(c("APPEND nowhere CATENATE (URL /INBOX/;UID=1)"), StartsWith("t NO [TRYCREATE]"));
    EXPECT_THAT(c("STATUS INBOX (MESSAGES)"), HasSubstr("MESSAGES 1)"));
}

TEST_F(UrlTest, ReplacesByCatenation) {
    Client c(maildir, fred());
    c.append("INBOX", kPlain);
    c("SELECT INBOX");
    EXPECT_THAT(
        c("UID REPLACE 1 INBOX CATENATE (URL /INBOX/;UID=1/;SECTION=HEADER TEXT {2+}\r\nhi)"),
        testing::AllOf(HasSubstr("[APPENDUID "), HasSubstr("* 1 EXPUNGE"),
                       HasSubstr("t OK Replace completed.")));
}

// RFC 4467 9
TEST_F(UrlTest, SignsUrlsAndFetchesThem) {
    Client c(maildir, fred());
    c.append("INBOX", kMime);
    const std::string rump = "imap://fred@example.com/INBOX/;uid=1/;section=1;urlauth=authuser";
    const std::string url = signed_url(c, rump);
    EXPECT_THAT(url, StartsWith(rump + ":internal:"));
    EXPECT_THAT(c("URLFETCH \"" + url + "\""), HasSubstr(url + " {8}\r\npart one\r\n"));
    // RFC 5524 5
    const std::string encoded = signed_url(
        c, "imap://fred@example.com/INBOX/;uid=1/;section=2;urlauth=user+fred@example.com");
    EXPECT_THAT(c("URLFETCH (" + encoded + " BODYPARTSTRUCTURE BINARY)"),
                testing::AllOf(HasSubstr(" (BODYPARTSTRUCTURE (\"text\" \"plain\" (\"charset\" "),
                               HasSubstr(" \"8bit\" 6 0 "),
                               HasSubstr(" (BINARY {6}\r\nGr\xfc\xdf"
                                         "en)\r\n")));
    EXPECT_THAT(c("URLFETCH (" + encoded + " BODY)"), HasSubstr(" (BODY {8}\r\nR3L832Vu)\r\n"));
    // In CATENATE too
    EXPECT_THAT(c("APPEND INBOX CATENATE (URL \"" + url + "\")"), StartsWith("t OK "));
    // RFC 4467 7: all URLs of the mailbox are revoked
    EXPECT_THAT(c("RESETKEY INBOX INTERNAL"), StartsWith("t OK [URLMECH INTERNAL]"));
    EXPECT_THAT(c("URLFETCH \"" + url + "\""), HasSubstr(url + " NIL\r\n"));
    EXPECT_THAT(c("RESETKEY"), StartsWith("t OK "));
    EXPECT_THAT(c("RESETKEY nowhere"), StartsWith("t NO [NONEXISTENT]"));
    EXPECT_THAT(c("RESETKEY INBOX XSAMPLE"), StartsWith("t BAD"));
}

TEST_F(UrlTest, FetchesNothingThatIsNotGranted) {
    Client c(maildir, fred());
    c.append("INBOX", kPlain);
    const std::string base = "imap://fred@example.com/INBOX/;uid=1";
    const std::string good = signed_url(c, base + ";urlauth=anonymous");
    std::string forged = good;
    forged.back() = forged.back() == '0' ? '1' : '0';
    std::string other = good;
    other.replace(other.find("uid=1"), 5, "uid=2");
    for (const std::string& url :
         {forged, other, signed_url(c, base + ";urlauth=user+joe"),
          signed_url(c, base + ";urlauth=submit+fred@example.com"),
          signed_url(c, base + ";expire=2005-03-28T18:00:00Z;urlauth=authuser"),
          signed_url(c, "imap://fred@example.com/INBOX/;uid=7;urlauth=authuser"),
          base + ";urlauth=anonymous", base, std::string("/INBOX/;uid=1"), std::string("x")}) {
        EXPECT_THAT(c("URLFETCH \"" + url + "\""), HasSubstr(url + " NIL\r\nt OK ")) << url;
        EXPECT_THAT(c("URLFETCH (\"" + url + "\" BINARY)"), HasSubstr(url + " NIL\r\nt OK "));
    }
    EXPECT_THAT(c("URLFETCH " + good), HasSubstr("body one"));
    EXPECT_THAT(
        c("URLFETCH " + signed_url(c, base + ";expire=2999-01-01T00:00:00Z;urlauth=authuser")),
        HasSubstr("body one"));
    EXPECT_THAT(c("GENURLAUTH \"imap://joe@example.com/INBOX/;uid=1;urlauth=anonymous\" INTERNAL"),
                StartsWith("t NO "));
    EXPECT_THAT(c("GENURLAUTH \"imap://fred@example.com/none/;uid=1;urlauth=anonymous\" INTERNAL"),
                StartsWith("t NO [NONEXISTENT]"));
    EXPECT_THAT(c("GENURLAUTH \"" + base + "\" INTERNAL"), StartsWith("t BAD"));
    EXPECT_THAT(c("GENURLAUTH \"" + good + "\" INTERNAL"), StartsWith("t BAD"));
    EXPECT_THAT(c("GENURLAUTH \"" + base + ";urlauth=anonymous\" XSAMPLE"), StartsWith("t BAD"));
}

}  // namespace
}  // namespace postern::imapd
