// CONDSTORE and QRESYNC (RFC 7162), ESEARCH (RFC 4731), SEARCHRES (RFC 5182), WITHIN (RFC 5032),
// OBJECTID (RFC 8474), SAVEDATE (RFC 8514): sessions in the manner of the RFCs' examples.
#include <set>

#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

// The number behind a word: HIGHESTMODSEQ 12 -> 12.
std::uint64_t number_after(const std::string& text, const std::string& word) {
    const auto at = text.find(word);
    if (at == std::string::npos) return 0;
    return std::strtoull(text.c_str() + at + word.size(), nullptr, 10);
}

std::string str(std::uint64_t number) { return std::to_string(number); }

class ResyncTest : public SessionTest {
  protected:
    // Five messages, in a session of its own.
    void fill() {
        Client c(maildir);
        for (int i = 1; i <= 5; ++i)
            c.append("INBOX", "Subject: " + std::to_string(i) + "\r\n\r\nx\r\n");
    }
};

TEST_F(ResyncTest, EnableAnswersWithWhatItKnows) {
    Client c(maildir);
    EXPECT_EQ(c("ENABLE X-FOO"), "* ENABLED\r\nt OK Enable completed.\r\n");
    EXPECT_EQ(c("ENABLE condstore X QRESYNC"),
              "* ENABLED CONDSTORE QRESYNC\r\nt OK Enable completed.\r\n");
    EXPECT_THAT(c("ENABLE"), StartsWith("t BAD"));
    EXPECT_THAT(c.greeting(), HasSubstr(" ENABLE CONDSTORE QRESYNC "));
}

TEST_F(ResyncTest, ModSequencesGrow) {
    fill();
    Client c(maildir);
    const std::string selected = c("SELECT INBOX (CONDSTORE)");
    const auto first = number_after(selected, "[HIGHESTMODSEQ ");
    EXPECT_GT(first, 0U);
    const auto changed = c("STORE 2 +FLAGS (\\Seen)");
    EXPECT_GT(number_after(changed, "MODSEQ ("), first);
    EXPECT_THAT(changed, HasSubstr("* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent) MODSEQ ("));
    EXPECT_THAT(c("STORE 3 +FLAGS.SILENT (\\Seen)"), StartsWith("* 3 FETCH (UID 3 MODSEQ ("));
    // RFC 7162 3.1.4.1
    EXPECT_THAT(c("FETCH 1:* (FLAGS) (CHANGEDSINCE " + str(first) + ")"),
                testing::AllOf(HasSubstr("* 2 FETCH (MODSEQ ("), HasSubstr("* 3 FETCH ("),
                               Not(HasSubstr("* 1 FETCH"))));
    EXPECT_THAT(c("UID FETCH 1:* UID (CHANGEDSINCE " + str(first) + ")"),
                HasSubstr("* 2 FETCH (MODSEQ ("));
    EXPECT_THAT(c("FETCH 2 BODY[]"), Not(HasSubstr("MODSEQ"))) << "it was seen";
    EXPECT_THAT(c("FETCH 1 BODY[]"), HasSubstr("FLAGS (\\Seen \\Recent) MODSEQ ("));
    EXPECT_THAT(c("FETCH 1 (FLAGS) (VANISHED)"), StartsWith("t BAD"));
    EXPECT_THAT(c("UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)"), StartsWith("t BAD"));
    EXPECT_THAT(c("FETCH 1 (FLAGS) (CHANGEDSINCE x)"), StartsWith("t BAD"));
}

TEST_F(ResyncTest, NothingOfItForThoseWhoDoNotAsk) {
    fill();
    Client c(maildir), other(maildir);
    c("SELECT INBOX");
    other("SELECT INBOX");
    EXPECT_THAT(c("STORE 1 +FLAGS (\\Seen)"), Not(HasSubstr("MODSEQ")));
    EXPECT_THAT(other("NOOP"),
                testing::AllOf(HasSubstr("* 1 FETCH (FLAGS (\\Seen))"), Not(HasSubstr("MODSEQ"))));
    // RFC 7162 3.1: asking for one switches it on
    EXPECT_THAT(other("FETCH 1 MODSEQ"), HasSubstr("* OK [HIGHESTMODSEQ "));
    c("STORE 1 +FLAGS (\\Flagged)");
    EXPECT_THAT(other("NOOP"), HasSubstr("MODSEQ ("));
}

