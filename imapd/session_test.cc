// Whole sessions over a socketpair on a real temporary Maildir: what a client would see.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

TEST_F(SessionTest, AnswersTheLoginAndLogsOut) {
    Client c(maildir);
    EXPECT_THAT(c.greeting(), StartsWith("t0 OK [CAPABILITY IMAP4rev1 "));
    EXPECT_EQ(c("NOOP"), "t OK NOOP completed.\r\n");
    EXPECT_THAT(c("CAPABILITY"), StartsWith("* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ IDLE"));
    EXPECT_THAT(c("NAMESPACE"), StartsWith("* NAMESPACE ((\"\" \".\")) NIL NIL\r\n"));
    EXPECT_THAT(c("ID NIL"), HasSubstr("* ID (\"name\" \"Postern\")\r\n"));
    EXPECT_THAT(c("LOGIN a b"), StartsWith("t BAD"));
    EXPECT_THAT(c("FETCH 1 FLAGS"), "t BAD No mailbox selected.\r\n");
    EXPECT_EQ(c("LOGOUT"), "* BYE Logging out\r\nt OK Logout completed.\r\n");
    EXPECT_EQ(c.finish(), "Logged out");
}

TEST_F(SessionTest, TakesWhatLoginHadReadAlready) {
    Client c(maildir, {}, "p1 NOOP\r\np2 SELECT IN");
    c.send("BOX\r\n");
    EXPECT_THAT(c.until("p2 "), HasSubstr("p1 OK NOOP completed.\r\n"));
}

TEST_F(SessionTest, SelectDescribesTheMailbox) {
    Client c(maildir);
    EXPECT_THAT(c.append("INBOX", kPlain, "(\\Seen) \"17-Jul-1996 02:44:25 -0700\" "),
                HasSubstr("t OK [APPENDUID "));
    c.append("inbox", kMime);
    const std::string answer = c("SELECT inbox");
    for (auto part :
         {"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft", "* 2 EXISTS\r\n",
          "* 2 RECENT\r\n", "* OK [UNSEEN 2] ", "* OK [UIDVALIDITY ", "* OK [UIDNEXT 3] ",
          "* OK [PERMANENTFLAGS (", "\\*)] ", "t OK [READ-WRITE] "}) {
        EXPECT_THAT(answer, HasSubstr(part));
    }
    const std::string examined = c("EXAMINE INBOX");
    EXPECT_THAT(examined, HasSubstr("t OK [READ-ONLY] "));
    EXPECT_THAT(examined, HasSubstr("* OK [PERMANENTFLAGS ()] "));
    EXPECT_THAT(c("STORE 1 +FLAGS (\\Deleted)"), StartsWith("t NO [READ-ONLY]"));
    EXPECT_THAT(c("EXPUNGE"), StartsWith("t NO [READ-ONLY]"));
    EXPECT_THAT(c("SELECT nowhere"), HasSubstr("\r\nt NO [NONEXISTENT]"));
    EXPECT_THAT(c("CHECK"), "t BAD No mailbox selected.\r\n");
    EXPECT_THAT(c("SELECT \"a/b\""), StartsWith("t NO "));
}

