// The examples of RFC 9051 6.4.4 to 8: commands about messages, response codes, a whole session.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class Rfc9051Messages : public SessionTest {
  protected:
    static void enable(Client& c) {
        c.play("C: e1 ENABLE IMAP4rev2\nS: * ENABLED IMAP4rev2\nS: e1 OK ...");
    }
};

TEST_F(Rfc9051Messages, CheckOfRev1) {  // RFC 3501 6.4.1
    Client c(maildir);
    c("SELECT INBOX");
    c.play("C: FXXZ CHECK\nS: FXXZ OK ...");
}

TEST_F(Rfc9051Messages, Search) {  // RFC 9051 6.4.4, all examples
    fill(42, "(\\Seen) ");
    Client c(maildir);
    enable(c);
    c.append("INBOX",
             "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
             "\xd0\x9e\xd0\xa2\xd0\x9f\xd0\xa3\xd0\xa1\xd0\x9a\r\n");
    c("SELECT INBOX");
    c("STORE 2,10:11 +FLAGS.SILENT (\\Flagged)");
    c("STORE 4,6 -FLAGS.SILENT (\\Seen)");
    c("STORE 20:34 +FLAGS.SILENT (\\Deleted)");
    c.play(R"(
        C: A282 SEARCH RETURN (MIN COUNT) FLAGGED
            SINCE 1-Feb-1994 NOT FROM "Smith"
        S: * ESEARCH (TAG "A282") MIN 2 COUNT 3
        S: A282 OK ...
        C: A283 SEARCH RETURN () FLAGGED
            SINCE 1-Feb-1994 NOT FROM "Smith"
        S: * ESEARCH (TAG "A283") ALL 2,10:11
        S: A283 OK ...
        C: A284 SEARCH TEXT "string not in mailbox"
        S: * ESEARCH (TAG "A284")
        S: A284 OK ...
        C: A285 SEARCH CHARSET UTF-8 TEXT {12}
        S: + ...
        C: отпуск
        S: * ESEARCH (TAG "A285") ALL 43
        S: A285 OK ...
        C: A284 SEARCH RETURN (MIN) UNSEEN
        S: * ESEARCH (TAG "A284") MIN 4
        S: A284 OK ...
        C: A286 SEARCH RETURN (COUNT) DELETED
        S: * ESEARCH (TAG "A286") COUNT 15
        S: A286 OK ...
        C: A287 EXPUNGE
        S: ...
        S: A287 OK ...
        C: A288 STORE 1:6 +FLAGS.SILENT (\Deleted)
        S: A288 OK ...
        C: A289 EXPUNGE
        S: ...
        S: A289 OK ...
        // all that it says is UIDs; there are no 5000 messages
        C: A285 UID SEARCH RETURN (MIN MAX) 1:5000
        S: * ESEARCH (TAG "A285") UID MIN 7 MAX 43
        S: A285 OK ...
    )");
}

TEST_F(Rfc9051Messages, SearchOfRev1) {  // RFC 3501 6.4.4
    fill(42);
    Client c(maildir);
    c.append("INBOX",
             "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
             "\xd0\x9e\xd0\xa2\xd0\x9f\xd0\xa3\xd0\xa1\xd0\x9a\r\n");
    c("SELECT INBOX");
    c("STORE 2,10:11 +FLAGS.SILENT (\\Flagged)");
    c.play(R"(
        C: A282 SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
        S: * SEARCH 2 10 11
        S: A282 OK ...
        C: A283 SEARCH TEXT "string not in mailbox"
        S: * SEARCH
        S: A283 OK ...
        C: A284 SEARCH CHARSET UTF-8 TEXT {12}
        S: + ...
        C: отпуск
        S: * SEARCH 43
        S: A284 OK ...
    )");
}

