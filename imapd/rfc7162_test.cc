// CONDSTORE (RFC 7162 3.1), example by example, with our names, UIDs and mod-sequences.
// Since we know QRESYNC, every FETCH that nobody asked for has the UID too (3.2.4), where examples
// of CONDSTORE alone have none. Example 2 (NOMODSEQ) has no place here: all mailboxes have
// mod-sequences that last.
#include "imapd/rfc7162_fixture.h"

namespace postern::imapd {
namespace {

TEST_F(Rfc7162, SelectTellsTheHighestModSequence) {
    fill(3);
    Client c(maildir);
    // 3.1.2.1, example 1
    c.play(R"(
        C: A142 SELECT INBOX
        S: * FLAGS (...)
        S: * OK [PERMANENTFLAGS (...)] ...
        S: * 3 EXISTS
        S: * 0 RECENT
        S: * OK [UNSEEN 1] ...
        S: * OK [UIDVALIDITY <<validity>>] ...
        S: * OK [UIDNEXT 4] ...
        S: * OK [HIGHESTMODSEQ <<highest>>] ...
        S: * OK [MAILBOXID (...)] ...
        S: A142 OK [READ-WRITE] ...)");
    // 3.1.7, example 17
    c.play(R"(
        C: A042 STATUS INBOX (UIDNEXT MESSAGES HIGHESTMODSEQ)
        // the first command that enables CONDSTORE, with a mailbox selected: 3.1
        S: * OK [HIGHESTMODSEQ <<highest>>] ...
        S: * STATUS INBOX (UIDNEXT 4 MESSAGES 3 HIGHESTMODSEQ <<highest>>)
        S: A042 OK ...)");
    // 3.1.8, example 18; 3.2.11 of the mailbox before
    c.play(R"(
        C: A142 SELECT INBOX (CONDSTORE)
        S: * OK [CLOSED] ...
        S: ...
        S: * OK [HIGHESTMODSEQ <<highest>>] ...
        S: * OK [MAILBOXID (...)] ...
        S: A142 OK [READ-WRITE] ...)");
}

// 3.2.11: to those who have enabled nothing, too
TEST_F(Rfc7162, ClosedDividesTwoMailboxes) {
    Client c(maildir);
    c("CREATE blurdybloop");
    c.play(R"(
        C: a SELECT INBOX
        S: * FLAGS ...
        S: ...
        S: a OK ...
        C: b EXAMINE blurdybloop
        S: * OK [CLOSED] ...
        S: * FLAGS ...
        S: ...
        S: b OK ...
        C: c CLOSE
        S: c OK Close completed.)");
}

TEST_F(Rfc7162, ConditionalStores) {
    fill(8, "1:3,5,7");  // UIDs 4, 6, 8
    Client c(maildir);
    const std::string known = highest(c);
    c("SELECT INBOX (CONDSTORE)");
    c.value("known") = known;
    // 3.1.3, example 3
    c.play(R"(
        C: a103 UID STORE 6,4,8 (UNCHANGEDSINCE <<known>>) +FLAGS.SILENT (\Deleted)
        S: * 1 FETCH (UID 4 MODSEQ (<<after>>))
        S: * 2 FETCH (UID 6 MODSEQ (<<after>>))
        S: * 3 FETCH (UID 8 MODSEQ (<<after>>))
        S: a103 OK ...)");
    // example 4
    c.play(R"(
        C: a104 STORE * (UNCHANGEDSINCE <<after>>) +FLAGS.SILENT (\Deleted $Processed)
        S: * FLAGS (... $Processed)
        S: * OK [PERMANENTFLAGS ...
        S: * 3 FETCH (UID 8 MODSEQ (<<later>>))
        S: a104 OK Store completed.)");
    EXPECT_LT(known, c.value("after"));
    EXPECT_LT(c.value("after"), c.value("later"));
    // example 5: the first command that enables CONDSTORE
    Client second(maildir);
    second("SELECT INBOX");
    second.value("later") = c.value("later");
    second.play(R"(
        C: c101 STORE 3 (UNCHANGEDSINCE <<later>>) -FLAGS.SILENT (\Deleted)
        S: * OK [HIGHESTMODSEQ <<later>>] ...
        S: * 3 FETCH (UID 8 MODSEQ (<<last>>))
        S: c101 OK ...)");
    // example 8; a keyword that is not known yet is not there, but its message is (3.1.3)
    c.play(R"(
        C: a102 STORE 2 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)
        S: ...
        S: a102 OK [MODIFIED 2] ...)");
}

TEST_F(Rfc7162, ConditionalStoresThatFail) {
    fill(9);
    Client c(maildir), other(maildir);
    c.value("known") = highest(c);
    c("SELECT INBOX (CONDSTORE)");
    other("SELECT INBOX");
    other("STORE 9 +FLAGS (\\Deleted \\Answered)");
    c("NOOP");
    c.value("then") = highest(c);
    other("STORE 7 +FLAGS (\\Seen \\Deleted)");
    other("STORE 9 -FLAGS (\\Deleted)");
    // 3.1.3, example 7; the flags are told after what was stored
    c.play(R"(
        C: d105 STORE 7,5,9 (UNCHANGEDSINCE <<then>>) +FLAGS.SILENT (\Deleted)
        S: * 5 FETCH (UID 5 MODSEQ (<<five>>))
        S: * 7 FETCH (UID 7 FLAGS (\Deleted \Seen) MODSEQ (<<seven>>))
        S: * 9 FETCH (UID 9 FLAGS (\Answered) MODSEQ (<<nine>>))
        S: d105 OK [MODIFIED 7,9] Conditional STORE failed.)");
    // example 6: the client knows already
    c.play(R"(
        C: d105 STORE 7,6,9 (UNCHANGEDSINCE <<then>>) +FLAGS.SILENT (\Deleted)
        S: * 6 FETCH (UID 6 MODSEQ (<<six>>))
        S: d105 OK [MODIFIED 7,9] Conditional STORE failed.)");
    // the note below example 11: a message that is named twice
    c.play(R"(
        C: e105 STORE 4,3:5 (UNCHANGEDSINCE <<five>>) +FLAGS.SILENT (\Deleted)
        S: * 3 FETCH (UID 3 MODSEQ (<<three>>))
        S: * 4 FETCH (UID 4 MODSEQ (<<three>>))
        S: * 5 FETCH (UID 5 MODSEQ (<<five>>))
        S: e105 OK Store completed.)");
}

TEST_F(Rfc7162, TheReasonIsToldWithTheFailure) {
    fill(5);
    Client c(maildir), other(maildir);
    c("SELECT INBOX (CONDSTORE)");
    other("SELECT INBOX");
    other("STORE 1 +FLAGS ($Processed)");
    other("STORE 1 -FLAGS ($Processed)");
    c("NOOP");
    c.value("known") = highest(c);
    // 3.1.3, example 10, first dialogue; example 9 is of a server that tells with the next NOOP
    other("STORE 2 +FLAGS ($Processed)");
    c.play(R"(
        C: a106 STORE 1:3 (UNCHANGEDSINCE <<known>>) +FLAGS.SILENT ($Processed)
        S: * 1 FETCH (UID 1 MODSEQ (<<stored>>))
        S: * 3 FETCH (UID 3 MODSEQ (<<stored>>))
        S: * 2 FETCH (UID 2 FLAGS ($Processed) MODSEQ (<<modseq>>))
        S: a106 OK [MODIFIED 2] ...
        C: a107 NOOP
        S: a107 OK ...)");
    // The client retries with what it knows now.
    c.play(R"(
        C: b108 STORE 2 (UNCHANGEDSINCE <<modseq>>) +FLAGS.SILENT ($Processed)
        S: * 2 FETCH (UID 2 MODSEQ (<<modseq>>))
        S: b108 OK Store completed.)");
    // The last dialogue of example 10, and 3.1.12: other flags have changed, which is told, and is
    // no reason to fail.
    c.value("known") = highest(c);
    other("STORE 4 +FLAGS (\\Deleted \\Answered)");
    c.play(R"(
        C: a106 STORE 3:5 (UNCHANGEDSINCE <<known>>) +FLAGS.SILENT ($Processed)
        S: * 3 FETCH (UID 3 MODSEQ (<<three>>))
        S: * 4 FETCH (UID 4 MODSEQ (<<four>>))
        S: * 5 FETCH (UID 5 MODSEQ (<<four>>))
        S: * 4 FETCH (UID 4 FLAGS (\Answered \Deleted $Processed) MODSEQ (<<four>>))
        S: a106 OK Store completed.)");
    // Not where all flags are replaced.
    c.value("known") = highest(c);
    other("STORE 4 -FLAGS (\\Deleted)");
    c.play(R"(
        C: a109 STORE 4 (UNCHANGEDSINCE <<known>>) FLAGS.SILENT ($Processed)
        S: * 4 FETCH (UID 4 FLAGS (\Answered $Processed) MODSEQ (<<last>>))
        S: a109 OK [MODIFIED 4] ...)");
}

// 3.1.3, example 11: some are gone. The example answers NO, which MODIFIED "may also" be in; here
// what is gone is passed over.
TEST_F(Rfc7162, StoreOfMessagesThatAreGone) {
    fill(8);
    Client c(maildir), other(maildir);
    c("SELECT INBOX (CONDSTORE)");
    other("SELECT INBOX");
    other("STORE 2 +FLAGS (\\Seen)");
    other("STORE 2 -FLAGS (\\Seen)");
    other("STORE 2 +FLAGS (\\Flagged)");
    c("NOOP");
    c.value("known") = highest(c);
    other("STORE 2 +FLAGS (\\Answered \\Seen)");
    other("STORE 4:7 +FLAGS.SILENT (\\Deleted)");
    other("EXPUNGE");
    c.play(R"(
        C: B001 STORE 1:7 (UNCHANGEDSINCE <<known>>) +FLAGS (\SEEN)
        S: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (<<one>>))
        S: * 3 FETCH (UID 3 FLAGS (\Seen) MODSEQ (<<one>>))
        // messages that are gone keep their numbers, and the flags that they had
        S: ...
        S: * 2 FETCH (UID 2 FLAGS (\Answered \Flagged \Seen) MODSEQ (<<two>>))
        S: * OK [HIGHESTMODSEQ <<held>>] ...
        S: B001 OK [MODIFIED 2] ...
        C: B002 NOOP
        S: * 4 EXPUNGE
        S: * 4 EXPUNGE
        S: * 4 EXPUNGE
        S: * 4 EXPUNGE
        S: B002 OK ...)");
}

TEST_F(Rfc7162, FetchOfWhatChanged) {
    fill(8, "1:3,5,7");
    Client c(maildir);
    c("SELECT INBOX");
    // 3.1.4.2, example 13
    c.play(R"(
        C: a FETCH 1:3 (MODSEQ)
        S: * OK [HIGHESTMODSEQ <<highest>>] ...
        S: * 1 FETCH (MODSEQ (<<one>>))
        S: * 2 FETCH (MODSEQ (<<two>>))
        S: * 3 FETCH (MODSEQ (<<three>>))
        S: a OK ...)");
    c("STORE 1 +FLAGS (\\Seen)");
    c("STORE 3 +FLAGS ($NoJunk $AutoJunk $MDNSent)");
    // 3.1.4.1, example 12
    c.play(R"(
        C: s100 UID FETCH 1:* (FLAGS) (CHANGEDSINCE <<highest>>)
        S: * 1 FETCH (UID 4 MODSEQ (<<after>>) FLAGS (\Seen))
        S: * 3 FETCH (UID 8 MODSEQ (<<later>>) FLAGS ($NoJunk $AutoJunk $MDNSent))
        S: s100 OK ...)");
}

// 3.1.4.2, example 14, sessions 1 and 2; session 3 is in shared_session_test.cc
TEST_F(Rfc7162, OthersAreToldWithModSequences) {
    fill(7);
    Client one(maildir), two(maildir);
    two("SELECT INBOX (CONDSTORE)");
    one.play(R"(
        C: A142 SELECT INBOX (CONDSTORE)
        S: ...
        S: A142 OK ...
        C: A159 STORE 7 +FLAGS.SILENT (\Answered)
        S: * 7 FETCH (UID 7 MODSEQ (<<answered>>))
        S: A159 OK ...
        C: A160 STORE 7 +FLAGS.SILENT (\Deleted)
        S: * 7 FETCH (UID 7 MODSEQ (<<deleted>>))
        S: A160 OK ...)");
    two.value("deleted") = one.value("deleted");
    two.play(R"(
        C: C180 NOOP
        S: * 7 FETCH (UID 7 FLAGS (\Answered \Deleted) MODSEQ (<<deleted>>))
        S: C180 OK ...)");
    one.play(R"(
        C: A240 STORE 7 +FLAGS.SILENT (\Seen)
        S: * 7 FETCH (UID 7 MODSEQ (<<seen>>))
        S: A240 OK ...)");
    two.value("seen") = one.value("seen");
    two.play(R"(
        C: C270 NOOP
        S: * 7 FETCH (UID 7 FLAGS (\Answered \Deleted \Seen) MODSEQ (<<seen>>))
        S: C270 OK ...)");
    one.play(R"(
        C: A330 STORE 7 -FLAGS.SILENT (\Answered \Seen)
        S: * 7 FETCH (UID 7 MODSEQ (<<last>>))
        S: A330 OK ...)");
    two.value("last") = one.value("last");
    two.play(R"(
        C: C360 NOOP
        S: * 7 FETCH (UID 7 FLAGS (\Deleted) MODSEQ (<<last>>))
        S: C360 OK ...)");
    // 3.1.11: nothing changes, nor does the number
    one.play(R"(
        C: A361 STORE 7 +FLAGS.SILENT (\Deleted)
        S: * 7 FETCH (UID 7 MODSEQ (<<last>>))
        S: A361 OK ...)");
    // 3.2.4: a FETCH that sets \Seen says the UID
    one.play(R"(
        C: A362 FETCH 7 BODY[TEXT]<0.4>
        S: * 7 FETCH (BODY[TEXT]<0> {4}
        S: body FLAGS (\Deleted \Seen) MODSEQ (<<read>>) UID 7)
        S: A362 OK ...)");
}

TEST_F(Rfc7162, SearchesAndSorts) {
    fill(5);
    Client c(maildir);
    c("SELECT INBOX (CONDSTORE)");
    c.value("known") = highest(c);
    c.play(R"(
        C: s1 STORE 1:3 +FLAGS.SILENT (\Draft)
        S: * 1 FETCH (UID 1 MODSEQ (<<three>>))
        S: ...
        S: s1 OK ...
        C: s2 STORE 5 +FLAGS.SILENT (\Draft)
        S: * 5 FETCH (UID 5 MODSEQ (<<five>>))
        S: s2 OK ...)");
    // 3.1.5, example 15
    c.play(R"(
        C: a SEARCH MODSEQ "/flags/\\draft" all <<three>>
        S: * SEARCH 1 2 3 5 (MODSEQ <<five>>)
        S: a OK ...)");
    // example 16
    c.play(R"(
        C: t SEARCH OR NOT MODSEQ 1 LARGER 50000
        S: * SEARCH
        S: t OK ...)");
    // 3.1.9: SORT as SEARCH, and THREAD unchanged
    c.play(R"(
        C: b SORT (REVERSE ARRIVAL) UTF-8 MODSEQ <<five>>
        S: * SORT 5 (MODSEQ <<five>>)
        S: b OK ...
        C: c THREAD ORDEREDSUBJECT UTF-8 MODSEQ <<five>>
        S: * THREAD (5)
        S: c OK ...)");
    // 3.1.10, examples 19 and 20
    c.play(R"(
        C: a SEARCH RETURN (ALL) MODSEQ <<three>>
        S: * ESEARCH (TAG "a") ALL 1:3,5 MODSEQ <<five>>
        S: a OK ...
        C: a SORT RETURN (ALL) (REVERSE SIZE) UTF-8 MODSEQ <<three>>
        S: * ESEARCH (TAG "a") ALL 1:3,5 MODSEQ <<five>>
        S: a OK ...)");
}

// RFC 4466 2.1: parameters of SELECT, of which we know two; what is not known is refused, and the
// mailbox stays unselected. 2.2 to 2.6 have no examples of commands.
TEST_F(Rfc7162, ParametersOfOtherExtensions) {
    Client c(maildir);
    c.play(R"(
        C: a SELECT INBOX (ANNOTATE)
        S: a BAD ...
        C: a EXAMINE INBOX (ANNOTATE RESPONSES ("UID Responses") CONDSTORE)
        S: a BAD ...
        C: a SELECT INBOX (BLURDYBLOOP)
        S: a BAD ...
        C: a CHECK
        S: a BAD ...
        C: a CREATE x (BLURDYBLOOP)
        S: a BAD ...
        C: a RENAME x y (BLURDYBLOOP)
        S: a BAD ...
        C: a EXAMINE INBOX (CONDSTORE)
        S: ...
        S: a OK [READ-ONLY] ...
        C: a FETCH 1 FLAGS (BLURDYBLOOP)
        S: a BAD ...
        C: a STORE 1 (BLURDYBLOOP) +FLAGS (\Seen)
        S: a BAD ...
        C: a SEARCH RETURN (BLURDYBLOOP) ALL
        S: a BAD ...)");
}

}  // namespace
}  // namespace postern::imapd
