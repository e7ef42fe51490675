// The examples of the RFCs about rights (ACL, 4314), room (QUOTA, 9208) and notes (METADATA, 5464).
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class RfcFolders : public SessionTest {
  protected:
    static Options fred() {
        Options options;
        options.user = "Fred";
        return options;
    }
};

// RFC 4314 2.1.1: "d" is for "et", and "c" for "kx" as ours ties it; answers have the virtual
// rights too
TEST_F(RfcFolders, AclVirtualRights) {
    Client c(maildir, fred());
    c("CREATE INBOX.Drafts");
    c.play(R"(
        C: A001 SeTacl INBOX.Drafts David lrswida
        S: A001 OK ...
        C: A002 getacl INBOX.Drafts
        S: * ACL INBOX.Drafts Fred lrswipkxteacd David lrswitead
        S: A002 OK ...
        C: A003 Setacl INBOX.Drafts Byron lrswikda
        S: A003 OK ...
        C: A002 getAcl INBOX.Drafts
        S: * ACL INBOX.Drafts Fred lrswipkxteacd Byron lrswikteacd David lrswitead
        S: A002 OK ...
    )");
}

TEST_F(RfcFolders, Acl) {  // RFC 4314 3.1, 3.3
    Client c(maildir, fred());
    c("CREATE INBOX.Drafts");
    c("SETACL INBOX.Drafts Chris lrswi");
    c.play(R"(
        C: A001 GETACL INBOX.Drafts
        S: * ACL INBOX.Drafts Fred lrswipkxteacd Chris lrswi
        S: A001 OK ...
        C: A002 SETACL INBOX.Drafts Chris +cda
        S: A002 OK ...
        C: A003 GETACL INBOX.Drafts
        S: * ACL INBOX.Drafts Fred lrswipkxteacd Chris lrswikxteacd
        S: A003 OK ...
        C: A035 SETACL INBOX.Drafts John lrQswicda
        S: A035 BAD ...
        C: A036 SETACL INBOX.Drafts John lrqswicda
        S: A036 BAD ...
        C: A002 GETACL INBOX
        S: * ACL INBOX Fred lrswipkxteacd
        S: A002 OK ...
    )");
}

// RFC 4314 3.2: the owner has all rights again when he has no entry. "$" is no group to ours, but a
// name.
TEST_F(RfcFolders, DeleteAcl) {
    Client c(maildir, fred());
    c("SETACL INBOX Fred lrswipxteda");
    c("SETACL INBOX \"-Fred\" wetd");
    c("SETACL INBOX $team w");
    c.play(R"(
        C: B001 getacl INBOX
        S: * ACL INBOX $team w -Fred wted Fred lrswipxteacd
        S: B001 OK ...
        C: B002 DeleteAcl INBOX Fred
        S: B002 OK ...
        C: B003 GETACL INBOX
        S: * ACL INBOX Fred lrswipkxteacd $team w -Fred wted
        S: B003 OK ...
    )");
}

TEST_F(RfcFolders, ListRightsAndMyRights) {  // RFC 4314 3.4, 3.5
    Client c(maildir, fred());
    c("CREATE Mail.saved");
    c.play(R"(
        C: a001 LISTRIGHTS Mail.saved Fred
        S: * LISTRIGHTS Mail.saved Fred la r s w i p k x t e c d
        S: a001 OK ...
        C: a005 listrights Mail.saved anyone
        S: * LISTRIGHTS Mail.saved anyone "" l r s w i p k x t e a c d
        S: a005 OK ...
        C: A003 MYRIGHTS INBOX
        S: * MYRIGHTS INBOX lrswipkxteacd
        S: A003 OK ...
        C: 1 capability
        S: * CAPABILITY ... ACL RIGHTS=kxte ...
        S: 1 OK ...
    )");
}

