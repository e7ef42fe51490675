// The examples of the RFCs about messages that come and go: UIDPLUS (4315), MULTIAPPEND (3502),
// CATENATE (4469), REPLACE (8508), $MDNSent (3503), UTF8=ACCEPT (6855). MOVE's is RFC 9051's. RFC
// 3516 (BINARY) has none.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class RfcAppend : public SessionTest {
  protected:
    // A draft of a text and an archive, and the archive that shall replace it, each in Drafts.
    void make_drafts(Client& c) {
        c("CREATE Drafts");
        c.play(R"(
            C: 1 APPEND Drafts {#+}
            C: From: Bob Ar <bar@example.org>
            C: Subject: About our holiday trip
            C: MIME-Version: 1.0
            C: Content-Type: multipart/mixed;
            C:               boundary="------------030308070208000400050907"
            C:
            C: --------------030308070208000400050907
            C: Content-Type: text/plain; charset=us-ascii
            C:
            C: Our travel agent has sent the schedule.
            C: --------------030308070208000400050907
            C: Content-Type: application/x-zip-compressed
            C: Content-Transfer-Encoding: base64
            C:
            C: UEsFBg==
            C: --------------030308070208000400050907--
            C:
            S: 1 OK [APPENDUID <<validity>> <<draft>>] ...
            C: 2 APPEND Drafts {#+}
            C: Content-Type: application/x-zip-compressed
            C: Content-Transfer-Encoding: base64
            C:
            C: UEsDBA==
            C:
            S: 2 OK [APPENDUID <<validity>> <<archive>>] ...
        )");
    }
};

TEST_F(RfcAppend, UidPlus) {  // RFC 4315 2.1; 3 is RFC 9051 6.4.7's, with APPEND there
    fill(5);
    Client c(maildir);
    c.play(R"(
        C: 1 SELECT INBOX
        S: ...
        S: 1 OK ...
        C: 2 STORE 3:5 +FLAGS.SILENT (\Deleted)
        S: 2 OK ...
        C: A003 UID EXPUNGE 3:5
        S: * 3 EXPUNGE
        S: * 3 EXPUNGE
        S: * 3 EXPUNGE
        S: A003 OK ...
    )");
}

TEST_F(RfcAppend, MultiAppend) {  // RFC 3502 6.3.11
    Options options;
    options.max_message = 30'000;
    Client c(maildir, options);
    c("CREATE saved-messages");
    c("CREATE test");
    c.play(R"(
        C: A003 APPEND saved-messages (\Seen) {#}
        S: + ...
        C: Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)
        C: From: Fred Foobar <foobar@Blurdybloop.example.COM>
        C: Subject: afternoon meeting
        C: To: mooch@owatagu.example.net
        C: Message-Id: <B27397-0100000@Blurdybloop.example.COM>
        C: MIME-Version: 1.0
        C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
        C:
        C: Hello Joe, do you think we can meet at 3:30 tomorrow?
        C:  (\Seen) " 7-Feb-1994 22:43:04 -0800" {#}
        S: + ...
        C: Date: Mon, 7 Feb 1994 22:43:04 -0800 (PST)
        C: From: Joe Mooch <mooch@OWaTaGu.example.net>
        C: Subject: Re: afternoon meeting
        C: To: foobar@blurdybloop.example.com
        C: Message-Id: <a0434793874930@OWaTaGu.example.net>
        C: MIME-Version: 1.0
        C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
        C:
        C: 3:30 is fine with me.
        C:
        S: A003 OK [APPENDUID <<saved>> 1:2] ...
        C: A004 APPEND bogusname (\Flagged) {1023}
        S: A004 NO [TRYCREATE] ...
        C: A005 APPEND test (\Flagged) {#}
        S: + ...
        C: Date: Mon, 7 Feb 2000 22:43:04 -0800 (PST)
        C: From: Fred Foobar <fred@example.com>
        C: Subject: hmm...
        C:  {35403}
        S: A005 NO [TOOBIG] ...
        C: A006 STATUS test (MESSAGES)
        S: * STATUS test (MESSAGES 0)
        S: A006 OK ...
    )");
}

TEST_F(RfcAppend, CatenateReplacesAnAttachment) {  // RFC 4469 5, example 1
    Client c(maildir);
    make_drafts(c);
    c.play(R"(
        C: A003 APPEND Drafts (\Seen \Draft $MDNSent) CATENATE
           (URL "/Drafts;UIDVALIDITY=<<validity>>/;UID=<<draft>>/;section=HEADER"
           TEXT {#}
        S: + ...
        C:
        C: --------------030308070208000400050907
        C:  URL "/Drafts;UIDVALIDITY=<<validity>>/;UID=<<draft>>/;section=1.MIME"
           URL "/Drafts;UIDVALIDITY=<<validity>>/;UID=<<draft>>/;section=1" TEXT {#}
        S: + ...
        C:
        C: --------------030308070208000400050907
        C:  URL "/Drafts;UIDVALIDITY=<<validity>>/;UID=<<archive>>" TEXT {#}
        S: + ...
        C:
        C: --------------030308070208000400050907--
        C: )
        S: A003 OK [APPENDUID <<validity>> <<new>>] ...
    )");
    c("SELECT Drafts");
    c.play(R"(
        C: 1 UID FETCH <<new>> (FLAGS BODY.PEEK[1] BODY.PEEK[2])
        S: * 3 FETCH (UID <<new>> FLAGS (\Seen \Draft $MDNSent \Recent) BODY[1] {...}
        S: Our travel agent has sent the schedule. BODY[2] {10}
        S: UEsDBA==
        S: )
        S: 1 OK ...
    )");
}

TEST_F(RfcAppend, CatenateReplacesTheText) {  // RFC 4469 5, example 2
    Client c(maildir);
    make_drafts(c);
    c("SELECT Drafts");
    c.play(R"(
        C: A003 APPEND Drafts (\Seen \Draft $MDNSent) CATENATE (TEXT {#}
        S: + ...
        C: Message-ID: <419399E1.6000505@example.org>
        C: Date: Thu, 12 Nov 2004 16:57:05 +0000
        C: From: Bob Ar <bar@example.org>
        C: MIME-Version: 1.0
        C: To: foo@example.net
        C: Subject: About our holiday trip
        C: Content-Type: multipart/mixed;
        C:               boundary="------------030308070208000400050907"
        C:
        C: --------------030308070208000400050907
        C: Content-Type: text/plain; charset=us-ascii; format=flowed
        C: Content-Transfer-Encoding: 7bit
        C:
        C: Our travel agent has sent the updated schedule.
        C:
        C: Cheers,
        C: Bob
        C: --------------030308070208000400050907
        C:  URL "/Drafts;UIDVALIDITY=<<validity>>/;UID=<<draft>>/;Section=2.MIME"
           URL "/Drafts;UIDVALIDITY=<<validity>>/;UID=<<draft>>/;Section=2" TEXT {#}
        S: + ...
        C:
        C: --------------030308070208000400050907--
        C: )
        S: ...
        S: A003 OK [APPENDUID <<validity>> <<new>>] ...
        C: A004 UID STORE <<draft>> +FLAGS.SILENT (\Deleted)
        S: A004 OK ...
        C: 1 UID FETCH <<new>> BODY.PEEK[2]
        S: * 3 FETCH (UID <<new>> BODY[2] {8}
        S: UEsFBg==)
        S: 1 OK ...
    )");
}

TEST_F(RfcAppend, CatenateStripsAnAttachment) {  // RFC 4469 5, example 3
    Client c(maildir);
    make_drafts(c);
    c.play(R"(
        C: A003 APPEND Drafts (\Seen \Draft $MDNSent) CATENATE
           (URL "/Drafts;UIDVALIDITY=<<validity>>/;UID=<<draft>>/;section=HEADER"
           TEXT {#}
        S: + ...
        C:
        C: --------------030308070208000400050907
        C:  URL "/Drafts;UIDVALIDITY=<<validity>>/;UID=<<draft>>/;section=1.MIME"
           URL "/Drafts;UIDVALIDITY=<<validity>>/;UID=<<draft>>/;section=1" TEXT {#}
        S: + ...
        C:
        C: --------------030308070208000400050907
        C: Content-type: text/plain; charset="us-ascii"
        C: Content-transfer-encoding: 7bit
        C:
        C: This body part contained a Power Point presentation that was
        C: deleted upon your request.
        C: --------------030308070208000400050907--
        C: )
        S: A003 OK [APPENDUID <<validity>> <<new>>] ...
    )");
}

// RFC 4469 5, example 4: a digest, of which one message is gone. Ours says so when the URL comes,
// not at the end.
TEST_F(RfcAppend, CatenateOfAMessageThatIsGone) {
    fill(2);
    Client c(maildir);
    c("CREATE Sent");
    c.play(R"(
        C: 1 SELECT INBOX
        S: ...
        S: * OK [UIDVALIDITY <<inbox>>] ...
        S: ...
        S: 1 OK ...
        C: A003 APPEND Sent (\Seen $MDNSent) CATENATE (TEXT {#}
        S: + ...
        C: From: Farren Oo <foo@example.org>
        C: Subject: Digest of the mailing list for today
        C: Content-Type: multipart/digest;
        C:               boundary="------------030308070208000400050904"
        C:
        C: --------------030308070208000400050904
        C:  URL "/INBOX;UIDVALIDITY=<<inbox>>/;UID=1" TEXT {#}
        S: + ...
        C:
        C: --------------030308070208000400050904
        C:  URL "/INBOX;UIDVALIDITY=<<inbox>>/;UID=113330/;section=1.5.9" TEXT {42}
        S: A003 NO [BADURL "/INBOX;UIDVALIDITY=<<inbox>>/;UID=113330/;section=1.5.9"] ...
        C: A004 STATUS Sent (MESSAGES)
        S: * STATUS Sent (MESSAGES 0)
        S: A004 OK ...
    )");
}

// RFC 8508 3.3, 3.4: ours tells of the replaced message before the new one, so that the count is
// right
TEST_F(RfcAppend, Replace) {
    Client c(maildir);
    c("CREATE Drafts");
    fill(4, "", "Drafts");
    c("SELECT Drafts");
    c.play(R"(
        C: A003 REPLACE 4 Drafts (\Seen \Draft) {#}
        S: + ...
        C: Date: Thu, 1 Jan 2015 00:05:00 -0500 (EST)
        C: From: Fritz Schmidt <fritz.ze@example.org>
        C: Subject: happy new year !!
        C: To: miss.mitzy@example.org
        C: Message-Id: <B238822388-0100000@example.org>
        C: MIME-Version: 1.0
        C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
        C:
        C: Just saw the best fireworks show. Wish you were here.
        C:
        S: * OK [APPENDUID <<validity>> 5] ...
        S: * 4 EXPUNGE
        S: * 4 EXISTS
        S: * 4 RECENT
        S: A003 OK ...
        C: A004 UID REPLACE 5 Drafts (\Seen \Draft) {#}
        S: + ...
        C: Date: Thu, 1 Jan 2015 00:06:00 -0500 (EST)
        C: From: Fritz Schmidt <fritz.ze@example.org>
        C: Subject: happy new year !!
        C: To: miss.mitzy@example.org
        C: Message-Id: <B238822389-0100000@example.org>
        C: MIME-Version: 1.0
        C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
        C:
        C: Just saw the best fireworks show. Wish you were here.
        C: Hopefully next year you can join us.
        C:
        S: * OK [APPENDUID <<validity>> 6] ...
        S: * 4 EXPUNGE
        S: * 4 EXISTS
        S: * 4 RECENT
        S: A004 OK ...
    )");
}

TEST_F(RfcAppend, ReplaceWithCatenate) {  // RFC 8508 4.4
    Client c(maildir);
    c("CREATE Drafts");
    c("SELECT Drafts");
    c.play(R"(
        C: A010 APPEND Drafts (\Seen \Draft) {#}
        S: + ...
        C: Date: Thu, 1 Jan 2015 00:10:00 -0500 (EST)
        C: From: Fritz Schmidt <fritz.ze@example.org>
        C: Message-ID: <B238822388-0100003@example.org>
        C: MIME-Version: 1.0
        C: Content-Type: multipart/mixed;
        C:         boundary="------------030305060306060609050804"
        C:
        C: --------------030305060306060609050804
        C: Content-Type: text/plain; charset=utf-8; format=flowed
        C: Content-Transfer-Encoding: 7bit
        C:
        C: Here is picture from the fireworks
        C:
        C: --------------030305060306060609050804--
        C:
        S: * 1 EXISTS
        S: * 1 RECENT
        S: A010 OK [APPENDUID <<validity>> 1] ...
        C: A011 UID REPLACE 1 Drafts CATENATE (TEXT {#}
        S: + ...
        C: To: Mitzy <miss.mitzy@example.org>
        C: Subject: My view of the fireworks
        C:  URL "/Drafts/;UID=1")
        S: * OK [APPENDUID <<validity>> 2] ...
        S: * 1 EXPUNGE
        S: * 1 EXISTS
        S: * 1 RECENT
        S: A011 OK ...
        C: A012 UID FETCH 2 BODY.PEEK[HEADER.FIELDS (To From Subject)]
        S: * 1 FETCH (UID 2 BODY[HEADER.FIELDS (To From Subject)] {...}
        S: To: Mitzy <miss.mitzy@example.org>
        S: Subject: My view of the fireworks
        S: From: Fritz Schmidt <fritz.ze@example.org>
        S:
        S: )
        S: A012 OK ...
    )");
}

TEST_F(RfcAppend, MdnSent) {  // RFC 3503 4, its four numbered parts
    fill(6, "(\\Seen) ");
    Client c(maildir);
    c.play(R"(
        C: a100 select INBOX
        S: * FLAGS (...)
        S: * OK [PERMANENTFLAGS (... \*)] ...
        S: * 6 EXISTS
        S: ...
        S: a100 OK [READ-WRITE] ...
        C: a200 STORE 4 +FLAGS ($MDNSent)
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded $MDNSent)
        S: * OK [PERMANENTFLAGS (... $MDNSent \*)] ...
        S: * 4 FETCH (FLAGS (\Seen $MDNSent \Recent))
        S: a200 OK ...
        C: a201 STORE 2,5 +FLAGS.SILENT ($MdnSENt)
        S: a201 OK ...
        C: a300 FETCH 1:* FLAGS
        S: * 1 FETCH (FLAGS (\Seen \Recent))
        S: * 2 FETCH (FLAGS (\Seen $MDNSent \Recent))
        S: * 3 FETCH (FLAGS (\Seen \Recent))
        S: * 4 FETCH (FLAGS (\Seen $MDNSent \Recent))
        S: * 5 FETCH (FLAGS (\Seen $MDNSent \Recent))
        S: * 6 FETCH (FLAGS (\Seen \Recent))
        S: a300 OK ...
        C: a400 SEARCH KEYWORD $mdnsent
        S: * SEARCH 2 4 5
        S: a400 OK ...
    )");
    std::string flags = "(";
    for (int i = 0; i < 62; ++i) flags += cat({i > 0 ? " f" : "f", std::to_string(i)});
    EXPECT_THAT(c("STORE 1 +FLAGS.SILENT " + flags + ")"), HasSubstr("t OK"));
    c.play("C: a200 STORE 4 +FLAGS ($OneMore)\nS: a200 NO [LIMIT] ...");
}

// RFC 6855 4 has no dialogue: UTF-8 in header fields, whole and as a part of CATENATE. What is
// appended without UTF8 is taken with 8-bit characters in the header too, against a MUST: clients
// move old mail that has them.
TEST_F(RfcAppend, Utf8) {
    Client c(maildir);
    c.play(R"(
        C: 1 ENABLE UTF8=ACCEPT
        S: * ENABLED UTF8=ACCEPT
        S: 1 OK ...
        C: 2 APPEND INBOX UTF8 (~{#+}
        C: Subject: für alle
        C:
        C: x
        C: )
        S: 2 OK [APPENDUID <<validity>> 1] ...
        C: 3 APPEND INBOX CATENATE (TEXT {#+}
        C: To: a@b.example
        C:  UTF8 (~{#+}
        C: Subject: für zwei
        C:
        C: y
        C: ))
        S: 3 OK [APPENDUID <<validity>> 2] ...
        C: 4 EXAMINE INBOX
        S: ...
        S: 4 OK ...
        C: 5 FETCH 2 BODY.PEEK[]
        S: * 2 FETCH (BODY[] {...}
        S: To: a@b.example
        S: Subject: für zwei
        S:
        S: y
        S: )
        S: 5 OK ...
        C: 6 SEARCH SUBJECT "für"
        S: * SEARCH 1 2
        S: 6 OK ...
        C: 7 SEARCH CHARSET UTF-8 SUBJECT "für"
        S: 7 BAD ...
    )");
    Client old(maildir);
    old.play(R"(
        C: 1 APPEND INBOX {#+}
        C: Subject: für alle
        C:
        C: x
        C:
        S: 1 OK ...
    )");
}

}  // namespace
}  // namespace postern::imapd