TEST_F(SessionTest, FetchEveryItem) {
    Client c(maildir);
    c.append("INBOX", kPlain, "(\\Flagged) \"17-Jul-1996 02:44:25 -0700\" ");
    c.append("INBOX", kMime);
    c("SELECT INBOX");
    struct Case {
        const char* command;
        std::string expected;
    };
    const std::string header = kPlain.substr(0, kPlain.find("\r\n\r\n") + 4);
    const std::string body = kPlain.substr(header.size());
    const auto literal = [](const std::string& text) {
        return "{" + std::to_string(text.size()) + "}\r\n" + text;
    };
    const Case cases[] = {
        {"FETCH 1 (UID RFC822.SIZE)",
         "* 1 FETCH (UID 1 RFC822.SIZE " + std::to_string(kPlain.size()) + ")\r\n"},
        {"FETCH 1:2 UID", "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n"},
        {"FETCH 2,1 UID", "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n"},
        {"FETCH * UID", "* 2 FETCH (UID 2)\r\n"},
        {"UID FETCH 2:* FLAGS", "* 2 FETCH (UID 2 FLAGS (\\Recent))\r\n"},
        {"UID FETCH 7:* FLAGS", "* 2 FETCH (UID 2 FLAGS (\\Recent))\r\n"},
        {"UID FETCH 7 FLAGS", ""},
        {"FETCH 1 BODY.PEEK[]", "* 1 FETCH (BODY[] " + literal(kPlain) + ")\r\n"},
        {"FETCH 1 BODY.PEEK[HEADER]", "* 1 FETCH (BODY[HEADER] " + literal(header) + ")\r\n"},
        {"FETCH 1 RFC822.HEADER", "* 1 FETCH (RFC822.HEADER " + literal(header) + ")\r\n"},
        {"FETCH 1 BODY.PEEK[TEXT]", "* 1 FETCH (BODY[TEXT] " + literal(body) + ")\r\n"},
        {"FETCH 1 BODY.PEEK[TEXT]<5.3>", "* 1 FETCH (BODY[TEXT]<5> {3}\r\none)\r\n"},
        {"FETCH 1 BODY.PEEK[TEXT]<900.3>", "* 1 FETCH (BODY[TEXT]<900> {0}\r\n)\r\n"},
        {"FETCH 1 BODY.PEEK[1]", "* 1 FETCH (BODY[1] " + literal(body) + ")\r\n"},
        {"FETCH 1 BODY.PEEK[2]", "* 1 FETCH (BODY[2] NIL)\r\n"},
        {"FETCH 1 BODY.PEEK[HEADER.FIELDS (subject x)]",
         "* 1 FETCH (BODY[HEADER.FIELDS (subject x)] {18}\r\nSubject: first\r\n\r\n)\r\n"},
        {"FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Date From Message-Id To)]",
         "* 1 FETCH (BODY[HEADER.FIELDS.NOT (Date From Message-Id To)] {18}\r\nSubject: "
         "first\r\n\r\n)\r\n"},
        {"FETCH 2 BODY.PEEK[2]", "* 2 FETCH (BODY[2] {8}\r\nR3L832Vu)\r\n"},
        {"FETCH 2 BODY.PEEK[1.MIME]", "* 2 FETCH (BODY[1.MIME] {2}\r\n\r\n)\r\n"},
        {"FETCH 2 BODY.PEEK[1.HEADER]", "* 2 FETCH (BODY[1.HEADER] NIL)\r\n"},
        {"FETCH 2 BODY",
         "* 2 FETCH (BODY ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 8 "
         "0)(\"text\" \"plain\" "
         "(\"charset\" \"iso-8859-1\") NIL NIL \"base64\" 8 0) \"mixed\"))\r\n"},
        {"FETCH 1 ENVELOPE",
         "* 1 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700\" \"first\" ((\"Terry Gray\" NIL "
         "\"gray\" "
         "\"cac.example\")) ((\"Terry Gray\" NIL \"gray\" \"cac.example\")) ((\"Terry Gray\" NIL "
         "\"gray\" "
         "\"cac.example\")) ((NIL NIL \"imap\" \"cac.example\")) NIL NIL NIL "
         "\"<1@cac.example>\"))\r\n"},
    };
    for (const auto& test : cases) {
        EXPECT_EQ(c(test.command), test.expected + "t OK Fetch completed.\r\n") << test.command;
    }
    EXPECT_THAT(c("FETCH 3 FLAGS"), "t BAD Invalid messageset\r\n");
    EXPECT_THAT(c("FETCH 1 FULL"),
                HasSubstr("FLAGS (\\Flagged \\Recent) INTERNALDATE \"17-Jul-1996"));
}