TEST_F(ResyncTest, ConditionalStore) {
    fill();
    Client c(maildir), other(maildir);
    const auto first = number_after(c("SELECT INBOX (CONDSTORE)"), "[HIGHESTMODSEQ ");
    other("SELECT INBOX");
    other("STORE 2,4 +FLAGS (\\Answered)");
    const std::string answer =
        c("STORE 1:4 (UNCHANGEDSINCE " + str(first) + ") -FLAGS.SILENT (\\Answered)");
    EXPECT_THAT(answer, HasSubstr("* 1 FETCH (UID 1 MODSEQ ("));
    EXPECT_THAT(answer, HasSubstr("* 3 FETCH (UID 3 MODSEQ ("));
    EXPECT_THAT(answer, HasSubstr("* 2 FETCH (UID 2 FLAGS (\\Answered")) << "what the other did";
    EXPECT_THAT(answer, HasSubstr("t OK [MODIFIED 2,4] Conditional STORE failed"));
    EXPECT_THAT(c("UID STORE 4 (UNCHANGEDSINCE 0) FLAGS (\\Seen)"), HasSubstr("[MODIFIED 4]"));
    EXPECT_THAT(other("FETCH 2,4 FLAGS"), HasSubstr("* 4 FETCH (FLAGS (\\Answered))\r\n"));
    EXPECT_THAT(c("STORE 1 (FOO 1) FLAGS ()"), StartsWith("t BAD"));
}

TEST_F(ResyncTest, SearchByModSequence) {
    fill();
    Client c(maildir);
    const auto first = number_after(c("SELECT INBOX"), "[HIGHESTMODSEQ ");
    c("STORE 2 +FLAGS (\\Seen)");
    c("STORE 4 +FLAGS (\\Seen)");
    const std::string found = c("SEARCH MODSEQ " + str(first + 1));
    EXPECT_THAT(found, HasSubstr("* SEARCH 2 4 (MODSEQ "));
    const auto last = number_after(found, "2 4 (MODSEQ ");
    EXPECT_THAT(c("SEARCH MODSEQ \"/flags/\\\\draft\" all " + str(first + 1)),
                HasSubstr("* SEARCH 2 4 (MODSEQ " + str(last) + ")"));
    EXPECT_THAT(c("SEARCH MODSEQ " + str(last + 100)), StartsWith("* SEARCH\r\n"));
    EXPECT_THAT(c("SEARCH RETURN (ALL) MODSEQ " + str(first + 1)),
                HasSubstr(" ALL 2,4 MODSEQ " + str(last)));
    EXPECT_LT(number_after(c("SEARCH RETURN (MIN) MODSEQ " + str(first + 1)), "MIN 2 MODSEQ "),
              last);
    EXPECT_THAT(c("SEARCH MODSEQ \"/flags/x\" none 1"), StartsWith("t BAD"));
    EXPECT_THAT(c("SEARCH MODSEQ -1"), StartsWith("t BAD"));
}

