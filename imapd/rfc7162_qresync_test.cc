// QRESYNC (RFC 7162 3.2, 6), example by example, with our names, UIDs and mod-sequences. CONDSTORE
// is in rfc7162_test.cc.
#include "imapd/rfc7162_fixture.h"

namespace postern::imapd {
namespace {

class Rfc7162Qresync : public Rfc7162 {};

// 3.2.5, first example
TEST_F(Rfc7162Qresync, AnotherUidValidityIsNoResynchronization) {
    fill(5, "2");
    Client c(maildir);
    c("ENABLE QRESYNC");
    c.play(R"(
        C: A02 SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))
        S: * FLAGS ...
        S: * OK [PERMANENTFLAGS ...
        S: * 4 EXISTS
        S: * 0 RECENT
        S: * OK [UNSEEN 1] ...
        S: * OK [UIDVALIDITY <<validity>>] ...
        S: * OK [UIDNEXT 6] ...
        S: * OK [HIGHESTMODSEQ <<highest>>] ...
        S: * OK [MAILBOXID ...
        S: A02 OK [READ-WRITE] ...)");
}

// 3.2.5.1
TEST_F(Rfc7162Qresync, ResynchronizesTheUidsThatAreKnown) {
    fill(12);
    Client c(maildir);
    highest(c);
    {
        Client other(maildir);
        other("SELECT INBOX");
        other("STORE 2,4:6,8,12 +FLAGS.SILENT (\\Deleted)");
        other("EXPUNGE");
        other("UID STORE 7 +FLAGS ($MDNSent \\Draft)");
        other("UID STORE 11 +FLAGS (\\Seen $Forwarded)");
    }
    c("ENABLE QRESYNC");
    c("SELECT INBOX");
    c.play(R"(
        C: A03 SELECT INBOX (QRESYNC (<<validity>> <<highest>> 3:6,8:11))
        S: * OK [CLOSED] ...
        S: * FLAGS ...
        S: * OK [PERMANENTFLAGS ...
        S: * 6 EXISTS
        S: * 0 RECENT
        S: * OK [UNSEEN 1] ...
        S: * OK [UIDVALIDITY <<validity>>] ...
        S: * OK [UIDNEXT 13] ...
        S: * OK [HIGHESTMODSEQ <<now>>] ...
        S: * OK [MAILBOXID ...
        S: * VANISHED (EARLIER) 4:6,8
        S: * 6 FETCH (UID 11 FLAGS (\Seen $Forwarded) MODSEQ (<<eleven>>))
        S: A03 OK [READ-WRITE] ...)");
}

// 3.2.5.2: a server that remembers no expunges (for so long), with UIDs that are divisible by three
TEST_F(Rfc7162Qresync, MessageSequenceMatchData) {
    fill(30, "1:2,4:5,7:8,10:11,13:14,16:17,19:20,22:23,25:26,28:29");
    Client c(maildir);
    highest(c);
    c("ENABLE QRESYNC");
    c("SELECT INBOX");
    c.play(R"(
        C: A04 SELECT INBOX (QRESYNC (<<validity>> 1 1:27))
        S: ...
        S: * 10 EXISTS
        S: ...
        S: * VANISHED (EARLIER) 1:2,4:5,7:8,10:11,13:14,16:17,19:20,22:23,25:26
        S: * 1 FETCH (UID 3 FLAGS () MODSEQ (...
        S: ...
        S: * 9 FETCH (UID 27 FLAGS () MODSEQ (...
        S: A04 OK [READ-WRITE] ...)");
    c.play(R"(
        C: B04 SELECT INBOX (QRESYNC (<<validity>> 1 1:27 (5,7:9 15,21,24,27)))
        S: ...
        S: * OK [MAILBOXID ...
        S: * 1 FETCH (UID 3 FLAGS () MODSEQ (...
        S: ...
        S: * 9 FETCH (UID 27 FLAGS () MODSEQ (...
        S: B04 OK [READ-WRITE] ...)");
    // "the fourth message has UID 8", the next pair does not match: the lowest is UID 9
    c.play(R"(
        C: C04 SELECT INBOX (QRESYNC (<<validity>> 1 1:27 (4,7 12,20)))
        S: ...
        S: * VANISHED (EARLIER) 13:14,16:17,19:20,22:23,25:26
        S: ...
        S: C04 OK ...)");
}

// 3.2.6
TEST_F(Rfc7162Qresync, VanishedFetchModifier) {
    fill(12);
    Client c(maildir);
    highest(c);
    {
        Client other(maildir);
        other("SELECT INBOX");
        other("STORE 1:3,5,11 +FLAGS.SILENT (\\Deleted)");
        other("EXPUNGE");
        other("UID STORE 4 +FLAGS (\\Seen)");
        other("UID STORE 6 +FLAGS (\\Deleted)");
        other("UID STORE 8 +FLAGS ($NoJunk $AutoJunk $MDNSent)");
    }
    c("SELECT INBOX");
    // with two commands; "UID SEARCH 300:500" of the RFC lacks the key UID
    c.play(R"(
        C: s100 UID FETCH 1:11 (FLAGS) (CHANGEDSINCE <<highest>>)
        S: * 1 FETCH (UID 4 MODSEQ (<<four>>) FLAGS (\Seen))
        S: * 2 FETCH (UID 6 MODSEQ (<<six>>) FLAGS (\Deleted))
        S: * 4 FETCH (UID 8 MODSEQ (<<eight>>) FLAGS ($NoJunk $AutoJunk $MDNSent))
        S: s100 OK ...
        C: s101 UID SEARCH UID 1:11
        S: * SEARCH 4 6 7 8 9 10
        S: s101 OK ...)");
    c.play(R"(
        C: s099 UID FETCH 1:11 (FLAGS) (CHANGEDSINCE <<highest>> VANISHED)
        S: s099 BAD ...)");
    c("ENABLE QRESYNC");
    c.play(R"(
        C: s100 UID FETCH 1:11 (FLAGS) (CHANGEDSINCE <<highest>> VANISHED)
        S: * VANISHED (EARLIER) 1:3,5,11
        S: * 1 FETCH (UID 4 MODSEQ (<<four>>) FLAGS (\Seen))
        S: * 2 FETCH (UID 6 MODSEQ (<<six>>) FLAGS (\Deleted))
        S: * 4 FETCH (UID 8 MODSEQ (<<eight>>) FLAGS ($NoJunk $AutoJunk $MDNSent))
        S: s100 OK ...
        C: s102 FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)
        S: s102 BAD ...
        C: s103 UID FETCH 1 (FLAGS) (VANISHED)
        S: s103 BAD ...)");
}

// 3.2.7, 3.2.8: messages 3, 4, 7 and 11, without and with QRESYNC
TEST_F(Rfc7162Qresync, Expunge) {
    for (const std::string folder : {"a", "b"}) {
        Client c(maildir);
        c("CREATE " + folder);
        fill(25, "1:14", folder);
        if (folder == "b") c("ENABLE QRESYNC");
        c("SELECT " + folder);
        c("STORE 3,4,7,11 +FLAGS.SILENT (\\Deleted)");
        if (folder == "a")
            c.play(R"(
                C: A202 EXPUNGE
                S: * 3 EXPUNGE
                S: * 3 EXPUNGE
                S: * 5 EXPUNGE
                S: * 8 EXPUNGE
                S: A202 OK Expunge completed.)");
        else
            c.play(R"(
                C: B202 EXPUNGE
                S: * VANISHED 17:18,21,25
                S: B202 OK [HIGHESTMODSEQ <<highest>>] ...
                C: A202 CLOSE
                S: A202 OK Close completed.)");
    }
}

// RFC 6851 4.4
TEST_F(Rfc7162Qresync, Move) {
    fill(4);
    Client c(maildir);
    c("CREATE foo");
    c("ENABLE QRESYNC");
    c("SELECT INBOX");
    c.play(R"(
        C: a UID MOVE 2:3 foo
        S: * OK [COPYUID <<validity>> 2:3 1:2] ...
        S: * VANISHED 2:3
        S: a OK [HIGHESTMODSEQ <<highest>>] Move completed.)");
}

// 3.2.9
TEST_F(Rfc7162Qresync, UidExpunge) {
    fill(7);
    Client c(maildir);
    c("SELECT INBOX");
    c("STORE 3:5,7 +FLAGS.SILENT (\\Deleted)");
    c.play(R"(
        C: . UID EXPUNGE 3:6
        S: * 3 EXPUNGE
        S: * 3 EXPUNGE
        S: * 3 EXPUNGE
        S: . OK ...)");
    c("ENABLE QRESYNC");
    c.play(R"(
        C: . UID EXPUNGE 7
        S: * VANISHED 7
        S: . OK [HIGHESTMODSEQ <<highest>>] ...)");
}

// 3.2.10.2
TEST_F(Rfc7162Qresync, VanishedHasTheUidsSinceTheLastOne) {
    fill(11);
    Client c(maildir);
    c("ENABLE QRESYNC");
    c("SELECT INBOX");
    c("STORE 3,4,7,11 +FLAGS.SILENT (\\Deleted)");
    c.play(R"(
        C: A202 EXPUNGE
        S: * VANISHED 3:4,7,11
        S: A202 OK [HIGHESTMODSEQ <<first>>] ...)");
    c("UID STORE 2,5 +FLAGS.SILENT (\\Deleted)");
    c.play(R"(
        C: A210 EXPUNGE
        S: * VANISHED 2,5
        S: A210 OK [HIGHESTMODSEQ <<second>>] ...)");
    EXPECT_LT(c.value("first"), c.value("second"));
    // "MUST NOT be sent ... while responding to a FETCH, STORE, or SEARCH", but may with UID
    Client other(maildir);
    other("SELECT INBOX");
    other("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other("EXPUNGE");
    c.play(R"(
        C: A211 SEARCH ALL
        S: * SEARCH ...
        S: ...
        S: A211 OK ...
        C: A212 UID SEARCH ALL
        S: * SEARCH 1 6 8 9 10
        S: * VANISHED 1
        S: A212 OK ...)");
}

// 6, and RFC 5550's correction: what the client takes for the highest must not be above an expunge
// that it has not heard of. (The RFC's dialogue stores flags of the message that is gone, and says
// MODIFIED of one that was not named.)
TEST_F(Rfc7162Qresync, ModSequencesWhileExpungesAreHeld) {
    fill(9, "1:5");  // UIDs 6 to 9
    Client c(maildir), other(maildir);
    c("ENABLE QRESYNC");
    c("SELECT INBOX");
    other("SELECT INBOX");
    c.value("known") = highest(c);
    other("STORE 3 +FLAGS.SILENT (\\Deleted)");
    c("NOOP");
    highest(c);
    other("EXPUNGE");
    c.play(R"(
        C: A150 STORE 1:2 (UNCHANGEDSINCE <<known>>) +FLAGS.SILENT (\Seen)
        S: * 1 FETCH (UID 6 MODSEQ (<<stored>>))
        S: * 2 FETCH (UID 7 MODSEQ (<<stored>>))
        S: * OK [HIGHESTMODSEQ <<held>>] ...
        S: A150 OK ...
        C: A151 STORE 4 +FLAGS.SILENT (\Seen)
        S: * 4 FETCH (UID 9 MODSEQ (<<later>>))
        S: * OK [HIGHESTMODSEQ <<held>>] ...
        S: A151 OK ...)");
    EXPECT_LT(c.value("held"), c.value("stored"));
    EXPECT_LT(c.value("stored"), c.value("later"));
    {
        // The connection is lost here: another one begins with that number.
        Client again(maildir);
        again("ENABLE QRESYNC");
        again.value("validity") = c.value("validity");
        again.value("held") = c.value("held");
        again.play(R"(
            C: a SELECT INBOX (QRESYNC (<<validity>> <<held>>))
            S: ...
            S: * VANISHED (EARLIER) 8
            S: ...
            S: a OK ...)");
    }
    c.play(R"(
        C: A152 NOOP
        S: * VANISHED 8
        S: A152 OK ...)");
}

// 6, last example
TEST_F(Rfc7162Qresync, Synchronization) {
    fill(19);
    Client c(maildir);
    highest(c);
    {
        Client other(maildir);
        other("SELECT INBOX");
        other("STORE 1:5,7:8,10:15 +FLAGS.SILENT (\\Deleted)");
        other("EXPUNGE");
        other("UID STORE 6 +FLAGS (\\Deleted)");
        other("UID STORE 9 +FLAGS ($NoJunk $AutoJunk $MDNSent)");
    }
    c("ENABLE QRESYNC");
    c.play(R"(
        C: A142 SELECT INBOX (QRESYNC (<<validity>> <<highest>> 1:18))
        S: ...
        S: * 6 EXISTS
        S: ...
        S: * VANISHED (EARLIER) 1:5,7:8,10:15
        S: * 1 FETCH (UID 6 FLAGS (\Deleted) MODSEQ (<<six>>))
        S: * 2 FETCH (UID 9 FLAGS ($NoJunk $AutoJunk $MDNSent) MODSEQ (<<nine>>))
        S: A142 OK [READ-WRITE] ...)");
}

// 3.2: so does a change of the mailbox's annotations
TEST_F(Rfc7162Qresync, MetadataRaisesTheModSequence) {
    fill(1);
    Client c(maildir);
    const std::string before = highest(c);
    c("SETMETADATA INBOX (/private/comment \"new\")");
    Client again(maildir);
    EXPECT_LT(before, highest(again));
}

}  // namespace
}  // namespace postern::imapd
