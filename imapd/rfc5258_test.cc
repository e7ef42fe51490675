// LIST and all that was added to it, by the examples of the RFCs: 5258 (again in RFC 9051 6.3.9.8),
// 3348, 5819, 6154, 8440, 9590; 2342's NAMESPACE. Ours always says \HasChildren or \HasNoChildren,
// which RFC 5258 4 allows, sorts by name, and has "." between the levels; there are no remote
// mailboxes, no \Marked, no \NoInferiors.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class Rfc5258 : public SessionTest {
  protected:
    static void make(Client& c, std::initializer_list<std::string> names) {
        for (const std::string& name : names) EXPECT_THAT(c("CREATE " + name), StartsWith("t OK"));
    }
    static void subscribe(Client& c, std::initializer_list<std::string> names) {
        for (const std::string& name : names)
            EXPECT_THAT(c("SUBSCRIBE " + name), StartsWith("t OK"));
    }
    static void grow_fruit(Client& c) {
        make(c, {"Fruit", "Fruit.Apple", "Fruit.Banana", "Tofu", "Vegetable", "Vegetable.Broccoli",
                 "Vegetable.Corn"});
        subscribe(c, {"INBOX", "Fruit.Banana", "Fruit.Peach", "Vegetable", "Vegetable.Broccoli"});
    }
};

TEST_F(Rfc5258, Interpretation) {  // RFC 9051 6.3.9.8, before the numbered examples
    Client c(maildir);
    make(c, {"Mail.foo.bar", "Mail.meetings"});
    c.play(R"imap(
        C: A101 LIST "" ""
        S: * LIST (\Noselect) "." ""
        S: A101 OK ...
        C: A202 LIST Mail. %
        S: * LIST (\Noselect \HasChildren) "." Mail.foo
        S: * LIST (\HasNoChildren) "." Mail.meetings
        S: A202 OK ...
    )imap");
}

TEST_F(Rfc5258, Examples1To4) {
    Client c(maildir);
    grow_fruit(c);
    c.play(R"imap(
        C: A01 LIST "" "*"
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasChildren) "." Fruit
        S: * LIST (\HasNoChildren) "." Fruit.Apple
        S: * LIST (\HasNoChildren) "." Fruit.Banana
        S: * LIST (\HasNoChildren) "." Tofu
        S: * LIST (\HasChildren) "." Vegetable
        S: * LIST (\HasNoChildren) "." Vegetable.Broccoli
        S: * LIST (\HasNoChildren) "." Vegetable.Corn
        S: A01 OK ...
        // names that do not exist come last
        C: A02 LIST (SUBSCRIBED) "" "*"
        S: * LIST (\HasNoChildren \Subscribed) "." INBOX
        S: * LIST (\HasNoChildren \Subscribed) "." Fruit.Banana
        S: * LIST (\HasChildren \Subscribed) "." Vegetable
        S: * LIST (\HasNoChildren \Subscribed) "." Vegetable.Broccoli
        S: * LIST (\NonExistent \HasNoChildren \Subscribed) "." Fruit.Peach
        S: A02 OK ...
        C: A03 LIST () "" "%" RETURN (CHILDREN)
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasChildren) "." Fruit
        S: * LIST (\HasNoChildren) "." Tofu
        S: * LIST (\HasChildren) "." Vegetable
        S: A03 OK ...
        C: A04 LIST (REMOTE) "" "%" RETURN (CHILDREN)
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasChildren) "." Fruit
        S: * LIST (\HasNoChildren) "." Tofu
        S: * LIST (\HasChildren) "." Vegetable
        S: A04 OK ...
    )imap");
}