TEST_F(ResyncTest, SelectTellsWhatHappenedMeanwhile) {
    fill();
    std::uint64_t modseq = 0, validity = 0;
    {
        Client c(maildir);
        const std::string selected = c("SELECT INBOX");
        modseq = number_after(selected, "[HIGHESTMODSEQ ");
        validity = number_after(selected, "[UIDVALIDITY ");
        EXPECT_THAT(c("SELECT INBOX (QRESYNC (1 2))"), StartsWith("t BAD"));
        c("STORE 2,3 +FLAGS.SILENT (\\Deleted)");
        c("EXPUNGE");
        c("STORE 3 +FLAGS (\\Flagged)");
        c.append("INBOX", kPlain);
    }
    Client c(maildir);
    c("ENABLE QRESYNC");
    const std::string known = "(QRESYNC (" + str(validity) + " " + str(modseq);
    const std::string answer = c("SELECT INBOX " + known + "))");
    EXPECT_THAT(answer, HasSubstr("* 4 EXISTS"));
    EXPECT_THAT(answer, HasSubstr("* VANISHED (EARLIER) 2:3\r\n"));
    EXPECT_THAT(answer, HasSubstr("* 3 FETCH (UID 5 FLAGS (\\Flagged) MODSEQ ("));
    EXPECT_THAT(answer, HasSubstr("* 4 FETCH (UID 6 FLAGS () MODSEQ ("));
    EXPECT_THAT(answer, Not(HasSubstr("* 1 FETCH")));
    EXPECT_LT(answer.find("VANISHED"), answer.find("* 3 FETCH"));
    const std::string some = c("SELECT INBOX " + known + " 1:2,6 (1 1)))");
    EXPECT_THAT(some, StartsWith("* OK [CLOSED]"));
    EXPECT_THAT(some, HasSubstr("* VANISHED (EARLIER) 2\r\n"));
    EXPECT_THAT(some, Not(HasSubstr("UID 5 ")));
    EXPECT_THAT(c("SELECT INBOX (QRESYNC (" + str(validity + 1) + " 1))"),
                testing::AllOf(Not(HasSubstr("VANISHED")), Not(HasSubstr("FETCH"))));
    for (const char* bad : {"(QRESYNC)", "(QRESYNC (0 1))", "(QRESYNC (1 0))", "(QRESYNC (1 1 *))",
                            "(QRESYNC (1 1 1:2 (1)))", "(FOO)", "(CONDSTORE"})
        EXPECT_THAT(c(std::string("SELECT INBOX ") + bad), StartsWith("t BAD")) << bad;
}

TEST_F(ResyncTest, BeforeTheLogAllThatIsMissingHasVanished) {
    fill();
    Client first(maildir);
    const auto validity = number_after(first("SELECT INBOX"), "[UIDVALIDITY ");
    first("STORE 2,5 +FLAGS.SILENT (\\Deleted)");
    first("EXPUNGE");
    Client c(maildir);
    c("ENABLE QRESYNC");
    const std::string known = "(QRESYNC (" + str(validity) + " 1";
    EXPECT_THAT(c("SELECT INBOX " + known + "))"), HasSubstr("* VANISHED (EARLIER) 2,5\r\n"));
    // RFC 7162 3.2.5.2: message 2 has UID 3, so the client knows that UID 2 is gone
    EXPECT_THAT(c("SELECT INBOX " + known + " 1:5 (2 3)))"),
                HasSubstr("* VANISHED (EARLIER) 5\r\n"));
    EXPECT_THAT(c("SELECT INBOX " + known + " 1:5 (2 2)))"),
                HasSubstr("* VANISHED (EARLIER) 2,5\r\n"));
    EXPECT_THAT(c("UID FETCH 1:4 (FLAGS) (CHANGEDSINCE 1 VANISHED)"),
                StartsWith("* VANISHED (EARLIER) 2\r\n* 1 FETCH (UID 1 "));
    EXPECT_THAT(c("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)"),
                StartsWith("* VANISHED (EARLIER) 2,5\r\n"));
}

TEST_F(ResyncTest, VanishedInsteadOfExpunge) {
    fill();
    Client c(maildir), other(maildir);
    c("ENABLE QRESYNC");
    c("SELECT INBOX");
    other("SELECT INBOX");
    other("STORE 1,3 +FLAGS.SILENT (\\Deleted)");
    EXPECT_THAT(c("NOOP"), testing::AllOf(HasSubstr("* 1 FETCH (UID 1 FLAGS (\\Deleted"),
                                          HasSubstr("* 3 FETCH (UID 3 ")));
    other("EXPUNGE");
    EXPECT_THAT(c("FETCH 5 UID"), Not(HasSubstr("VANISHED"))) << "numbers must not move";
    EXPECT_THAT(c("NOOP"), StartsWith("* VANISHED 1,3\r\n"));
    EXPECT_THAT(c("FETCH 3 UID"), StartsWith("* 3 FETCH (UID 5)"));
    c("STORE 1 +FLAGS (\\Deleted)");
    EXPECT_THAT(c("EXPUNGE"),
                testing::AllOf(StartsWith("* VANISHED 2\r\n"), HasSubstr("t OK [HIGHESTMODSEQ ")));
    EXPECT_THAT(other("NOOP"), StartsWith("* 1 EXPUNGE\r\n"));
    EXPECT_THAT(c("CLOSE"), StartsWith("t OK Close"));
}