TEST_F(SessionTest, InternalDateSurvives) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    Client c(maildir);
    c.append("INBOX", kPlain, "\"17-Jul-1996 02:44:25 -0700\" ");
    c("SELECT INBOX");
    EXPECT_THAT(c("FETCH 1 INTERNALDATE"),
                StartsWith("* 1 FETCH (INTERNALDATE \"17-Jul-1996 09:44:25 +0000\")"));
}

TEST_F(SessionTest, FetchingABodySetsSeen) {
    Client c(maildir);
    c.append("INBOX", kPlain);
    c("SELECT INBOX");
    EXPECT_THAT(c("FETCH 1 BODY[TEXT]<0.1>"),
                StartsWith("* 1 FETCH (BODY[TEXT]<0> {1}\r\nb FLAGS (\\Seen \\Recent))"));
    EXPECT_THAT(c("FETCH 1 BODY[TEXT]<0.1>"), StartsWith("* 1 FETCH (BODY[TEXT]<0> {1}\r\nb)"));
    EXPECT_THAT(c("STORE 1 -FLAGS (\\Seen)"), StartsWith("* 1 FETCH (FLAGS (\\Recent))"));
    c("EXAMINE INBOX");
    EXPECT_THAT(c("FETCH 1 RFC822.TEXT"), Not(HasSubstr("\\Seen")));
}

TEST_F(SessionTest, StoreAndExpunge) {
    Client c(maildir);
    for (int i = 0; i < 4; ++i) c.append("INBOX", kPlain);
    c("SELECT INBOX");
    EXPECT_EQ(c("UID STORE 2 +FLAGS (\\Deleted $Junk)"),
              "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $Junk)\r\n"
              "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded "
              "$Junk \\*)] Flags permitted.\r\n"
              "* 2 FETCH (UID 2 FLAGS (\\Deleted $Junk \\Recent))\r\nt OK Store completed.\r\n");
    EXPECT_EQ(c("STORE 1,3 +FLAGS.SILENT \\Deleted"), "t OK Store completed.\r\n");
    EXPECT_EQ(c("STORE 3 FLAGS (\\Answered)"),
              "* 3 FETCH (FLAGS (\\Answered \\Recent))\r\nt OK Store completed.\r\n");
    EXPECT_EQ(c("STORE 3 -FLAGS ($Junk NotThere)"),
              "* 3 FETCH (FLAGS (\\Answered \\Recent))\r\nt OK Store completed.\r\n")
        << "what nobody has is no new keyword";
    EXPECT_THAT(c("STORE 1 FLAGS (\\Recent)"), StartsWith("t BAD Invalid flag"));
    EXPECT_THAT(c("STORE 9 FLAGS ()"), StartsWith("t BAD"));
    EXPECT_EQ(c("UID EXPUNGE 2:4"), "* 2 EXPUNGE\r\nt OK Expunge completed.\r\n");
    EXPECT_EQ(c("EXPUNGE"), "* 1 EXPUNGE\r\nt OK Expunge completed.\r\n");
    EXPECT_THAT(c("FETCH 1:2 UID"), StartsWith("* 1 FETCH (UID 3)\r\n* 2 FETCH (UID 4)\r\n"));
    c("STORE 1 +FLAGS (\\Deleted)");
    EXPECT_EQ(c("CLOSE"), "t OK Close completed.\r\n");
    EXPECT_THAT(c("STATUS INBOX (MESSAGES UIDNEXT)"),
                StartsWith("* STATUS INBOX (MESSAGES 1 UIDNEXT 5)\r\n"));
}

TEST_F(SessionTest, UnselectKeepsDeletedMessages) {
    Client c(maildir);
    c.append("INBOX", kPlain, "(\\Deleted) ");
    c("SELECT INBOX");
    EXPECT_EQ(c("UNSELECT"), "t OK Unselect completed.\r\n");
    EXPECT_THAT(c("STATUS INBOX (MESSAGES)"), HasSubstr("MESSAGES 1"));
}