TEST_F(Rfc5258, Examples5To7) {
    Client c(maildir);
    grow_fruit(c);
    make(c, {"Drafts", "Sent", "Sent.March2004", "Sent.December2003", "Sent.August2004"});
    c.play(R"imap(
        C: A05 LIST (REMOTE SUBSCRIBED) "" "*"
        S: * LIST (\HasNoChildren \Subscribed) "." INBOX
        S: * LIST (\HasNoChildren \Subscribed) "." Fruit.Banana
        S: * LIST (\HasChildren \Subscribed) "." Vegetable
        S: * LIST (\HasNoChildren \Subscribed) "." Vegetable.Broccoli
        S: * LIST (\NonExistent \HasNoChildren \Subscribed) "." Fruit.Peach
        S: A05 OK ...
        // no Fruit.Peach
        C: A06 LIST (REMOTE) "" "*" RETURN (SUBSCRIBED)
        S: * LIST (\HasNoChildren \Subscribed) "." INBOX
        S: * LIST (\HasNoChildren \Drafts) "." Drafts
        S: * LIST (\HasChildren) "." Fruit
        S: * LIST (\HasNoChildren) "." Fruit.Apple
        S: * LIST (\HasNoChildren \Subscribed) "." Fruit.Banana
        S: * LIST (\HasChildren \Sent) "." Sent
        S: * LIST (\HasNoChildren) "." Sent.August2004
        S: * LIST (\HasNoChildren) "." Sent.December2003
        S: * LIST (\HasNoChildren) "." Sent.March2004
        S: * LIST (\HasNoChildren) "." Tofu
        S: * LIST (\HasChildren \Subscribed) "." Vegetable
        S: * LIST (\HasNoChildren \Subscribed) "." Vegetable.Broccoli
        S: * LIST (\HasNoChildren) "." Vegetable.Corn
        S: A06 OK ...
        C: BBB LIST "" ("INBOX" "Drafts" "Sent.%")
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasNoChildren \Drafts) "." Drafts
        S: * LIST (\HasNoChildren) "." Sent.August2004
        S: * LIST (\HasNoChildren) "." Sent.December2003
        S: * LIST (\HasNoChildren) "." Sent.March2004
        S: BBB OK ...
    )imap");
}

TEST_F(Rfc5258, Example8) {  // \HasChildren and CHILDINFO, with its variants A to C
    Client c(maildir);
    make(c, {"Foo", "Foo.Bar", "Foo.Baz", "Moo"});
    c.play(R"imap(
        C: CA3 LIST "" "%" RETURN (CHILDREN)
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasChildren) "." Foo
        S: * LIST (\HasNoChildren) "." Moo
        S: CA3 OK ...
        // B
        C: C03 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
        S: C03 OK ...
        // A
        C: C01 SUBSCRIBE Foo.Baz
        S: C01 OK ...
        C: C02 LIST (SUBSCRIBED) "" "*"
        S: * LIST (\HasNoChildren \Subscribed) "." Foo.Baz
        S: C02 OK ...
        C: C03 LIST (SUBSCRIBED) "" "%"
        S: C03 OK ...
        C: C04 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
        S: * LIST (\HasChildren) "." Foo ("CHILDINFO" ("SUBSCRIBED"))
        S: C04 OK ...
        // A1
        C: C05 SUBSCRIBE Foo
        S: C05 OK ...
        C: C04 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
        S: * LIST (\HasChildren \Subscribed) "." Foo ("CHILDINFO" ("SUBSCRIBED"))
        S: C04 OK ...
        // C
        C: C06 UNSUBSCRIBE Foo.Baz
        S: C06 OK ...
        C: C07 SUBSCRIBE Moo
        S: C07 OK ...
        C: C04 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%" RETURN (CHILDREN)
        S: * LIST (\HasChildren \Subscribed) "." Foo
        S: * LIST (\HasNoChildren \Subscribed) "." Moo
        S: C04 OK ...
    )imap");
}

TEST_F(Rfc5258, Example8OfALevelWithoutMailbox) {  // A2
    Client c(maildir);
    make(c, {"Foo.Baz", "Moo"});
    subscribe(c, {"Foo.Baz"});
    c.play(R"imap(
        C: C04 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
        S: * LIST (\NonExistent \HasChildren) "." Foo ("CHILDINFO" ("SUBSCRIBED"))
        S: C04 OK ...
    )imap");
}