TEST_F(Rfc9051Messages, Fetch) {  // RFC 9051 6.4.5
    fill(4);
    Client c(maildir);
    c("SELECT INBOX");
    const std::string date = "Date: Wed, 17 Jul 1996 02:23:25 -0700";
    const std::string from = "From: Terry Gray <gray@cac.example>";
    c.value("size") = std::to_string(date.size() + from.size() + 6);
    c.play(R"(
        C: A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])
        S: * 2 FETCH (FLAGS (\Seen \Recent) BODY[HEADER.FIELDS (DATE FROM)] {<<size>>}
        S: Date: Wed, 17 Jul 1996 02:23:25 -0700
        S: From: Terry Gray <gray@cac.example>
        S:
        S: )
        S: * 3 FETCH (FLAGS (\Seen \Recent) BODY[HEADER.FIELDS (DATE FROM)] {<<size>>}
        S: ...
        S: * 4 FETCH (FLAGS (\Seen \Recent) BODY[HEADER.FIELDS (DATE FROM)] {<<size>>}
        S: ...
        S: A654 OK ...
    )");
}

TEST_F(Rfc9051Messages, PartSpecifiers) {  // RFC 9051 6.4.5.1
    Client c(maildir);
    const std::string png = "Content-Type: image/png\r\n\r\nPNG\r\n";
    const std::string text = "Content-Type: text/plain\r\n\r\nTEXT\r\n";
    const std::string html = "Content-Type: text/richtext\r\n\r\nRICH\r\n";
    const auto multipart = [](const std::string& boundary, std::vector<std::string> parts) {
        std::string out = "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n";
        for (const auto& part : parts) out += "--" + boundary + "\r\n" + part;
        return out + "--" + boundary + "--\r\n";
    };
    const auto message = [](const std::string& subject, const std::string& content) {
        return "Content-Type: message/rfc822\r\n\r\nSubject: " + subject + "\r\n" + content;
    };
    // 1 text, 2 octet-stream, 3 message (3.1 text, 3.2 octet-stream), 4 multipart (4.1 gif,
    // 4.2 message (4.2.1 text, 4.2.2 alternative (4.2.2.1 text, 4.2.2.2 richtext)))
    c.append(
        "INBOX",
        "Subject: outer\r\n" +
            multipart(
                "a",
                {text, png, message("three", multipart("b", {text, png})),
                 multipart("c",
                           {png, message("four",
                                         multipart("d", {text, multipart("e", {text, html})}))})}));
    c("SELECT INBOX");
    c.play(R"imap(
        C: 1 FETCH 1 (BODY.PEEK[1] BODY.PEEK[2] BODY.PEEK[1.MIME])
        S: * 1 FETCH (BODY[1] {4}
        S: TEXT BODY[2] {3}
        S: PNG BODY[1.MIME] {28}
        S: Content-Type: text/plain
        S:
        S: )
        S: 1 OK ...
        C: 2 FETCH 1 (BODY.PEEK[3.HEADER] BODY.PEEK[3.1] BODY.PEEK[3.2] BODY.PEEK[3.TEXT])
        S: * 1 FETCH (BODY[3.HEADER] {...}
        S: Subject: three
        S: Content-Type: multipart/mixed; boundary=b
        S:
        S:  BODY[3.1] {4}
        S: TEXT BODY[3.2] {3}
        S: PNG BODY[3.TEXT] {...}
        S: --b
        S: ...
        S: --b--)
        S: 2 OK ...
        C: 3 FETCH 1 (BODY.PEEK[4.1] BODY.PEEK[4.1.MIME] BODY.PEEK[4.2.HEADER] BODY.PEEK[4.2.1])
        S: * 1 FETCH (BODY[4.1] {3}
        S: PNG BODY[4.1.MIME] {27}
        S: Content-Type: image/png
        S:
        S:  BODY[4.2.HEADER] {...}
        S: Subject: four
        S: ...
        S:  BODY[4.2.1] {4}
        S: TEXT)
        S: 3 OK ...
        C: 4 FETCH 1 (BODY.PEEK[4.2.2.1] BODY.PEEK[4.2.2.2] BODY.PEEK[4.2.2.3])
        S: * 1 FETCH (BODY[4.2.2.1] {4}
        S: TEXT BODY[4.2.2.2] {4}
        S: RICH BODY[4.2.2.3] NIL)
        S: 4 OK ...
    )imap");
}