TEST_F(SessionTest, CopyAndMove) {
    Client c(maildir);
    for (int i = 0; i < 3; ++i) c.append("INBOX", kPlain, "(\\Flagged) ");
    c("SELECT INBOX");
    EXPECT_THAT(c("COPY 1 Box"), StartsWith("t NO [TRYCREATE]"));
    c("CREATE Box");
    EXPECT_THAT(c("COPY 1:2 Box"),
                testing::MatchesRegex("t OK \\[COPYUID [0-9]+ 1:2 1:2\\] Copy completed.\r\n"));
    EXPECT_THAT(
        c("UID MOVE 3 Box"),
        testing::MatchesRegex(
            "\\* OK \\[COPYUID [0-9]+ 3 3\\] .*\r\n\\* 3 EXPUNGE\r\nt OK Move completed.\r\n"));
    EXPECT_THAT(c("UID COPY 99 Box"), StartsWith("t OK "));
    EXPECT_THAT(c("STATUS Box (MESSAGES UNSEEN RECENT)"),
                HasSubstr("(MESSAGES 3 UNSEEN 3 RECENT 3)"));
    c("SELECT Box");
    EXPECT_THAT(c("FETCH 1:3 FLAGS"), HasSubstr("* 3 FETCH (FLAGS (\\Flagged \\Recent))"));
    EXPECT_THAT(c("COPY 1 Box"), HasSubstr("* 4 EXISTS\r\n"));
}

// What is so short that it lies within its string, not behind a pointer, must not be left behind.
TEST_F(SessionTest, ShortHeadersAreWholeAtOnce) {
    Client c(maildir);
    c("APPEND INBOX {12+}\r\na: b\r\n\r\nhi\r\n");
    c("APPEND INBOX {12+}\r\na: c\r\n\r\nhi\r\n");
    c("SELECT INBOX");
    const std::string all =
        "* 1 FETCH (BODY[HEADER.FIELDS (a)] {8}\r\na: b\r\n\r\n)\r\n"
        "* 2 FETCH (BODY[HEADER.FIELDS (a)] {8}\r\na: c\r\n\r\n)\r\nt OK Fetch completed.\r\n";
    for (const char* when : {"first", "from the cache"})
        EXPECT_EQ(c("FETCH 1:2 BODY.PEEK[HEADER.FIELDS (a)]"), all) << when;
}

TEST_F(SessionTest, RefusedNamesAreToldWhatIsWrong) {
    Client c(maildir);
    const std::pair<std::string, std::string> cases[] = {
        {"CREATE \"\"", "Mailbox name is empty"},
        {"CREATE a..b", "Mailbox name has an empty level"},
        {"SELECT ../a", "Mailbox name has a character that names cannot have"},
        {"CREATE " + std::string(241, 'a'), "Mailbox name is longer than 240 bytes"},
    };
    for (const auto& [command, why] : cases)
        EXPECT_EQ(c(command), "t NO [CANNOT] " + why + "\r\n") << command;
    c("CREATE a");
    EXPECT_EQ(c("RENAME a a.b"), "t NO [CANNOT] A mailbox can't be moved below itself\r\n");
    EXPECT_THAT(c("RENAME INBOX INBOX.b"), StartsWith("t OK"));
}

