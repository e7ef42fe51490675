// What the mailbox library puts off or keeps must not show: FETCH and SEARCH with and without the
// cache, flags that are in the log before they are in names.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// The first FETCH reads the message, the second is answered from postern.cache, in this session and
// in others: nobody can tell the difference.
TEST_F(SessionTest, AnswersFromTheCacheAreTheSame) {
    const std::vector<std::string> messages{
        "From: a@x.test\r\nSubject: plain\r\nReceived: by here\r\n\r\nbody\r\n",
        "From: =?utf-8?Q?=C3=BC?= <b@x.test>\r\nTo: list: c@x.test, d@x.test;\r\nSubject: "
        "folded\r\n"
        " subject\r\nSubject: again\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
        "boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        "Subject: inner\r\n\r\ninner body\r\n--b--\r\n",
        "Subject: \"quoted\" \\ {3}\r\nDKIM-Signature: v=1; b=xyz\r\nX-Long: " +
            std::string(3000, 'l') + "\r\n\r\n",
        "no header at all\r\n",
        "\r\nonly a body\r\n",
        "Subject: no end of the header",
    };
    const std::vector<std::string> questions{
        "ENVELOPE",
        "BODYSTRUCTURE",
        "BODY",
        "RFC822.SIZE",
        "INTERNALDATE",
        "(UID ENVELOPE BODYSTRUCTURE RFC822.SIZE)",
        "BODY.PEEK[HEADER.FIELDS (Subject From)]",
        "BODY.PEEK[HEADER.FIELDS (Received)]",
        "BODY.PEEK[HEADER.FIELDS (dkim-signature X-LONG)]",
        "BODY.PEEK[HEADER.FIELDS (Subject)]<5.9>",
        "BODY.PEEK[HEADER.FIELDS (X-None)]",
        "BODY.PEEK[HEADER.FIELDS.NOT (Subject)]",
        "(ENVELOPE BODY.PEEK[HEADER])",
        "(RFC822.SIZE ENVELOPE BODY)",
    };
    Client c(maildir);
    for (const std::string& text : messages) {
        const std::string size = std::to_string(text.size());
        c.send("t APPEND INBOX {" + size + "+}\r\n" + text + "\r\n");
        ASSERT_THAT(c.until("t"), HasSubstr("t OK"));
    }
    c("SELECT INBOX");
    for (const std::string& question : questions) {
        std::filesystem::remove(maildir.root() + "/postern.cache");
        Client cold(maildir);
        cold("EXAMINE INBOX");
        const std::string first = cold("FETCH 1:* " + question);
        EXPECT_THAT(first, HasSubstr("t OK")) << question;
        EXPECT_EQ(cold("FETCH 1:* " + question), first) << question;
        // The cache is made by another question, and used by this one.
        std::filesystem::remove(maildir.root() + "/postern.cache");
        Client other(maildir);
        other("EXAMINE INBOX");
        other("FETCH 1:* BODYSTRUCTURE");
        EXPECT_EQ(other("FETCH 1:* " + question), first) << question;
        EXPECT_EQ(c("FETCH 1:* " + question), first) << question;
    }
    EXPECT_TRUE(std::filesystem::exists(maildir.root() + "/postern.cache"));
}

TEST_F(SessionTest, WhatItAddsIsPreparedForTheFirstFetch) {
    {
        Client c(maildir);
        c("CREATE Copies");
        for (int i = 0; i < 3; ++i) EXPECT_THAT(c.append("INBOX", kPlain), HasSubstr("t OK"));
        c("SELECT INBOX");
        EXPECT_THAT(c("FETCH 1:2 ENVELOPE"), HasSubstr("t OK"));
        EXPECT_THAT(c("COPY 1:3 Copies"), HasSubstr("t OK"));
        c.finish();
    }
    const auto store = mailbox::Store::open(maildir.root()).value();
    for (const char* folder : {"INBOX", "Copies"}) {
        const auto view = store.mailbox(folder)->open(mailbox::Access::read_only).value();
        ASSERT_EQ(view->count(), 3U);
        for (std::uint32_t seq = 1; seq <= 3; ++seq) {
            const auto known = view->cached(seq);
            ASSERT_TRUE(known) << folder << seq;
            EXPECT_THAT(std::string(known->envelope), HasSubstr("first"));
        }
    }
}

TEST_F(SessionTest, HeaderSearchesAreTheSameFromTheCache) {
    Client c(maildir);
    for (const std::string& text :
         {std::string("From: Ann <ann@x.test>\r\nReceived: by mail.here\r\nDate: Mon, 6 Jul 2026 "
                      "10:00:00 +0000\r\n\r\nb\r\n"),
          std::string("From: =?utf-8?Q?J=C3=BCrgen?= <j@x.test>\r\nX-Mailer: two\r\n\r\nb\r\n"),
          std::string("Subject: three\r\nX-Long: ") + std::string(4000, 'z') + " needle\r\n\r\n"}) {
        c.send("t APPEND INBOX {" + std::to_string(text.size()) + "+}\r\n" + text + "\r\n");
        ASSERT_THAT(c.until("t"), HasSubstr("t OK"));
    }
    c("SELECT INBOX");
    const std::vector<std::pair<std::string, std::string>> rows{
        {"FROM ann", "* SEARCH 1\r\n"},
        {"HEADER Received here", "* SEARCH 1\r\n"},
        {"HEADER Received \"\"", "* SEARCH 1\r\n"},
        {"SENTON 6-Jul-2026", "* SEARCH 1\r\n"},
        {"HEADER X-Mailer two", "* SEARCH 2\r\n"},
        {"HEADER X-Long needle", "* SEARCH 3\r\n"},
        {"NOT HEADER X-Mailer \"\"", "* SEARCH 1 3\r\n"},
        {"HEADER X-None \"\"", "* SEARCH\r\n"},
        {"TEXT needle", "* SEARCH 3\r\n"},
        {"TEXT mail.here", "* SEARCH 1\r\n"},
    };
    for (const auto& [keys, expected] : rows) {
        std::filesystem::remove(maildir.root() + "/postern.cache");
        Client cold(maildir);
        cold("EXAMINE INBOX");
        EXPECT_THAT(cold("SEARCH " + keys), HasSubstr(expected)) << keys;
        EXPECT_THAT(cold("SEARCH " + keys), HasSubstr(expected)) << keys;
        EXPECT_THAT(c("SEARCH " + keys), HasSubstr(expected)) << keys;
    }
}

// STORE says OK when the log has it; names follow when the client is silent, or at the end.
TEST_F(SessionTest, NamesFollowAtTheLatestWithTheEnd) {
    Client c(maildir);
    for (int i = 0; i < 3; ++i) {
        c.send("t APPEND INBOX {3+}\r\na\r\n\r\n");
        ASSERT_THAT(c.until("t"), HasSubstr("t OK"));
    }
    c("SELECT INBOX");
    EXPECT_THAT(c("STORE 1,3 +FLAGS.SILENT (\\Flagged)"), StartsWith("t OK"));
    c("LOGOUT");
    c.finish();
    int flagged = 0, files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(maildir.root() + "/cur")) {
        ++files;
        if (entry.path().string().ends_with(":2,F")) ++flagged;
    }
    EXPECT_EQ(files, 3);
    EXPECT_EQ(flagged, 2);
}

}  // namespace
}  // namespace postern::imapd
