// CONTEXT=SEARCH and CONTEXT=SORT, RFC 5267: results that are kept up to date.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class ContextTest : public SessionTest {
  protected:
    static std::string message(const std::string& subject) {
        return "From: a@x.example\r\nSubject: " + subject + "\r\n\r\nbody\r\n";
    }
};

// RFC 5267 4.3: what joins and leaves, in the form of its examples.
TEST_F(ContextTest, TellsWhatJoinsAndLeavesASearch) {
    Client c(maildir);
    for (int i = 0; i < 4; ++i) c.append("INBOX", message("m"), i < 2 ? "(\\Seen) " : "");
    c("SELECT INBOX");
    c.send("B01 UID SEARCH RETURN (UPDATE COUNT) UNSEEN\r\n");
    EXPECT_THAT(c.until("B01 "), HasSubstr("* ESEARCH (TAG \"B01\") UID COUNT 2\r\n"));
    EXPECT_THAT(c("STORE 3 +FLAGS (\\Seen)"),
                HasSubstr("* ESEARCH (TAG \"B01\") UID REMOVEFROM (0 3)\r\n"));
    EXPECT_THAT(c("STORE 1,2 -FLAGS.SILENT (\\Seen)"),
                HasSubstr("* ESEARCH (TAG \"B01\") UID ADDTO (0 1:2)\r\n"));
    EXPECT_THAT(c("STORE 1 +FLAGS (\\Flagged)"), Not(HasSubstr("ESEARCH")));
    // Another session's message and flag
    Client other(maildir);
    other.append("INBOX", message("n"));
    EXPECT_THAT(c("NOOP"), HasSubstr("UID ADDTO (0 5)\r\n"));
    other("SELECT INBOX");
    other("STORE 2 +FLAGS (\\Seen)");
    EXPECT_THAT(c("NOOP"), HasSubstr("UID REMOVEFROM (0 2)\r\n"));
    // It is told before the EXPUNGE
    c("STORE 1 +FLAGS.SILENT (\\Deleted)");
    const std::string gone = c("EXPUNGE");
    EXPECT_LT(gone.find("UID REMOVEFROM (0 1)"), gone.find("* 1 EXPUNGE"));
    EXPECT_THAT(c("CANCELUPDATE \"B01\" \"unknown\""), StartsWith("t OK "));
    EXPECT_THAT(c("STORE 1:* +FLAGS (\\Seen)"), Not(HasSubstr("ESEARCH")));
}

TEST_F(ContextTest, GivesPositionsInASort) {
    Client c(maildir);
    for (const char* subject : {"d", "b", "f"}) c.append("INBOX", message(subject));
    c("SELECT INBOX");
    c.send("B02 UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNDELETED\r\n");
    EXPECT_THAT(c.until("B02 "), HasSubstr("* ESEARCH (TAG \"B02\") UID ALL 2,1,3\r\n"));
    c.append("INBOX", message("a"));
    c.append("INBOX", message("c"));
    // b d f -> a b d f (told with its APPEND) -> a b c d f
    EXPECT_THAT(c("STORE 1,3 +FLAGS (\\Deleted)"),
                HasSubstr("* ESEARCH (TAG \"B02\") UID REMOVEFROM (4 1,3)\r\n"));
    EXPECT_THAT(c("STORE 1,3 -FLAGS (\\Deleted)"),
                HasSubstr("* ESEARCH (TAG \"B02\") UID ADDTO (4 1,3)\r\n"));
    EXPECT_THAT(c("STORE 3,4 +FLAGS (\\Deleted)"),
                HasSubstr("* ESEARCH (TAG \"B02\") UID REMOVEFROM (1 4 4 3)\r\n"));
}

TEST_F(ContextTest, NumbersAreThoseOfTheClient) {
    Client c(maildir);
    for (int i = 0; i < 5; ++i) c.append("INBOX", message("m"));
    c("SELECT INBOX");
    c.send("B03 SEARCH RETURN (UPDATE CONTEXT) 2:5 UNDELETED\r\n");
    EXPECT_THAT(c.until("B03 "), HasSubstr("* ESEARCH (TAG \"B03\")\r\n"));
    EXPECT_THAT(c("STORE 1 +FLAGS.SILENT (\\Deleted)"), Not(HasSubstr("ESEARCH")));
    EXPECT_THAT(c("EXPUNGE"), Not(HasSubstr("ESEARCH")));
    // What was number 2 is number 1, and in the result still
    EXPECT_THAT(c("STORE 1 +FLAGS (\\Deleted)"), HasSubstr("(TAG \"B03\") REMOVEFROM (0 1)\r\n"));
}

TEST_F(ContextTest, LimitsTheirNumber) {
    Client c(maildir);
    c.append("INBOX", kPlain);
    c("SELECT INBOX");
    for (std::size_t i = 0; i < SearchContexts::kMax; ++i)
        EXPECT_THAT(c("SEARCH RETURN (UPDATE) ALL"), Not(HasSubstr("NOUPDATE")));
    c.send("B04 SEARCH RETURN (UPDATE COUNT) ALL\r\n");
    EXPECT_THAT(c.until("B04 "),
                testing::AllOf(HasSubstr("* NO [NOUPDATE \"B04\"] "), HasSubstr("COUNT 1\r\n")));
    c("SELECT INBOX");  // ends them all, RFC 5267 4.3.1
    EXPECT_THAT(c("STORE 1 +FLAGS.SILENT (\\Seen)"), Not(HasSubstr("ESEARCH")));
    EXPECT_THAT(c("CANCELUPDATE"), StartsWith("t BAD"));
    EXPECT_THAT(c("SEARCH RETURN (UPDATE UPDATE) ALL"), StartsWith("* ESEARCH"));
    EXPECT_THAT(c("THREAD RETURN (UPDATE) REFERENCES UTF-8 ALL"), StartsWith("t BAD"));
}

}  // namespace
}  // namespace postern::imapd