TEST_F(SessionTest, Folders) {
    Client c(maildir);
    EXPECT_THAT(c("LIST \"\" \"\""), StartsWith("* LIST (\\Noselect) \".\" \"\"\r\n"));
    EXPECT_THAT(c("CREATE a.b."), StartsWith("t OK"));
    EXPECT_THAT(c("CREATE a.b"), StartsWith("t NO [ALREADYEXISTS]"));
    EXPECT_THAT(c("CREATE INBOX"), StartsWith("t NO"));
    EXPECT_THAT(c("CREATE \"a&b\""), StartsWith("t NO [CANNOT]"));
    EXPECT_THAT(c("RENAME a.b \"\xc3\xbc\""), StartsWith("t NO [CANNOT]"));
    EXPECT_THAT(c("CREATE Sent"), StartsWith("t OK"));
    EXPECT_EQ(
        c("LIST \"\" %"),
        "* LIST (\\HasNoChildren) \".\" INBOX\r\n* LIST (\\HasNoChildren \\Sent) \".\" Sent\r\n"
        "* LIST (\\Noselect \\HasChildren) \".\" a\r\nt OK List completed.\r\n");
    EXPECT_EQ(c("LIST a. *"), "* LIST (\\HasNoChildren) \".\" a.b\r\nt OK List completed.\r\n");
    EXPECT_THAT(c("LIST \"\" inbox"), HasSubstr("INBOX\r\n"));
    EXPECT_THAT(c("SUBSCRIBE a.b"), StartsWith("t OK"));
    EXPECT_THAT(c("SUBSCRIBE INBOX"), StartsWith("t OK"));
    EXPECT_THAT(c("LSUB \"\" *"), HasSubstr("* LSUB () \".\" a.b\r\n"));
    EXPECT_THAT(c("LSUB \"\" %"), HasSubstr("* LSUB (\\Noselect) \".\" a\r\n"));
    EXPECT_THAT(c("UNSUBSCRIBE a.b"), StartsWith("t OK"));
    EXPECT_THAT(c("LSUB \"\" *"), Not(HasSubstr("a.b")));
    EXPECT_THAT(c("RENAME a.b c"), StartsWith("t OK"));
    EXPECT_THAT(c("RENAME a.b d"), StartsWith("t NO [NONEXISTENT]"));
    EXPECT_THAT(c("RENAME c Sent"), StartsWith("t NO [ALREADYEXISTS]"));
    EXPECT_THAT(c("DELETE c"), StartsWith("t OK"));
    EXPECT_THAT(c("DELETE c"), StartsWith("t NO [NONEXISTENT]"));
    EXPECT_THAT(c("DELETE INBOX"), StartsWith("t NO"));
    EXPECT_THAT(c("STATUS c (MESSAGES)"), StartsWith("t NO [NONEXISTENT]"));
    c("SELECT Sent");
    EXPECT_THAT(c("RENAME Sent Old"), StartsWith("t OK"));
    EXPECT_THAT(c("CHECK"), StartsWith("t OK"));  // it goes on under its new name
    EXPECT_THAT(c("DELETE Old"), StartsWith("t OK"));
    EXPECT_THAT(c("CHECK"), StartsWith("t BAD"));
}