TEST_F(Rfc9051Messages,
       Store) {  // RFC 9051 6.4.6; the examples leave out the UIDs that 7.5.2 wants
    fill(4);
    Client c(maildir);
    enable(c);
    c("SELECT INBOX");
    c("STORE 2,4 +FLAGS.SILENT (\\Seen)");
    c("STORE 4 +FLAGS.SILENT (\\Flagged)");
    c.play(R"(
        C: A003 STORE 2:4 +FLAGS (\Deleted)
        S: * 2 FETCH (UID 2 FLAGS (\Deleted \Seen))
        S: * 3 FETCH (UID 3 FLAGS (\Deleted))
        S: * 4 FETCH (UID 4 FLAGS (\Flagged \Deleted \Seen))
        S: A003 OK ...
    )");
}

TEST_F(Rfc9051Messages, CopyAndMove) {  // RFC 9051 6.4.7, 6.4.8
    fill(6);
    Client c(maildir);
    c("CREATE MEETING");
    c("CREATE foo");
    enable(c);
    c("SELECT INBOX");
    c("UID STORE 2,4 +FLAGS.SILENT (\\Deleted)");
    c("EXPUNGE");
    c.play(R"(
        C: A003 COPY 2:4 MEETING
        S: A003 OK [COPYUID <<meeting>> 3,5:6 1:3] ...
        C: a UID MOVE 5:69 foo
        S: * OK [COPYUID <<foo>> 5:6 1:2] ...
        S: * 3 EXPUNGE
        S: * 3 EXPUNGE
        S: a OK ...
    )");
}

TEST_F(Rfc9051Messages, Uid) {  // RFC 9051 6.4.9, both examples
    fill(8);
    Client c(maildir);
    c("SELECT INBOX");
    c("STORE 1:2,4:6 +FLAGS.SILENT (\\Deleted)");
    c("UID EXPUNGE 1:2");
    c.play(R"(
        C: A003 UID EXPUNGE 4:6
        S: * 2 EXPUNGE
        S: * 2 EXPUNGE
        S: * 2 EXPUNGE
        S: A003 OK ...
        C: A004 STORE 1:* FLAGS.SILENT (\Seen)
        S: A004 OK ...
        C: A999 UID FETCH 3:4828442 FLAGS
        S: * 1 FETCH (UID 3 FLAGS (\Seen \Recent))
        S: * 2 FETCH (UID 7 FLAGS (\Seen \Recent))
        S: * 3 FETCH (UID 8 FLAGS (\Seen \Recent))
        S: A999 OK ...
    )");
}

TEST_F(Rfc9051Messages, ExperimentalCommands) {  // RFC 9051 6.5, and the end of 7.6
    Client c(maildir);
    c.play(R"(
        C: A442 XPIG-LATIN
        S: A442 BAD ...
        C: A044 BLURDYBLOOP {102856}
        S: A044 BAD ...
    )");
}

// RFC 9051 7.1, RFC 5530 3: the response codes that a session gives. Not ours: CORRUPTION,
// EXPUNGEISSUED, HASCHILDREN (names above others can be deleted), SERVERBUG, UIDNOTSTICKY.
TEST_F(Rfc9051Messages, ResponseCodes) {
    Client c(maildir, {}, {}, {2 * kPlain.size(), 0});
    c("CREATE that");
    c("CREATE oldmail");
    c.append("INBOX", kPlain);
    c.append("INBOX", kPlain);
    c("SELECT INBOX");
    c.play(R"(
        C: o355 RENAME this that2
        S: o355 NO [NONEXISTENT] ...
        C: o356 CREATE this
        S: o356 OK ...
        C: o357 RENAME this that
        S: o357 NO [ALREADYEXISTS] ...
        C: l create "......."
        S: l NO [CANNOT] ...
        C: h SEARCH CHARSET X-UNKNOWN SUBJECT x
        S: h NO [BADCHARSET ...] ...
        C: n1 uid copy 1:* oldmail
        S: n1 NO [OVERQUOTA] ...
        C: a COPY 1 nowhere
        S: a NO [TRYCREATE] ...
        C: a MOVE 1 nowhere
        S: a NO [TRYCREATE] ...
        C: p DELETE nothing
        S: p NO [NONEXISTENT] ...
        C: q SETACL that "" lr
        S: q BAD ...
    )");
    std::string flags;
    for (int i = 0; i < 250; ++i) flags += " f" + std::to_string(i);
    c.value("flags") = flags;
    c.play("C: m STORE 1 FLAGS (a<<flags>>)\nS: m NO [LIMIT] ...");
}