TEST_F(ResyncTest, Esearch) {
    fill();
    Client c(maildir);
    c("SELECT INBOX");
    c("STORE 2,4:5 +FLAGS.SILENT (\\Flagged)");
    struct Case {
        std::string command, expected;
    };
    const Case cases[] = {
        {"SEARCH RETURN (MIN COUNT) FLAGGED", ") MIN 2 COUNT 3\r\n"},
        {"SEARCH RETURN () FLAGGED", ") ALL 2,4:5\r\n"},
        {"SEARCH RETURN (ALL) FLAGGED", ") ALL 2,4:5\r\n"},
        {"UID SEARCH RETURN (MIN MAX) FLAGGED", ") UID MIN 2 MAX 5\r\n"},
        {"SEARCH RETURN (COUNT MIN MAX ALL) SEEN", ") COUNT 0\r\n"},
        {"SEARCH RETURN (MIN) SEEN", ")\r\n"},
        {"SEARCH RETURN (COUNT) CHARSET UTF-8 SUBJECT 3", ") COUNT 1\r\n"},
    };
    for (const auto& one : cases) {
        const std::string answer = c(one.command);
        EXPECT_THAT(answer, StartsWith("* ESEARCH (TAG \"t")) << one.command;
        EXPECT_THAT(answer, HasSubstr(one.expected)) << one.command;
    }
    EXPECT_THAT(c("SEARCH RETURN (FOO) ALL"), StartsWith("t BAD"));
    EXPECT_THAT(c("SEARCH RETURN (MIN ALL"), StartsWith("t BAD"));
    EXPECT_THAT(c("SEARCH FLAGGED"), StartsWith("* SEARCH 2 4 5\r\n"));
}

TEST_F(ResyncTest, SavedResult) {
    fill();
    Client c(maildir);
    c("SELECT INBOX");
    EXPECT_EQ(c("SEARCH $"), "* SEARCH\r\nt OK Search completed.\r\n");
    EXPECT_EQ(c("SEARCH RETURN (SAVE) SUBJECT 3"), "t OK Search completed.\r\n");
    EXPECT_THAT(c("FETCH $ UID"), StartsWith("* 3 FETCH (UID 3)"));
    c("SEARCH RETURN (SAVE) 2:4");
    EXPECT_THAT(c("SEARCH RETURN (COUNT) $"), HasSubstr("COUNT 3"));
    EXPECT_THAT(c("SEARCH UID $ NOT SUBJECT 3"), StartsWith("* SEARCH 2 4\r\n"));
    EXPECT_THAT(c("UID STORE $ +FLAGS.SILENT (\\Deleted)"), StartsWith("t OK"));
    EXPECT_THAT(c("UID EXPUNGE $"), StartsWith("* 2 EXPUNGE\r\n* 2 EXPUNGE\r\n* 2 EXPUNGE\r\n"));
    EXPECT_THAT(c("FETCH $ UID"), StartsWith("t OK")) << "they are gone";
    // RFC 5182 2.4
    c("SEARCH RETURN (SAVE MIN) ALL");
    EXPECT_THAT(c("SEARCH $"), StartsWith("* SEARCH 1\r\n"));
    c("SEARCH RETURN (SAVE MIN MAX) ALL");
    EXPECT_THAT(c("SEARCH $"), StartsWith("* SEARCH 1 2\r\n"));
    EXPECT_THAT(c("SEARCH RETURN (SAVE COUNT) ALL"), HasSubstr("COUNT 2"));
    EXPECT_THAT(c("COPY $ INBOX"), HasSubstr("[COPYUID "));
    // RFC 5182 2.1: a failed SEARCH with SAVE leaves nothing
    EXPECT_THAT(c("SEARCH RETURN (SAVE) CHARSET X-NONE SUBJECT x"), StartsWith("t NO"));
    EXPECT_THAT(c("SEARCH $"), StartsWith("* SEARCH\r\n"));
    c("SEARCH RETURN (SAVE) ALL");
    c("SELECT INBOX");
    EXPECT_THAT(c("SEARCH $"), StartsWith("* SEARCH\r\n"));
    EXPECT_THAT(c("FETCH $,1 UID"), StartsWith("t BAD"));
}