TEST_F(SessionTest, Search) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    Client c(maildir);
    c.append("INBOX", kPlain, "(\\Seen $Junk) \"17-Jul-1996 02:44:25 -0700\" ");
    c.append("INBOX", kMime, "\"18-Jul-1996 02:44:25 +0000\" ");
    c("SELECT INBOX");
    struct Case {
        std::string command, expected;
    };
    const Case cases[] = {
        {"ALL", " 1 2"},
        {"UNSEEN", " 2"},
        {"SEEN", " 1"},
        {"KEYWORD $junk", " 1"},
        {"UNKEYWORD $Junk", " 2"},
        {"KEYWORD other", ""},
        {"2", " 2"},
        {"1:*", " 1 2"},
        {"UID 2", " 2"},
        {"NEW", " 2"},
        {"RECENT", " 1 2"},
        {"OLD", ""},
        {"ON 17-Jul-1996", " 1"},
        {"SINCE 18-Jul-1996", " 2"},
        {"BEFORE 18-Jul-1996", " 1"},
        {"SENTON 17-Jul-1996", " 1"},
        {"SENTBEFORE 17-Jul-1996", ""},
        {"SENTSINCE 1-Jan-1990", " 1"},
        {"LARGER 10", " 1 2"},
        {"SMALLER 10", ""},
        {"FROM GRAY", " 1"},
        {"TO imap@", " 1"},
        {"SUBJECT first", " 1"},
        {"HEADER Message-ID \"\"", " 1"},
        {"HEADER message-id 1@cac", " 1"},
        {"BODY \"line two\"", " 1"},
        {"BODY \"one line\"", " 1"},
        {"BODY part", " 2"},
        {"BODY gray", ""},
        {"TEXT gray", " 1"},
        {"TEXT base64", " 2"},
        {"BODY base64", ""},
        {"NOT SEEN", " 2"},
        {"OR SEEN SUBJECT x", " 1"},
        {"(SEEN FROM gray) SUBJECT first", " 1"},
        {"OR (SEEN FROM nobody) UID 2", " 2"},
        {"CHARSET UTF-8 SUBJECT {7+}\r\nJ\xc3\x9cRGEN", " 2"},
        {"CHARSET ISO-8859-1 BODY {5+}\r\ngr\xfc\xdf"
         "e",
         " 2"},
    };
    for (const auto& test : cases) {
        EXPECT_EQ(c("SEARCH " + test.command),
                  "* SEARCH" + test.expected + "\r\nt OK Search completed.\r\n")
            << test.command;
    }
    c.append("INBOX", "From: <user (x)@ (y) host.example>\r\n\r\nx\r\n");
    EXPECT_THAT(c("SEARCH FROM user@host.example"), StartsWith("* SEARCH 3\r\n"));
    EXPECT_THAT(c("UID SEARCH UNSEEN"), StartsWith("* SEARCH 2 3\r\n"));
    EXPECT_THAT(c("SEARCH CHARSET X-NONE ALL SUBJECT x"), StartsWith("t NO [BADCHARSET"));
}

TEST_F(SessionTest, AppendIsStrict) {
    Options options;
    options.max_message = 1000;
    Client c(maildir, options);
    EXPECT_THAT(c.append("nowhere", kPlain), StartsWith("t NO [TRYCREATE]"));
    EXPECT_THAT(c.append("INBOX", std::string(1001, 'x')), StartsWith("t NO [TOOBIG]"));
    EXPECT_THAT(c.append("INBOX", ""), StartsWith("t NO"));
    EXPECT_THAT(c.append("INBOX", kPlain, "(\\Foo) "), StartsWith("t BAD Invalid flag"));
    EXPECT_THAT(c("APPEND INBOX {3+}\r\nabc junk"), StartsWith("t BAD"));
    EXPECT_THAT(c("APPEND INBOX \"x\""), StartsWith("t BAD"));
    EXPECT_THAT(c("STATUS INBOX (MESSAGES)"), HasSubstr("MESSAGES 0"));
    // The client waits for "+" and gets NO instead where that is known before.
    c.send("w1 APPEND nowhere {5}\r\n");
    EXPECT_EQ(c.line(), "w1 NO [TRYCREATE] Mailbox doesn't exist\r\n");
    c.send("w2 APPEND INBOX {5}\r\n");
    EXPECT_EQ(c.line(), "+ OK\r\n");
    c.send("abc\r\n\r\n");
    EXPECT_THAT(c.line(), StartsWith("w2 OK [APPENDUID"));
    EXPECT_EQ(c("NOOP"), "t OK NOOP completed.\r\n");
}