// With "*", where every child is listed itself, ours follows 3.5, which would have no CHILDINFO
// that says nothing new, rather than the example: foo2 and baz2, which are not subscribed, are not
// listed.
TEST_F(Rfc5258, Example9) {
    Client c(maildir);
    make(c, {"foo2", "foo2.bar1", "foo2.bar2", "baz2", "baz2.bar2", "baz2.bar22", "baz2.bar222",
             "eps2", "eps2.mamba", "qux2.bar2"});
    subscribe(c, {"foo2.bar1", "foo2.bar2", "baz2.bar2", "baz2.bar22", "baz2.bar222", "eps2",
                  "eps2.mamba", "qux2.bar2"});
    c.play(R"imap(
        C: D03 LIST (RECURSIVEMATCH SUBSCRIBED) "" "*2"
        S: * LIST (\HasNoChildren \Subscribed) "." baz2.bar2
        S: * LIST (\HasNoChildren \Subscribed) "." baz2.bar22
        S: * LIST (\HasNoChildren \Subscribed) "." baz2.bar222
        S: * LIST (\HasChildren \Subscribed) "." eps2 ("CHILDINFO" ("SUBSCRIBED"))
        S: * LIST (\HasChildren) "." foo2 ("CHILDINFO" ("SUBSCRIBED"))
        S: * LIST (\HasNoChildren \Subscribed) "." foo2.bar2
        S: * LIST (\HasNoChildren \Subscribed) "." qux2.bar2
        S: D03 OK ...
        C: D03 LIST (RECURSIVEMATCH SUBSCRIBED) "" "*"
        S: * LIST (\HasNoChildren \Subscribed) "." baz2.bar2
        S: * LIST (\HasNoChildren \Subscribed) "." baz2.bar22
        S: * LIST (\HasNoChildren \Subscribed) "." baz2.bar222
        S: * LIST (\HasChildren \Subscribed) "." eps2 ("CHILDINFO" ("SUBSCRIBED"))
        S: * LIST (\HasNoChildren \Subscribed) "." eps2.mamba
        S: * LIST (\HasNoChildren \Subscribed) "." foo2.bar1
        S: * LIST (\HasNoChildren \Subscribed) "." foo2.bar2
        S: * LIST (\HasNoChildren \Subscribed) "." qux2.bar2
        S: D03 OK ...
    )imap");
}

TEST_F(Rfc5258, Examples10And11) {  // a child that is only subscribed; a level that is no mailbox
    Client c(maildir);
    make(c, {"foo", "music.rock"});
    subscribe(c, {"foo.bar"});
    c.play(R"imap(
        C: a1 LIST "" ("foo" "foo.*")
        S: * LIST (\HasNoChildren) "." foo
        S: a1 OK ...
        C: a2 LIST (SUBSCRIBED) "" "foo.*"
        S: * LIST (\NonExistent \HasNoChildren \Subscribed) "." foo.bar
        S: a2 OK ...
        C: a3 LIST (SUBSCRIBED RECURSIVEMATCH) "" foo RETURN (CHILDREN)
        S: * LIST (\HasNoChildren) "." foo ("CHILDINFO" ("SUBSCRIBED"))
        S: a3 OK ...
        C: a4 DELETE foo
        S: a4 OK ...
        C: a2 LIST () "" %
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\NonExistent \HasChildren) "." music
        S: a2 OK ...
        C: a3.1 LIST "" (% music.rock)
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\NonExistent \HasChildren) "." music
        S: * LIST (\HasNoChildren) "." music.rock
        S: a3.1 OK ...
    )imap");
}

TEST_F(Rfc5258, Children) {  // RFC 3348 3, with the trees of RFC 5258
    Client c(maildir);
    make(c, {"Fruit.Apple", "Fruit.Banana", "Tofu", "Vegetable.Broccoli"});
    c.play(R"imap(
        C: A001 LIST "" "%"
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\Noselect \HasChildren) "." Fruit
        S: * LIST (\HasNoChildren) "." Tofu
        S: * LIST (\Noselect \HasChildren) "." Vegetable
        S: A001 OK ...
        C: A002 LIST "Fruit." "%"
        S: * LIST (\HasNoChildren) "." Fruit.Apple
        S: * LIST (\HasNoChildren) "." Fruit.Banana
        S: A002 OK ...
    )imap");
}

// RFC 5819 3: no STATUS of what is no mailbox, nor of what is listed for its children only
TEST_F(Rfc5258, ListStatus) {
    fill(16);
    Client c(maildir);
    c.append("INBOX", kPlain, "(\\Seen) ");
    make(c, {"foo", "foo.sub", "bar.baz"});
    fill(30, "", "foo");
    c("SELECT foo");
    c("STORE 1 +FLAGS (\\Seen)");
    c("UNSELECT");
    subscribe(c, {"INBOX", "foo.sub"});
    c.play(R"imap(
        C: A01 LIST "" % RETURN (STATUS (MESSAGES UNSEEN))
        S: * LIST (\HasNoChildren) "." INBOX
        S: * STATUS INBOX (MESSAGES 17 UNSEEN 16)
        S: * LIST (\NonExistent \HasChildren) "." bar
        S: * LIST (\HasChildren) "." foo
        S: * STATUS foo (MESSAGES 30 UNSEEN 29)
        S: A01 OK ...
        C: A02 LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (STATUS
             (MESSAGES))
        S: * LIST (\HasNoChildren \Subscribed) "." INBOX
        S: * STATUS INBOX (MESSAGES 17)
        S: * LIST (\HasChildren) "." foo ("CHILDINFO" ("SUBSCRIBED"))
        S: A02 OK ...
    )imap");
}