// RFC 9051 7.1.3: a line without a command, and one that is too long. RFC 9051 7 lets each be
// untagged or tagged with what could be read of the tag.
TEST_F(Rfc9051Messages, Bad) {
    Client c(maildir);
    c.play("C:\nS: * BAD ...");
    c.value("long") = std::string(200'000, 'x');
    c.play("C: <<long>>\nS: * BAD ...\nC: A443 NOOP\nS: A443 OK ...");
}

// RFC 9051 8, RFC 3501 8, from the end of the login on. The name of the encoding is "7bit" where
// the field is missing, as case does not matter in it
TEST_F(Rfc9051Messages, AWholeSession) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    Client c(maildir);
    fill(11);
    std::string body;
    for (int i = 0; i < 92; ++i) body += "one of ninety-two lines\r\n";
    c.append("INBOX",
             "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
             "From: Terry Gray <gray@cac.washington.edu>\r\n"
             "Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
             "To: imap@cac.washington.edu\r\n"
             "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
             "Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
             "MIME-Version: 1.0\r\n"
             "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n" +
                 body,
             "(\\Seen) \"17-Jul-1996 02:44:25 -0700\" ");
    fill(6);
    c.value("size") = std::to_string(342 + body.size());
    c.value("octets") = std::to_string(body.size());
    c.play(R"imap(
        C: babc ENABLE IMAP4rev2
        S: * ENABLED IMAP4rev2
        S: babc OK ...
        C: a002 select inbox
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)
        S: ...
        S: * 18 EXISTS
        S: * OK [UIDVALIDITY <<validity>>] ...
        S: ...
        S: * LIST () "." INBOX
        S: a002 OK [READ-WRITE] ...
        C: a003 fetch 12 full
        S: * 12 FETCH (FLAGS (\Seen) INTERNALDATE
           "17-Jul-1996 09:44:25 +0000" RFC822.SIZE <<size>> ENVELOPE
           ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)"
           "IMAP4rev2 WG mtg summary and minutes"
           (("Terry Gray" NIL "gray" "cac.washington.edu"))
           (("Terry Gray" NIL "gray" "cac.washington.edu"))
           (("Terry Gray" NIL "gray" "cac.washington.edu"))
           ((NIL NIL "imap" "cac.washington.edu"))
           ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU"))
           NIL NIL
           "<B27397-0100000@cac.washington.edu>")
           BODY ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit"
           <<octets>> 92))
        S: a003 OK ...
        C: a004 fetch 12 body[header]
        S: * 12 FETCH (BODY[HEADER] {342}
        S: Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
        S: From: Terry Gray <gray@cac.washington.edu>
        S: Subject: IMAP4rev2 WG mtg summary and minutes
        S: To: imap@cac.washington.edu
        S: cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>
        S: Message-Id: <B27397-0100000@cac.washington.edu>
        S: MIME-Version: 1.0
        S: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
        S:
        S: )
        S: a004 OK ...
        C: a005 store 12 +flags \deleted
        S: * 12 FETCH (UID 12 FLAGS (\Deleted \Seen))
        S: a005 OK ...
        C: a006 logout
        S: * BYE ...
        S: a006 OK ...
    )imap");
}

}  // namespace
}  // namespace postern::imapd
