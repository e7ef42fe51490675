// MESSAGELIMIT and SAVELIMIT (RFC 9738), in whole sessions: its examples in small.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

using testing::AllOf;
using testing::MatchesRegex;

Options limited(std::size_t messages, std::size_t saved = 0) {
    Options options;
    options.message_limit = messages;
    options.save_limit = saved;
    return options;
}

// Ten messages; their UIDs are 1, 3, 5 to 19.
class MessageLimitTest : public SessionTest {
  protected:
    void fill() {
        Client c(maildir);
        for (int i = 0; i < 20; ++i) c.append("INBOX", kPlain, i % 2 == 1 ? "(\\Deleted) " : "");
        c("CREATE Trash");
        c("SELECT INBOX");
        c("EXPUNGE");
    }
};

TEST_F(MessageLimitTest, IsAnnounced) {
    EXPECT_THAT(Client(maildir, limited(5)).greeting(),
                AllOf(HasSubstr(" MESSAGELIMIT=5"), Not(HasSubstr("SAVELIMIT"))));
    EXPECT_THAT(Client(maildir, limited(0, 3))("CAPABILITY"),
                AllOf(HasSubstr(" SAVELIMIT=3"), Not(HasSubstr("MESSAGELIMIT"))));
    EXPECT_THAT(Client(maildir).greeting(), Not(HasSubstr("LIMIT=")));
}

TEST_F(MessageLimitTest, FetchAnswersForTheNewest) {
    fill();
    Client c(maildir, limited(4));
    c("SELECT INBOX");
    EXPECT_EQ(c("FETCH 2:9 (UID)"),
              "* 6 FETCH (UID 11)\r\n* 7 FETCH (UID 13)\r\n* 8 FETCH (UID 15)\r\n* 9 FETCH (UID "
              "17)\r\nt OK [MESSAGELIMIT 4 11] Fetch completed. Only the last 4 messages.\r\n");
    // the client goes on below
    EXPECT_THAT(c("UID FETCH 1:10 (FLAGS)"),
                AllOf(StartsWith("* 2 FETCH (UID 3 "), HasSubstr("[MESSAGELIMIT 4 3]")));
    EXPECT_THAT(c("UID FETCH 1:2 (FLAGS)"),
                AllOf(StartsWith("* 1 FETCH (UID 1 "), HasSubstr("\r\nt OK Fetch completed.\r\n")));
    EXPECT_THAT(c("UID FETCH 1:* (UID) (PARTIAL -1:-3)"),
                AllOf(StartsWith("* 8 FETCH (UID 15)"), HasSubstr("\r\nt OK Fetch completed.")));
    EXPECT_EQ(c("UID FETCH 1:* (UID) (PARTIAL -1:-5)"),
              "t NO [MESSAGELIMIT 4] Too many messages at once, try a smaller set\r\n")
        << "RFC 9738 3.1: without doing any of it";
    EXPECT_THAT(c("UID FETCH 1:* (UID) (PARTIAL 1:4)"), HasSubstr("\r\nt OK Fetch completed."));
    EXPECT_THAT(c("FETCH 1:4 (UID)"), HasSubstr("t OK Fetch completed.")) << "just as many";
}

// RFC 9051 7.1: an answer has one code
TEST_F(MessageLimitTest, AnotherCodeStaysWhereItBelongs) {
    fill();
    Client c(maildir, limited(4));
    c("SELECT INBOX");
    EXPECT_THAT(c("UID STORE 1:* (UNCHANGEDSINCE 1) +FLAGS (\\Seen)"),
                AllOf(HasSubstr("* NO [MESSAGELIMIT 4 13] Only the last 4 messages.\r\n"),
                      HasSubstr("\r\nt OK [MODIFIED 13,15,17,19] Conditional STORE failed.")));
}

TEST_F(MessageLimitTest, SearchLooksAtTheNewest) {
    fill();
    Client c(maildir, limited(4));
    c("SELECT INBOX");
    EXPECT_EQ(c("UID SEARCH UID 2:15 UNDELETED"),
              "* SEARCH 9 11 13 15\r\n"
              "t OK [MESSAGELIMIT 4 9] Search completed. Only the last 4 messages.\r\n");
    EXPECT_EQ(c("UID SEARCH UIDBEFORE 9 UNDELETED"),
              "* SEARCH 1 3 5 7\r\nt OK Search completed.\r\n");
    EXPECT_EQ(c("UID SEARCH UIDAFTER 15 UNDELETED"),
              "* SEARCH 17 19\r\nt OK Search completed.\r\n");
    EXPECT_EQ(c("UID SEARCH UIDAFTER 19"), "* SEARCH\r\nt OK Search completed.\r\n");
    EXPECT_THAT(c("SEARCH SUBJECT nothing"), HasSubstr("* SEARCH\r\nt OK [MESSAGELIMIT 4 13] "));
    EXPECT_THAT(c("SEARCH NOT 1:9"), HasSubstr("* SEARCH 10\r\nt OK [MESSAGELIMIT 4 13] "));
    EXPECT_THAT(c("SEARCH 1:3 2:7 FLAGGED"), HasSubstr("* SEARCH\r\nt OK Search completed."));
}