TEST_F(SessionTest, AppendKeepsTheBytes) {
    Client c(maildir);
    c("SELECT INBOX");
    for (const std::string& text :
         {std::string("A: b\r\n\r\nx\r\r\ny\rz\r"), std::string("A: b\r\n\r\n\r\n.\r\n\r\r\r\n"),
          "A: b\r\n\r\n" + std::string(300000, 'x') + "\r\nend"}) {
        EXPECT_THAT(c.append("INBOX", text), HasSubstr("t OK [APPENDUID"));
        EXPECT_THAT(c("FETCH * (RFC822.SIZE BODY.PEEK[])"),
                    HasSubstr("RFC822.SIZE " + std::to_string(text.size()) + " BODY[] {" +
                              std::to_string(text.size()) + "}\r\n" + text + ")\r\n"));
    }
}

TEST_F(SessionTest, TwoSessionsSeeEachOther) {
    Client a(maildir), b(maildir);
    a.append("INBOX", kPlain);
    a.append("INBOX", kPlain);
    a("SELECT INBOX");
    b("SELECT INBOX");
    a("STORE 2 +FLAGS (\\Answered)");
    EXPECT_THAT(b("NOOP"), HasSubstr("* 2 FETCH (FLAGS (\\Answered"));
    a("STORE 1 +FLAGS.SILENT (\\Deleted)");
    a("EXPUNGE");
    // Not during FETCH, RFC 3501 7.4.1; but with the next command that may.
    EXPECT_THAT(b("FETCH 2 UID"), Not(HasSubstr("EXPUNGE")));
    EXPECT_THAT(b("FETCH 1 BODY[]"), HasSubstr("t NO [EXPUNGEISSUED]"));
    EXPECT_THAT(b("SEARCH ALL"), Not(HasSubstr("EXPUNGE")));
    EXPECT_THAT(b("NOOP"), HasSubstr("* 1 EXPUNGE\r\n"));
    a.append("INBOX", kPlain);
    EXPECT_THAT(b("NOOP"), HasSubstr("* 2 EXISTS\r\n"));
}

TEST_F(SessionTest, IdleTellsOfDeliveries) {
    Client c(maildir);
    c("SELECT INBOX");
    c.send("i1 IDLE\r\n");
    EXPECT_EQ(c.line(), "+ idling\r\n");
    maildir.deliver("1000.M1P1.host", "A: b\n\nx\n");
    EXPECT_EQ(c.line(), "* 1 EXISTS\r\n");
    EXPECT_EQ(c.line(), "* 1 RECENT\r\n");
    maildir.deliver("1001.M1P1.host", "A: b\n\nx\n");
    EXPECT_EQ(c.line(), "* 2 EXISTS\r\n");
    EXPECT_EQ(c.line(), "* 2 RECENT\r\n");
    c.send("DO");
    c.send("NE\r\n");
    EXPECT_EQ(c.line(), "i1 OK Idle completed.\r\n");
    c.send("i2 IDLE\r\nDONE\r\n");
    EXPECT_EQ(c.line(), "+ idling\r\n");
    EXPECT_EQ(c.line(), "i2 OK Idle completed.\r\n");
    c.send("i3 IDLE\r\nNOOP\r\n");
    EXPECT_EQ(c.line(), "+ idling\r\n");
    EXPECT_THAT(c.line(), StartsWith("i3 BAD"));
}

TEST_F(SessionTest, IdleEndsWithTheClientOrItsPatience) {
    Options options;
    options.idle_timeout = Millis{50};
    options.keepalive = Millis{10};
    Client c(maildir, options, "i1 IDLE\r\n");
    EXPECT_EQ(c.line(), "+ idling\r\n");
    EXPECT_EQ(c.line(), "* OK Still here\r\n");
    EXPECT_THAT(c.until("* BYE"), HasSubstr("* BYE Disconnected for inactivity"));
    EXPECT_EQ(c.finish(), "idle for too long");
}

TEST_F(SessionTest, SilenceEndsTheSession) {
    Options options;
    options.idle_timeout = Millis{20};
    Client c(maildir, options);
    EXPECT_EQ(c.line(), "* BYE Disconnected for inactivity\r\n");
}