TEST_F(Rfc5258, ListMyRights) {  // RFC 8440 4; "a" stays with the owner (RFC 4314 3.1)
    Options options;
    options.user = "fred";
    Client c(maildir, options);
    make(c, {"foo", "foo.sub", "bar.baz"});
    c("SETACL foo fred lrs");
    subscribe(c, {"INBOX", "foo.sub"});
    c.play(R"imap(
        C: A01 LIST "" % RETURN (MYRIGHTS)
        S: * LIST (\HasNoChildren) "." INBOX
        S: * MYRIGHTS INBOX lrswipkxteacd
        S: * LIST (\NonExistent \HasChildren) "." bar
        S: * LIST (\HasChildren) "." foo
        S: * MYRIGHTS foo lrsa
        S: A01 OK ...
        C: A02 LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (MYRIGHTS)
        S: * LIST (\HasNoChildren \Subscribed) "." INBOX
        S: * MYRIGHTS INBOX lrswipkxteacd
        S: * LIST (\HasChildren) "." foo ("CHILDINFO" ("SUBSCRIBED"))
        S: A02 OK ...
    )imap");
}

TEST_F(Rfc5258, ListMetadata) {  // RFC 9590 4
    Client c(maildir);
    make(c, {"foo", "foo.sub", "bar.baz"});
    subscribe(c, {"INBOX", "foo.sub"});
    c("SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/color \"#b71c1c\")");
    c.play(R"imap(
        C: A01 LIST "" % RETURN (METADATA ("/shared/vendor/cmu/cyrus-imapd/color"))
        S: * LIST (\HasNoChildren) "." INBOX
        S: * METADATA INBOX (/shared/vendor/cmu/cyrus-imapd/color "#b71c1c")
        S: * LIST (\NonExistent \HasChildren) "." bar
        S: * LIST (\HasChildren) "." foo
        S: * METADATA foo (/shared/vendor/cmu/cyrus-imapd/color NIL)
        S: A01 OK ...
        C: B01 LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN
             (METADATA ("/shared/vendor/cmu/cyrus-imapd/color"))
        S: * LIST (\HasNoChildren \Subscribed) "." INBOX
        S: * METADATA INBOX (/shared/vendor/cmu/cyrus-imapd/color "#b71c1c")
        S: * LIST (\HasChildren) "." foo ("CHILDINFO" ("SUBSCRIBED"))
        S: B01 OK ...
    )imap");
}

TEST_F(Rfc5258, StatusSize) {  // RFC 8438 3, both examples
    Client c(maildir);
    make(c, {"frop"});
    c.append("frop", std::string(44, 'a') + "\r\n");
    c.append("frop", std::string(122, 'a') + "\r\n");
    fill(1);
    c.value("size") = std::to_string(kPlain.size());
    c.play(R"imap(
        C: A01 STATUS frop (MESSAGES SIZE UIDNEXT)
        S: * STATUS frop (MESSAGES 2 SIZE 170 UIDNEXT 3)
        S: A01 OK ...
        C: A02 SELECT "frop"
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)
        S: * OK [PERMANENTFLAGS ...
        S: * 2 EXISTS
        S: * 2 RECENT
        S: * OK [UNSEEN 1] ...
        S: * OK [UIDVALIDITY ...] ...
        S: * OK [UIDNEXT 3] ...
        S: * OK [HIGHESTMODSEQ ...] ...
        S: * OK [MAILBOXID (...)] ...
        S: A02 OK [READ-WRITE] ...
        C: A03 FETCH 1:* (RFC822.SIZE)
        S: * 1 FETCH (RFC822.SIZE 46)
        S: * 2 FETCH (RFC822.SIZE 124)
        S: A03 OK ...
        C: A04 LIST "" % RETURN (STATUS (MESSAGES SIZE))
        S: * LIST (\HasNoChildren) "." INBOX
        S: * STATUS INBOX (MESSAGES 1 SIZE <<size>>)
        S: * LIST (\HasNoChildren) "." frop
        S: * STATUS frop (MESSAGES 2 SIZE 170)
        S: A04 OK ...
    )imap");
}

