// Small extensions, in whole sessions: the examples of the RFCs that define them, with our names
// and numbers where theirs are those of a server.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class RfcExamples : public SessionTest {};

// RFC 2342 5, RFC 9051 6.3.10: a server with "/" or with a prefix is one that is told so. Not ours:
// several separators (5.4), several namespaces of the user's own (5.6), "~user" (5.9), nothing of
// the user's own (5.2).
TEST_F(RfcExamples, PersonalNamespace) {  // 5.1, 5.5
    Options options;
    options.names = FolderNames::make('/', "", {}).value();
    Client c(maildir, options);
    c.play(R"imap(
        C: A001 NAMESPACE
        S: * NAMESPACE (("" "/")) NIL NIL
        S: A001 OK ...
        C: A002 NAMESPACE x
        S: A002 BAD ...
    )imap");
    options.names = FolderNames::make('.', "INBOX", {}).value();
    Client below_inbox(maildir, options);
    below_inbox.play(R"imap(
        C: A001 NAMESPACE
        S: * NAMESPACE (("INBOX." ".")) NIL NIL
        S: A001 OK ...
        C: A002 CREATE "INBOX.Sent Mail"
        S: A002 OK ...
    )imap");
}

TEST_F(RfcExamples,
       NamespacesOfOthers) {  // 5.3, 5.7; those who have granted nothing are not listed
    TempMaildir mike, karen, everybody;
    auto store = mailbox::Store::open(maildir.root()).value();
    store.add_namespace({"Public Folders", false});
    store.add_namespace({"Other Users", true});
    store.add_mount({"Public Folders", everybody.root(), "", {}});
    const std::pair<const char*, const TempMaildir*> users[] = {{"Mike", &mike}, {"Karen", &karen}};
    for (const auto& [name, home] : users) {
        ASSERT_TRUE(mailbox::Store::open(home->root())->create("Foo"));
        std::ofstream(home->root() + "/.Foo/postern.acl") << "postern-acl 1\nlr anyone\n";
        store.add_mount({std::string("Other Users.") + name, home->root(), name, {"Foo"}});
    }
    Options options;
    options.user = "joe";
    options.names = FolderNames::make('/', "", {}).value();
    Client c(std::move(store), options);
    c.play(R"imap(
        C: A001 NAMESPACE
        S: * NAMESPACE (("" "/")) (("Other Users/" "/")) (("Public Folders/" "/"))
        S: A001 OK ...
        C: A002 LIST "" "Other Users/%"
        S: * LIST (\Noselect \HasChildren) "/" "Other Users/Karen"
        S: * LIST (\Noselect \HasChildren) "/" "Other Users/Mike"
        S: A002 OK ...
        C: A003 LIST "" "Other Users/Mike/%"
        S: * LIST (\HasNoChildren) "/" "Other Users/Mike/Foo"
        S: A003 OK ...
    )imap");
}

TEST_F(RfcExamples, Id) {  // RFC 2971 3.1, both examples
    Client c(maildir);
    c.play(R"imap(
        C: a023 ID ("name" "sodr" "version" "19.34" "vendor" "Pink Floyd Music Limited")
        S: * ID ("name" "Postern"...)
        S: a023 OK ...
        C: a042 ID NIL
        S: * ID ("name" "Postern"...)
        S: a042 OK ...
        C: a043 ID ("name" NIL)
        S: * ID (...)
        S: a043 OK ...
        C: a044 ID ("name")
        S: a044 BAD ...
    )imap");
}

TEST_F(RfcExamples, Unselect) {  // RFC 3691 2
    fill(2, "(\\Deleted) ");
    Client c(maildir);
    c.play(R"(
        C: A340 UNSELECT
        S: A340 BAD ...
        C: A341 SELECT INBOX
        S: ...
        S: A341 OK ...
        C: A341 UNSELECT
        S: A341 OK ...
        C: A342 STATUS INBOX (MESSAGES)
        S: * STATUS INBOX (MESSAGES 2)
        S: A342 OK ...
    )");
}