// RFC 4314 4: flags that may not be set are lost in a copy, with "w" and without
TEST_F(RfcFolders, FlagsOfACopy) {
    Client c(maildir, fred());
    c.append("INBOX", kPlain, "(\\Draft \\Deleted) ");
    c.append("INBOX", kPlain, "(\\Answered) ");
    c.append("INBOX", kPlain, "($Forwarded \\Seen) ");
    for (const char* name : {"One", "Two"}) c(std::string("CREATE ") + name);
    c("SETACL One Fred lrwis");
    c("SETACL Two Fred lrsti");
    c("SELECT INBOX");
    c.play(R"(
        C: A003 MYRIGHTS One
        S: * MYRIGHTS One lrswia
        S: A003 OK ...
        C: A004 FETCH 1:3 (FLAGS)
        S: * 1 FETCH (FLAGS (\Deleted \Draft \Recent))
        S: * 2 FETCH (FLAGS (\Answered \Recent))
        S: * 3 FETCH (FLAGS (\Seen $Forwarded \Recent))
        S: A004 OK ...
        C: A005 COPY 1:3 One
        S: A005 OK ...
        C: A005 COPY 1:3 Two
        S: A005 OK ...
        C: A006 SELECT One
        S: ...
        S: A006 OK ...
        C: A007 FETCH 1:3 (FLAGS)
        S: * 1 FETCH (FLAGS (\Draft \Recent))
        S: * 2 FETCH (FLAGS (\Answered \Recent))
        S: * 3 FETCH (FLAGS (\Seen $Forwarded \Recent))
        S: A007 OK ...
        C: A006 SELECT Two
        S: ...
        S: A006 OK ...
        C: A007 FETCH 1:3 (FLAGS)
        S: * 1 FETCH (FLAGS (\Deleted \Recent))
        S: * 2 FETCH (FLAGS (\Recent))
        S: * 3 FETCH (FLAGS (\Seen \Recent))
        S: A007 OK ...
    )");
}

// RFC 4314 5.1.1: PERMANENTFLAGS has what may be changed; 5.2: what makes a mailbox READ-ONLY
TEST_F(RfcFolders, RightsInSelect) {
    fill(1);
    Client c(maildir, fred());
    for (const char* name : {"banan", "apple", "pear"}) c(std::string("CREATE ") + name);
    c("SETACL INBOX Fred lrwis");
    c("SETACL banan Fred lr");
    c("SETACL apple Fred rit");
    c("SETACL pear Fred rset");
    c.play(R"(
        C: A142 SELECT INBOX
        C: A143 MYRIGHTS INBOX
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)
        S: * OK [PERMANENTFLAGS (\Answered \Flagged \Seen \Draft $Forwarded \*)] ...
        S: * 1 EXISTS
        S: ...
        S: A142 OK [READ-WRITE] ...
        S: * MYRIGHTS INBOX lrswia
        S: A143 OK ...
        C: 1 SELECT banan
        S: ...
        S: 1 OK [READ-ONLY] ...
        C: 2 SELECT apple
        S: ...
        S: * FLAGS ...
        S: * OK [PERMANENTFLAGS (\Deleted)] ...
        S: ...
        S: 2 OK [READ-WRITE] ...
        C: 3 SELECT pear
        S: ...
        S: * FLAGS ...
        S: * OK [PERMANENTFLAGS (\Deleted \Seen)] ...
        S: ...
        S: 3 OK [READ-WRITE] ...
    )");
}

// RFC 9208 4.1, 4.2, 5: ours has one root, and only administrators set it
TEST_F(RfcFolders, Quota) {
    Client c(maildir, {}, {}, {512 * 1024, 1000});
    c.append("INBOX", kPlain, "(\\Deleted) ");
    c.append("INBOX", kPlain);
    c.value("size") = std::to_string(kPlain.size());
    c.play(R"(
        C: G0000 CAPABILITY
        S: * CAPABILITY ... QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE
        S: G0000 OK ...
        C: G0001 GETQUOTA ""
        S: * QUOTA "" (STORAGE 1 512 MESSAGE 2 1000)
        S: G0001 OK ...
        C: G0002 GETQUOTAROOT INBOX
        S: * QUOTAROOT INBOX ""
        S: * QUOTA "" (STORAGE 1 512 MESSAGE 2 1000)
        S: G0002 OK ...
        C: S0001 SETQUOTA "" (STORAGE 510)
        S: S0001 NO [NOPERM] ...
        C: S0003 STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)
        S: * STATUS INBOX (MESSAGES 2 DELETED 1 DELETED-STORAGE <<size>>)
        S: S0003 OK ...
    )");
}