TEST_F(Rfc5258, SpecialUse) {  // RFC 6154 5.1 to 5.3
    Client c(maildir);
    make(c, {"ToDo", "Projects", "Projects.x", "SentMail (USE (\\Sent))",
             "MyDrafts (USE (\\Drafts))", "Trash"});
    c.play(R"imap(
        C: t1 LIST "" "%"
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasNoChildren \Drafts) "." MyDrafts
        S: * LIST (\HasChildren) "." Projects
        S: * LIST (\HasNoChildren \Sent) "." SentMail
        S: * LIST (\HasNoChildren) "." ToDo
        S: * LIST (\HasNoChildren \Trash) "." Trash
        S: t1 OK ...
        C: t1 CAPABILITY
        S: * CAPABILITY ... SPECIAL-USE CREATE-SPECIAL-USE ...
        S: t1 OK ...
        C: t2 LIST "" "%" RETURN (SPECIAL-USE)
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasNoChildren \Drafts) "." MyDrafts
        S: * LIST (\HasChildren) "." Projects
        S: * LIST (\HasNoChildren \Sent) "." SentMail
        S: * LIST (\HasNoChildren) "." ToDo
        S: * LIST (\HasNoChildren \Trash) "." Trash
        S: t2 OK ...
        C: t3 LIST (SPECIAL-USE) "" "*"
        S: * LIST (\HasNoChildren \Drafts) "." MyDrafts
        S: * LIST (\HasNoChildren \Sent) "." SentMail
        S: * LIST (\HasNoChildren \Trash) "." Trash
        S: t3 OK ...
        C: t2 CREATE MySpecial (USE (\Drafts \Sent))
        S: t2 OK ...
        C: t3 CREATE Everything (USE (\All))
        S: t3 NO [USEATTR] ...
    )imap");
}

// RFC 6154 5.4: what a mailbox is for, by METADATA
TEST_F(Rfc5258, SpecialUseByMetadata) {
    Client c(maildir);
    make(c, {"SentMail (USE (\\Sent))", "MyDrafts (USE (\\Drafts))", "SavedDrafts",
             "Trash (USE (\\Trash))"});
    c.play(R"imap(
        C: t1 LIST "" "%" RETURN (SPECIAL-USE)
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasNoChildren \Drafts) "." MyDrafts
        S: * LIST (\HasNoChildren) "." SavedDrafts
        S: * LIST (\HasNoChildren \Sent) "." SentMail
        S: * LIST (\HasNoChildren \Trash) "." Trash
        S: t1 OK ...
        C: t2 GETMETADATA "MyDrafts" /private/specialuse
        S: * METADATA MyDrafts (/private/specialuse "\\Drafts")
        S: t2 OK ...
        C: t3 SETMETADATA "SavedDrafts" (/private/specialuse "\\Drafts")
        S: * METADATA MyDrafts (/private/specialuse NIL)
        S: t3 OK ...
        C: t4 SETMETADATA "SentMail" (/private/specialuse NIL)
        S: t4 OK ...
        C: t5 LIST "" "%" RETURN (SPECIAL-USE)
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasNoChildren) "." MyDrafts
        S: * LIST (\HasNoChildren \Drafts) "." SavedDrafts
        S: * LIST (\HasNoChildren) "." SentMail
        S: * LIST (\HasNoChildren \Trash) "." Trash
        S: t5 OK ...
        // what CREATE would refuse; all or nothing
        C: t6 SETMETADATA SentMail (/private/comment "x" /private/specialuse "\\All")
        S: t6 NO [USEATTR] ...
        C: t7 SETMETADATA INBOX (/private/specialuse "\\Sent")
        S: t7 NO [USEATTR] ...
        C: t8 CREATE Sent
        S: t8 OK ...
        C: t9 SETMETADATA Sent (/private/comment "x" /private/specialuse NIL)
        S: t9 NO [USEATTR] ...
        C: u1 SETMETADATA None (/private/specialuse "\\Sent")
        S: u1 NO [NONEXISTENT] ...
        C: u2 GETMETADATA (DEPTH infinity) Sent (/private)
        S: * METADATA Sent (/private/specialuse "\\Sent")
        S: u2 OK ...
    )imap");
}

}  // namespace
}  // namespace postern::imapd