// RFC 9738 3.3: half of an order is none.
TEST_F(MessageLimitTest, SortAndThreadOfMoreAreRefused) {
    fill();
    Client c(maildir, limited(4));
    c("SELECT INBOX");
    for (const char* command : {"UID SORT (DATE) UTF-8 ALL", "SORT (SUBJECT) UTF-8 FLAGGED",
                                "THREAD REFERENCES UTF-8 ALL", "UID THREAD REFS UTF-8 2:6"})
        EXPECT_EQ(c(command),
                  "t NO [MESSAGELIMIT 4] Too many messages at once, try a smaller set\r\n")
            << command;
    EXPECT_EQ(c("UID SORT (ARRIVAL) UTF-8 UIDAFTER 13"),
              "* SORT 15 17 19\r\nt OK Sort completed.\r\n");
    EXPECT_THAT(c("THREAD REFERENCES UTF-8 1:4"), HasSubstr("\r\nt OK Thread completed.\r\n"));
    Client other(maildir, limited(0, 4));
    other("SELECT INBOX");
    EXPECT_THAT(other("SORT (DATE) UTF-8 ALL"), HasSubstr("\r\nt OK Sort completed.\r\n"));
}

// What "$" keeps is what was found; a result that is not whole is not followed.
TEST_F(MessageLimitTest, SavedAndFollowedResults) {
    fill();
    Client c(maildir, limited(4));
    c("SELECT INBOX");
    EXPECT_THAT(c("SEARCH RETURN (SAVE) ALL"), StartsWith("t OK [MESSAGELIMIT 4 13]"));
    EXPECT_THAT(c("UID SEARCH $"), StartsWith("* SEARCH 13 15 17 19\r\nt OK Search"));
    EXPECT_THAT(c("UID SEARCH RETURN (UPDATE COUNT) ALL"),
                AllOf(HasSubstr("* NO [NOUPDATE \"t"), HasSubstr(" COUNT 4\r\n"),
                      HasSubstr("t OK [MESSAGELIMIT 4 13]")));
}

TEST_F(MessageLimitTest, StoreChangesTheNewest) {
    fill();
    Client c(maildir, limited(4));
    c("SELECT INBOX");
    EXPECT_EQ(c("STORE 1:* +FLAGS.SILENT (\\Deleted)"),
              "t OK [MESSAGELIMIT 4 13] Store completed. Only the last 4 messages.\r\n");
    EXPECT_THAT(c("UID SEARCH UIDBEFORE 13 DELETED"), HasSubstr("* SEARCH\r\n"));
}

// All or nothing, RFC 9051 6.4.7
TEST_F(MessageLimitTest, CopyOfMoreIsRefused) {
    fill();
    Client c(maildir, limited(4));
    c("SELECT INBOX");
    EXPECT_EQ(c("UID COPY 1:10 Trash"),
              "t NO [MESSAGELIMIT 4 3] Too many messages at once, try a smaller set\r\n");
    EXPECT_THAT(c("STATUS Trash (MESSAGES)"), HasSubstr("(MESSAGES 0)"));
    EXPECT_THAT(c("UID COPY 1:8 Trash"), StartsWith("t OK [COPYUID "));
    Client other(maildir, limited(8, 2));
    other("SELECT INBOX");
    EXPECT_THAT(other("COPY 1:3 Trash"), StartsWith("t NO [MESSAGELIMIT 2 3] "));
    EXPECT_THAT(other("FETCH 1:8 UID"), HasSubstr("t OK Fetch completed."));
}

TEST_F(MessageLimitTest, MoveMovesTheNewest) {
    fill();
    Client c(maildir, limited(4));
    c("SELECT INBOX");
    EXPECT_THAT(c("UID MOVE 1:* Trash"),
                MatchesRegex("\\* OK \\[COPYUID [0-9]+ 13,15,17,19 1:4\\] Moved UIDs.\r\n"
                             "(\\* [0-9]+ EXPUNGE\r\n)+t OK \\[MESSAGELIMIT 4 13\\] Move "
                             "completed. Only the last 4 messages.\r\n"));
    EXPECT_THAT(c("STATUS Trash (MESSAGES)"), HasSubstr("(MESSAGES 4)"));
}

// EXPUNGE names no messages that could be asked for again, and has no limit.
TEST_F(MessageLimitTest, UidExpungeRemovesTheNewest) {
    fill();
    Client c(maildir, limited(4));
    c("SELECT INBOX");
    for (const char* set : {"1:4", "5:8", "9:10"})
        c(std::string("STORE ") + set + " +FLAGS.SILENT (\\Deleted)");
    EXPECT_THAT(c("UID EXPUNGE 1:17"), HasSubstr("t OK [MESSAGELIMIT 4 11] Expunge completed."));
    EXPECT_THAT(c("UID SEARCH UID 1:12"), HasSubstr("* SEARCH 3 5 7 9\r\nt OK [MESSAGELIMIT 4 3]"));
    EXPECT_THAT(c("EXPUNGE"), HasSubstr("\r\nt OK Expunge completed."));
    EXPECT_THAT(c("STATUS INBOX (MESSAGES)"), HasSubstr("(MESSAGES 0)"));
}

// RFC 3502: all or none
TEST_F(MessageLimitTest, AppendOfMoreIsRefused) {
    for (const Options& options : {limited(2), limited(0, 2), limited(2, 9)}) {
        Client c(maildir, options);
        EXPECT_EQ(c("APPEND INBOX {1+}\r\na {1+}\r\nb {1+}\r\nc"),
                  "t NO [MESSAGELIMIT 2] Too many messages at once, try a smaller set\r\n");
        EXPECT_THAT(c("STATUS INBOX (MESSAGES)"), HasSubstr("(MESSAGES 0)"));
    }
    Client c(maildir, limited(2));
    EXPECT_THAT(c("APPEND INBOX {1+}\r\na {1+}\r\nb"), StartsWith("t OK [APPENDUID "));
}

}  // namespace
}  // namespace postern::imapd