TEST_F(RfcFolders, OverQuota) {  // RFC 9208 4.3.1, example 1; ours has no soft quota (2, 3)
    Client c(maildir, {}, {}, {100, 0});
    c("CREATE saved-messages");
    c.play(R"(
        C: A003 APPEND saved-messages (\Seen) {#}
        S: + ...
        C: Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)
        C: From: Fred Foobar <foobar@Blurdybloop.example>
        C: Subject: afternoon meeting
        C: To: mooch@owatagu.siam.edu.example
        C: Message-Id: <B27397-0100000@Blurdybloop.example>
        C: MIME-Version: 1.0
        C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
        C:
        C: Hello Joe, do you think we can meet at 3:30 tomorrow?
        C:
        S: A003 NO [OVERQUOTA] ...
    )");
}

// RFC 5464 4.2; the examples of MAXSIZE and DEPTH have the options behind the name, the grammar (5)
// before it: both are taken
TEST_F(RfcFolders, GetMetadata) {
    Client c(maildir);
    c.value("long") = std::string(2199, 'x');
    c.play(R"imap(
        C: a SETMETADATA "" (/shared/comment "Shared comment")
        S: a OK ...
        C: a SETMETADATA INBOX (/shared/comment "Shared comment" /private/comment "My own comment")
        S: a OK ...
        C: a GETMETADATA "" /shared/comment
        S: * METADATA "" (/shared/comment "Shared comment")
        S: a OK ...
        C: a GETMETADATA "INBOX" /private/comment
        S: * METADATA INBOX (/private/comment "My own comment")
        S: a OK ...
        C: a GETMETADATA "INBOX" (/shared/comment /private/comment)
        S: * METADATA INBOX (/private/comment "My own comment" /shared/comment "Shared comment")
        S: a OK ...
        C: a SETMETADATA INBOX (/shared/comment {2199+}
        C: <<long>> /private/filters/values/small "SMALLER 5000"
            /private/filters/values/boss "FROM \"boss@example.com\"")
        S: a OK ...
        C: a GETMETADATA "INBOX" (MAXSIZE 1024)
                                 (/shared/comment /private/comment)
        S: * METADATA INBOX (/private/comment "My own comment")
        S: a OK [METADATA LONGENTRIES 2199] ...
        C: a GETMETADATA (MAXSIZE 1024) "INBOX" (/shared/comment /private/comment)
        S: * METADATA INBOX (/private/comment "My own comment")
        S: a OK [METADATA LONGENTRIES 2199] ...
        C: a GETMETADATA "INBOX" (DEPTH 1)
                                (/private/filters/values)
        S: * METADATA INBOX (/private/filters/values/boss "FROM \"boss@example.com\""
           /private/filters/values/small "SMALLER 5000")
        S: a OK ...
        C: a GETMETADATA (DEPTH infinity) "" (/shared)
        S: * METADATA "" (/shared/comment "Shared comment")
        S: a OK ...
        C: a SETMETADATA "" (/shared "x")
        S: a BAD ...
    )imap");
}

// RFC 5464 4.3, 4.4.1; its examples of entries without parentheses are answers to what the grammar
// has not, and those of changes that are announced (4.4.2) are a MAY that ours does by NOTIFY only
TEST_F(RfcFolders, SetMetadata) {
    Client c(maildir);
    c.play(R"imap(
        C: a SETMETADATA INBOX (/private/comment {#}
        S: + ...
        C: My new comment across
        C: two lines.
        C: )
        S: a OK ...
        C: a GETMETADATA INBOX /private/comment
        S: * METADATA INBOX (/private/comment {35}
        S: My new comment across
        S: two lines.
        S: )
        S: a OK ...
        C: a SETMETADATA INBOX (/private/comment NIL)
        S: a OK ...
        C: a SETMETADATA INBOX (/private/comment "My new comment"
                            /shared/comment "This one is for you!")
        S: a OK ...
        C: a GETMETADATA "INBOX" (/private/comment /shared/comment)
        S: * METADATA INBOX (/private/comment "My new comment" /shared/comment "This one is for you!")
        S: a OK ...
    )imap");
    for (const std::string part : {"a", "b"}) {
        std::string entries;
        for (int i = 0; i < 100; ++i)
            entries += cat({" /shared/", part, std::to_string(i), " \"x\""});
        c("SETMETADATA \"\" (" + entries.substr(1) + ")");
    }
    c.play(R"imap(
        C: a SETMETADATA "" (/private/comment "My new comment")
        S: a NO [METADATA TOOMANY] ...
    )imap");
}

}  // namespace
}  // namespace postern::imapd