TEST_F(ResyncTest, WithinAndSaveDates) {
    Client c(maildir);
    c.append("INBOX", kPlain, "\"17-Jul-1996 02:44:25 -0700\" ");
    c.append("INBOX", kPlain);
    c("SELECT INBOX");
    EXPECT_THAT(c("SEARCH YOUNGER 3600"), StartsWith("* SEARCH 2\r\n"));
    EXPECT_THAT(c("SEARCH OLDER 3600"), StartsWith("* SEARCH 1\r\n"));
    EXPECT_THAT(c("SEARCH OLDER 0"), StartsWith("t BAD"));
    EXPECT_THAT(c("SEARCH SAVEDATESUPPORTED"), StartsWith("* SEARCH 1 2\r\n"));
    EXPECT_THAT(c("SEARCH SAVEDSINCE 1-Jan-2020"), StartsWith("* SEARCH 1 2\r\n"));
    EXPECT_THAT(c("SEARCH SAVEDBEFORE 1-Jan-2020"), StartsWith("* SEARCH\r\n"));
    EXPECT_THAT(c("SEARCH SAVEDON 17-Jul-1996"), StartsWith("* SEARCH\r\n"));
    EXPECT_THAT(c("FETCH 1 (INTERNALDATE SAVEDATE)"),
                testing::AllOf(HasSubstr("INTERNALDATE \"17-Jul-1996"), HasSubstr("SAVEDATE \"")));
}

TEST_F(ResyncTest, ObjectIds) {
    Client c(maildir);
    c("CREATE b");
    c.append("INBOX", kPlain);
    c("SELECT INBOX");
    const std::string fetched = c("FETCH 1 (EMAILID THREADID)");
    EXPECT_THAT(fetched, HasSubstr("* 1 FETCH (EMAILID (M"));
    EXPECT_THAT(fetched, HasSubstr(") THREADID (T"));
    const auto at = fetched.find("(M") + 1;
    const std::string id = fetched.substr(at, fetched.find(')', at) - at);
    EXPECT_THAT(c("SEARCH EMAILID " + id), StartsWith("* SEARCH 1\r\n"));
    EXPECT_THAT(c("SEARCH EMAILID M1"), StartsWith("* SEARCH\r\n"));
    EXPECT_THAT(c("SEARCH THREADID T1"), StartsWith("* SEARCH\r\n"));
    c("MOVE 1 b");
    c("SELECT b");
    EXPECT_THAT(c("FETCH 1 EMAILID"), HasSubstr("(" + id + ")"));
}

TEST_F(ResyncTest, ThreadIds) {
    Client c(maildir);
    c("CREATE b");
    const auto append = [&](const std::string& folder, const std::string& fields) {
        c.append(folder, fields + "Subject: x\r\n\r\nbody\r\n");
    };
    append("INBOX", "Message-ID: <1@x>\r\n");
    append("INBOX", "Message-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\n");
    append("INBOX", "Message-ID: <3@x>\r\nReferences: <1@x> <2@x>\r\nIn-Reply-To: <2@x>\r\n");
    append("INBOX", "Message-ID: <4@x>\r\n");
    append("INBOX", "");
    append("INBOX", "Message-ID: nonsense\r\nReferences: \r\n");
    append("b", "Message-ID: <5@x>\r\nReferences:\r\n <1@x>\r\n");
    c("SELECT INBOX");
    const auto id_of = [&](int seq) {
        const std::string line = c("FETCH " + std::to_string(seq) + " THREADID");
        const auto at = line.find("(THREADID (") + 11;
        return line.substr(at, line.find(')', at) - at);
    };
    const std::string first = id_of(1);
    EXPECT_EQ(first.size(), 21U);
    EXPECT_EQ(id_of(2), first);
    EXPECT_EQ(id_of(3), first);
    std::set<std::string> all;
    for (int seq = 1; seq <= 6; ++seq) all.insert(id_of(seq));
    EXPECT_EQ(all.size(), 4U) << "the others are alone";
    EXPECT_THAT(c("SEARCH THREADID " + first), StartsWith("* SEARCH 1 2 3\r\n"));
    EXPECT_THAT(c("SEARCH NOT THREADID " + first), StartsWith("* SEARCH 4 5 6\r\n"));
    EXPECT_THAT(c("FETCH 2 (THREADID ENVELOPE)"), HasSubstr("<2@x>"));
    c("SELECT b");
    EXPECT_EQ(id_of(1), first);
}

}  // namespace
}  // namespace postern::imapd