TEST_F(SessionTest, BadInputGivesBadAndGoesOn) {
    Options options;
    options.max_line = 8192;
    Client c(maildir, options);
    EXPECT_THAT(c("FOO"), StartsWith("t BAD Error in IMAP command: Unknown command FOO"));
    EXPECT_THAT(c("SELECT"), StartsWith("t BAD"));
    EXPECT_THAT(c("NOOP " + std::string(20000, 'x')),
                StartsWith("t BAD Error in IMAP command: Too long command line"));
    EXPECT_THAT(c("SELECT {70000+}\r\n" + std::string(70000, 'x')), StartsWith("t BAD"));
    c.send("\r\n");
    EXPECT_THAT(c.line(), StartsWith("* BAD"));
    c.send("w SELECT {70000}\r\n");
    EXPECT_THAT(c.line(), StartsWith("w BAD"));
    EXPECT_EQ(c("NOOP"), "t OK NOOP completed.\r\n");
    for (int i = 0; i < 20; ++i) c.send("x\r\n");
    EXPECT_THAT(c.until("* BYE"), HasSubstr("* BYE Too many invalid IMAP commands."));
}

TEST_F(SessionTest, PipelinedCommandsAreAnsweredInOrder) {
    Client c(maildir);
    c.send("a SELECT INBOX\r\nb CREATE x\r\nc LOGOUT\r\n");
    const std::string all = c.until("c ");
    EXPECT_LT(all.find("a OK"), all.find("b OK"));
    EXPECT_LT(all.find("b OK"), all.find("c OK"));
}

TEST_F(SessionTest, ADeletedFolderEndsTheSessionThatHasIt) {
    Client c(maildir);
    c("CREATE x");
    c("SELECT x");
    std::filesystem::remove_all(maildir.root() + "/.x");
    EXPECT_THAT(c("NOOP"), HasSubstr("* BYE The selected mailbox"));
}

// One that cannot be read (bzip2, of Dovecot) does not keep the client from the others.
TEST_F(SessionTest, AMessageThatCannotBeReadIsLeftOut) {
    Client c(maildir);
    maildir.deliver("1.M1P1.h,S=9", "Subject: a\n\na\n");
    maildir.deliver("2.M1P1.h,S=9:2,Z", "BZh91AY&SY\x01\x02\x03");
    maildir.deliver("3.M1P1.h,S=9", "Subject: b\n\nb\n");
    c("SELECT INBOX");
    const std::string fetched = c("FETCH 1:* ENVELOPE");
    EXPECT_THAT(fetched, AllOf(HasSubstr("* 1 FETCH"), HasSubstr("* 3 FETCH"),
                               HasSubstr("* NO Messages that cannot be read"),
                               HasSubstr("t NO Some messages were not fetched")));
    EXPECT_THAT(log::take_captured(), HasSubstr("2.M1P1.h"));
    EXPECT_THAT(c("SEARCH SUBJECT b"), AllOf(HasSubstr("* SEARCH 3\r\n* NO"), HasSubstr("t OK")));
    EXPECT_THAT(c("SORT (SUBJECT) UTF-8 ALL"), HasSubstr("* SORT 2 1 3\r\n* NO"));
    EXPECT_THAT(c("THREAD REFERENCES UTF-8 ALL"), HasSubstr("(2)"));
    EXPECT_EQ(c("NOOP"), "t OK NOOP completed.\r\n");
}

// The client that did not hear of it would do it again.
TEST_F(SessionTest, AnAppendIsAnsweredThoughTheSelectedMailboxIsGone) {
    Client c(maildir), other(maildir);
    for (const char* name : {"Work", "Drafts"}) other(std::string("CREATE ") + name);
    c("SELECT Work");
    other("DELETE Work");
    EXPECT_THAT(c.append("Drafts", kPlain),
                AllOf(HasSubstr("* BYE "), HasSubstr("t OK [APPENDUID ")));
}

}  // namespace
}  // namespace postern::imapd