// RFC 2177 3: what is announced without IMAP4rev2, where there is \Recent too
TEST_F(RfcExamples, Idle) {
    fill(3, "(\\Seen) ");
    Client c(maildir), other(maildir);
    c.play(R"(
        C: A001 SELECT INBOX
        S: ...
        S: * 3 EXISTS
        S: ...
        S: A001 OK [READ-WRITE] ...
        C: A002 IDLE
        S: + idling
    )");
    other.append("INBOX", kPlain);
    c.play("S: * 4 EXISTS\nS: * 4 RECENT\nC: DONE\nS: A002 OK ...");
    other("SELECT INBOX");
    other("STORE 2 +FLAGS.SILENT (\\Deleted)");
    other("EXPUNGE");
    c.play(
        "C: A003 FETCH 4 ALL\nS: * 4 FETCH (...)\nS: A003 OK ...\nC: A004 IDLE\nS: + idling\nS: * "
        "2 EXPUNGE");
    other("STORE 3 +FLAGS.SILENT (\\Deleted)");
    c.play("S: * 3 FETCH (FLAGS (\\Deleted \\Recent))");
    other("EXPUNGE");
    c.play("S: * 3 EXPUNGE");
    other.append("INBOX", kPlain);
    c.play(R"(
        S: * 3 EXISTS
        S: * 2 RECENT
        C: DONE
        S: A004 OK ...
        C: A005 FETCH 3 ALL
        S: * 3 FETCH (...)
        S: A005 OK ...
        C: A006 IDLE
        S: + idling
        C: NOOP
        S: A006 BAD ...
    )");
}

// RFC 5161 3.1, both examples: ours knows CONDSTORE, and nothing of X-GOOD-IDEA
TEST_F(RfcExamples, Enable) {
    Client c(maildir);
    c.play(R"imap(
        C: t1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ... ID ENABLE ...
        S: t1 OK ...
        C: t2 ENABLE CONDSTORE X-GOOD-IDEA
        S: * ENABLED CONDSTORE
        S: t2 OK ...
    )imap");
}

// RFC 4978 3: the OK is in clear, and so are the answers to what could not be; the streams are
// deflate_test.cc's
TEST_F(RfcExamples, Compress) {
    Client c(maildir);
    c.play(R"(
        C: b compress lzma
        S: b NO ...
        C: c compress deflate
        S: c OK ...
    )");
}

TEST_F(RfcExamples, AppendLimit) {  // RFC 7889 2, 3.1, 3.2, 5
    Options options;
    options.max_message = 257890;
    Client c(maildir, options);
    c.play(R"imap(
        C: t1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ... APPENDLIMIT=257890
        S: t1 OK ...
        C: t1 STATUS INBOX (APPENDLIMIT)
        S: * STATUS INBOX (APPENDLIMIT 257890)
        S: t1 OK ...
        C: t1 LIST "" % RETURN (STATUS (APPENDLIMIT))
        S: * LIST (\HasNoChildren) "." INBOX
        S: * STATUS INBOX (APPENDLIMIT 257890)
        S: t1 OK ...
        C: t2 APPEND INBOX (\Seen) {257891}
        S: t2 NO [TOOBIG] ...
    )imap");
}

TEST_F(RfcExamples,
       Literals) {  // RFC 7888 3; the example, a LOGIN, is login/rfc_examples_test.cc's
    Client c(maildir);
    c.play(R"imap(
        C: A001 CREATE {11+}
        C: FRED FOOBAR
        S: A001 OK ...
        C: A002 RENAME {11+}
        C: FRED FOOBAR {7+}
        C: fat man
        S: A002 OK ...
        C: A003 LIST {0+}
        C:  {7+}
        C: fat man
        S: * LIST (\HasNoChildren) "." "fat man"
        S: A003 OK ...
    )imap");
}

}  // namespace
}  // namespace postern::imapd
