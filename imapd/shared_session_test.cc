// Folders of others' as a client sees them: namespaces, rights, private \Seen, COPY and MOVE
// between them, metadata, URLs, NOTIFY. Rows of the configuration and how a session comes to its
// folders.
#include <sys/stat.h>

#include "imapd/namespaces.h"
#include "imapd/test_client.h"
#include "lib/sys/file.h"

namespace postern::imapd {
namespace {

using testing::AllOf;
using testing::Not;

// A public tree, in which ann may do all and anyone may read, and ann's folder that bob may use.
class SharedSessionTest : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        auto tree = mailbox::Store::open(public_.root());
        ASSERT_TRUE(tree->create("News"));
        list(public_.root(), "lrs anyone\nlrswipkxtea ann\n");
        auto hers = mailbox::Store::open(ann_.root());
        ASSERT_TRUE(hers->create("Work"));
        list(ann_.root() + "/.Work", "lrswite bob\n");
    }
    static void list(const std::string& folder, const std::string& entries) {
        std::ofstream(folder + "/postern.acl") << "postern-acl 1\n" << entries;
    }
    mailbox::Store store(const TempMaildir& own, const std::string& user) {
        auto out = *mailbox::Store::open(own.root());
        out.add_namespace({"Public", false});
        out.add_namespace({"Other", true});
        out.add_mount({"Public", public_.root(), "", {}});
        if (user != "ann") out.add_mount({"Other.ann", ann_.root(), "ann", {"Work"}});
        return out;
    }
    static Options options(const std::string& user) {
        Options out;
        out.user = user;
        return out;
    }
    std::unique_ptr<Client> client(const TempMaildir& own, const std::string& user) {
        return std::make_unique<Client>(store(own, user), options(user));
    }
    std::unique_ptr<Client> ann() { return client(ann_, "ann"); }
    std::unique_ptr<Client> bob() { return client(maildir, "bob"); }

    TempMaildir public_, ann_;
};

TEST_F(SharedSessionTest, NamespacesAndLists) {
    auto c = bob();
    EXPECT_EQ((*c)("NAMESPACE"),
              "* NAMESPACE ((\"\" \".\")) ((\"Other.\" \".\")) ((\"Public.\" \".\"))\r\n"
              "t OK Namespace completed.\r\n");
    (*c)("CREATE Mine");
    EXPECT_EQ((*c)("LIST \"\" *"),
              "* LIST (\\HasNoChildren) \".\" INBOX\r\n"
              "* LIST (\\HasNoChildren) \".\" Mine\r\n"
              "* LIST (\\Noselect \\HasChildren) \".\" Other\r\n"
              "* LIST (\\Noselect \\HasChildren) \".\" Other.ann\r\n"
              "* LIST (\\HasNoChildren) \".\" Other.ann.Work\r\n"
              "* LIST (\\Noselect \\HasChildren) \".\" Public\r\n"
              "* LIST (\\HasNoChildren) \".\" Public.News\r\nt OK List completed.\r\n");
    EXPECT_EQ((*c)("LIST Other.ann. %"),
              "* LIST (\\HasNoChildren) \".\" Other.ann.Work\r\nt OK List completed.\r\n");
    EXPECT_THAT((*c)("SUBSCRIBE Public.News"), StartsWith("t OK"));
    EXPECT_THAT((*c)("LSUB \"\" *"), HasSubstr("Public.News"));
    EXPECT_THAT((*c)("LIST (SUBSCRIBED) \"\" * RETURN (STATUS (MESSAGES))"),
                HasSubstr("* STATUS Public.News (MESSAGES 0)"));
    EXPECT_THAT((*c)("MYRIGHTS Public.News"), StartsWith("* MYRIGHTS Public.News lrs\r\n"));
    EXPECT_THAT((*c)("MYRIGHTS Other.ann.Work"), HasSubstr(" lrswited\r\n"));
    EXPECT_EQ((*c)("GETQUOTAROOT Public.News"),
              "* QUOTAROOT Public.News\r\nt OK Getquotaroot completed.\r\n");
}

// RFC 3348 3, whose server could not tell; ours can, which its section 6 asks for.
TEST_F(SharedSessionTest, AFolderWhoseOnlyChildIsSecretHasNoChildren) {
    auto tree = mailbox::Store::open(public_.root());
    for (const char* name : {"ITEM_1", "ITEM_1.ITEM_1A", "ITEM_2", "ITEM_2.TOP_SECRET"})
        ASSERT_TRUE(tree->create(name));
    list(public_.root() + "/.ITEM_2.TOP_SECRET", "lrswipkxtea ann\n");
    EXPECT_EQ((*bob())("LIST \"\" Public.ITEM*"),
              "* LIST (\\HasChildren) \".\" Public.ITEM_1\r\n"
              "* LIST (\\HasNoChildren) \".\" Public.ITEM_1.ITEM_1A\r\n"
              "* LIST (\\HasNoChildren) \".\" Public.ITEM_2\r\nt OK List completed.\r\n");
    EXPECT_THAT((*ann())("LIST \"\" Public.ITEM_2"), HasSubstr("(\\HasChildren)"));
}

TEST_F(SharedSessionTest, RightsBindOthers) {
    auto a = ann();
    auto b = bob();
    ASSERT_THAT(a->append("Public.News", kPlain, "(\\Seen) "), StartsWith("t OK [APPENDUID"));
    for (const char* command :
         {"CREATE Public.New", "CREATE Public", "CREATE Public.News.x", "DELETE Public.News",
          "RENAME Public.News Public.Old", "RENAME Public.News Mine",
          "APPEND Public.News {2+}\r\nab", "GETACL Public.News", "SETACL Public.News bob +w",
          "DELETEACL Public.News anyone", "LISTRIGHTS Public.News bob",
          "SETMETADATA Public.News (/shared/comment \"x\")", "CREATE Other.ann.New",
          "CREATE Other.zoe.Box", "DELETE Other.ann.Work", "GETACL Other.ann.Work",
          "RENAME Mine Public.Mine"})
        EXPECT_THAT((*b)(command), StartsWith("t NO [NOPERM]")) << command;
    for (const char* name : {"Other.ann.Secret", "Other.ann.INBOX", "Public.None", "Public",
                             "Other.ann", "Other.zoe.Box", "Public.INBOX"})
        EXPECT_THAT((*b)(std::string("SELECT ") + name), StartsWith("t NO [NONEXISTENT]")) << name;
    EXPECT_THAT((*b)("SELECT Public.../x"), StartsWith("t NO [CANNOT]"));
    EXPECT_THAT((*b)("SELECT Public.News"),
                AllOf(HasSubstr("* OK [UNSEEN 1]"), HasSubstr("[READ-WRITE]")));
    EXPECT_THAT((*b)("STORE 1 +FLAGS (\\Flagged)"), StartsWith("t NO [NOPERM]"));
    EXPECT_THAT((*b)("STORE 1 +FLAGS (\\Deleted)"), StartsWith("t NO [NOPERM]"));
    EXPECT_THAT((*b)("STORE 1 +FLAGS (\\Seen)"), HasSubstr("FLAGS (\\Seen"));
    EXPECT_THAT((*b)("EXPUNGE"), StartsWith("t NO [NOPERM]"));
    EXPECT_THAT((*b)("MOVE 1 INBOX"), StartsWith("t NO [NOPERM]"));
    EXPECT_THAT((*b)("COPY 1 INBOX"), StartsWith("t OK [COPYUID"));
    EXPECT_THAT((*b)("COPY 1 Public.News"), StartsWith("t NO [NOPERM]"));
    EXPECT_THAT((*b)("COPY 1 Public.None"), StartsWith("t NO [TRYCREATE]"));
    // Who administers
    EXPECT_THAT((*a)("GETACL Public.News"),
                StartsWith("* ACL Public.News ann lrswipkxteacd anyone lrs\r\n"));
    EXPECT_THAT((*a)("LISTRIGHTS Public.News ann"),
                StartsWith("* LISTRIGHTS Public.News ann \"\" l"));
    (*b)("UNSELECT");
    EXPECT_THAT((*a)("SETACL Public.News bob \"\""), StartsWith("t OK"));
    EXPECT_THAT((*b)("STATUS Public.News (MESSAGES)"), StartsWith("t NO [NONEXISTENT]"));
    EXPECT_THAT((*b)("LIST \"\" Public*"), StartsWith("t OK"));
    EXPECT_THAT((*b)("GETACL Public.News"), StartsWith("t NO [NONEXISTENT]"));
}

// RFC 4314 4, 6: who may not see a mailbox may not move it to where he may, either.
TEST_F(SharedSessionTest, WhatMayNotBeSeenIsNotRenamed) {
    auto tree = mailbox::Store::open(public_.root());
    for (const char* name : {"Sandbox", "HR", "HR.Salaries", "Level.Seen", "Level.Kept"})
        ASSERT_TRUE(tree->create(name));
    list(public_.root() + "/.Sandbox", "lrswipkxte bob\n");
    list(public_.root() + "/.HR", "lrswipkxtea ann\n");
    list(public_.root() + "/.Level.Seen", "lrx bob\n");
    list(public_.root() + "/.Level.Kept", "lr bob\n");
    auto b = bob();
    for (const char* from : {"Public.HR.Salaries", "Public.HR", "Public.none"})
        EXPECT_THAT((*b)(cat({"RENAME ", from, " Public.Sandbox.x"})),
                    StartsWith("t NO [NONEXISTENT]"))
            << from;
    EXPECT_THAT((*b)("RENAME Public.Level Public.Sandbox.x"), StartsWith("t NO [NOPERM]"));
    EXPECT_THAT((*b)("RENAME Public.Level.Seen Public.Sandbox.x"), StartsWith("t OK"));
    EXPECT_THAT((*b)("DELETE Public.HR"), StartsWith("t NO [NONEXISTENT]"));
}

// What one selected stays open as long as it may be read, for what may be done now.
TEST_F(SharedSessionTest, RightsThatAreTakenAwayAreGone) {
    Client a(ann_, options("ann"));
    ASSERT_THAT(a.append("Work", kPlain, ""), StartsWith("t OK"));
    auto b = bob(), b2 = bob();
    for (Client* client : {b.get(), b2.get()})
        EXPECT_THAT((*client)("SELECT Other.ann.Work"), HasSubstr("* 1 EXISTS"));
    list(ann_.root() + "/.Work", "lrs bob\n");
    for (const char* command : {"STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "MOVE 1 INBOX"})
        EXPECT_THAT((*b)(command), HasSubstr("t NO [NOPERM]")) << command;
    EXPECT_THAT((*b)("STORE 1 +FLAGS (\\Seen)"), HasSubstr("t OK"));
    list(ann_.root() + "/.Work", "l bob\n");
    EXPECT_THAT((*b)("FETCH 1 BODY[]"),
                AllOf(StartsWith("* BYE [NOPERM]"), Not(HasSubstr("FETCH")), HasSubstr("t NO")));
    // As if it were not there: that is no right to anything
    list(ann_.root() + "/.Work", "lr zoe\n");
    EXPECT_THAT((*b2)("SETACL INBOX carol lr"), HasSubstr("* BYE [NOPERM]"));
}

// A folder without a list has one from above: whoever deletes or renames gives nobody else's away.
TEST_F(SharedSessionTest, ListsFromAboveStayWithWhatTheyProtect) {
    auto tree = mailbox::Store::open(public_.root());
    for (const char* name : {"Board", "Board.Minutes", "Team", "Team.Plan", "Bob", "Level.Minutes"})
        ASSERT_TRUE(tree->create(name));
    list(public_.root() + "/.Board", "lrswitexk ann\n");
    list(public_.root() + "/.Team", "lrswitex bob\n");
    list(public_.root() + "/.Bob", "lrswipkxtea bob\n");
    list(public_.root(), "lrs anyone\nlk bob\nlrswipkxtea ann\n");
    auto a = ann(), b = bob();
    EXPECT_THAT((*a)("DELETE Public.Board"), StartsWith("t OK"));
    EXPECT_THAT((*b)("SELECT Public.Board.Minutes"), StartsWith("t NO [NONEXISTENT]"));
    EXPECT_THAT((*b)("RENAME Public.Team.Plan Public.Bob.Plan"), StartsWith("t OK"));
    EXPECT_THAT((*b)("MYRIGHTS Public.Bob.Plan"), HasSubstr(" lrswixtecd\r\n"));
    EXPECT_THAT((*b)("RENAME Public.Bob Public.Level"), StartsWith("t NO [ALREADYEXISTS]"));
    // What has the same list from above there has none of its own
    EXPECT_THAT((*a)("RENAME Public.News Public.Old"), StartsWith("t OK"));
    EXPECT_FALSE(std::filesystem::exists(public_.root() + "/.Old/postern.acl"));
}

TEST_F(SharedSessionTest, NotesAreListedWithTheRightsToReadThem) {
    auto a = ann(), b = bob();
    Client owner(ann_, options("ann"));
    EXPECT_THAT(owner("SETMETADATA Work (/shared/comment \"secret\")"), StartsWith("t OK"));
    const std::string list_notes = "LIST \"\" Other.ann.Work RETURN (METADATA (/shared/comment))";
    EXPECT_THAT((*b)(list_notes), HasSubstr("secret"));
    list(ann_.root() + "/.Work", "l bob\n");
    EXPECT_THAT((*b)(list_notes), Not(HasSubstr("secret")));
}

// RFC 4314 4: without "l" a mailbox is not there, whatever is below it
TEST_F(SharedSessionTest, AParentThatMayNotBeSeen) {
    auto tree = mailbox::Store::open(public_.root());
    for (const char* name : {"A", "A.B", "C", "C.D"}) ASSERT_TRUE(tree->create(name));
    list(public_.root() + "/.A", "lr ann\n");
    list(public_.root() + "/.A.B", "lr anyone\n");
    auto c = bob();
    c->play(R"imap(
        C: A777 LIST Public. *
        S: * LIST (\Noselect \HasChildren) "." Public.A
        S: * LIST (\HasNoChildren) "." Public.A.B
        S: * LIST (\HasChildren) "." Public.C
        S: * LIST (\HasNoChildren) "." Public.C.D
        S: * LIST (\HasNoChildren) "." Public.News
        S: A777 OK ...
        C: A778 SELECT Public.A
        S: A778 NO [NONEXISTENT] ...
    )imap");
}

TEST_F(SharedSessionTest, SeenIsPrivateAndTheRestIsNot) {
    auto a = ann();
    auto b = bob();
    for (int i = 0; i < 3; ++i) a->append("Work", kPlain);
    (*a)("SELECT Work");
    EXPECT_THAT((*b)("SELECT Other.ann.Work"), HasSubstr("* 3 EXISTS"));
    EXPECT_THAT((*b)("FETCH 2 BODY[TEXT]"), HasSubstr("\\Seen"));
    EXPECT_THAT((*b)("STORE 3 +FLAGS (\\Answered)"), HasSubstr("\\Answered"));
    EXPECT_THAT((*a)("FETCH 1:* FLAGS"),
                AllOf(Not(HasSubstr("\\Seen")), HasSubstr("* 3 FETCH (FLAGS (\\Answered")));
    EXPECT_THAT((*b)("STATUS Other.ann.Work (UNSEEN)"), HasSubstr("UNSEEN 2)"));
    EXPECT_THAT((*a)("STATUS Work (UNSEEN)"), HasSubstr("UNSEEN 3)"));
    EXPECT_THAT((*b)("SEARCH UNSEEN"), StartsWith("* SEARCH 1 3\r\n"));
    (*a)("STORE 1 +FLAGS (\\Seen)");
    EXPECT_THAT((*b)("SEARCH SEEN"), HasSubstr("* SEARCH 2\r\n"));
    // CONDSTORE counts both
    const std::string before = (*b)("STATUS Other.ann.Work (HIGHESTMODSEQ)");
    const auto number = [](const std::string& line, const std::string& word) {
        const auto at = line.find(word + " ");
        return at == std::string::npos ? 0ULL : std::stoull(line.substr(at + word.size() + 1));
    };
    const auto highest = number(before, "HIGHESTMODSEQ");
    EXPECT_THAT((*b)("STORE 1 (UNCHANGEDSINCE " + std::to_string(highest) + ") +FLAGS (\\Seen)"),
                AllOf(HasSubstr("\\Seen"), Not(HasSubstr("MODIFIED"))));
    EXPECT_THAT((*b)("STORE 1 (UNCHANGEDSINCE " + std::to_string(highest) + ") -FLAGS (\\Seen)"),
                HasSubstr("[MODIFIED 1]"));
    EXPECT_THAT((*b)("FETCH 1:* (FLAGS) (CHANGEDSINCE " + std::to_string(highest) + ")"),
                AllOf(HasSubstr("* 1 FETCH"), Not(HasSubstr("* 2 FETCH"))));
    // MOVE, and what it does to the flags
    (*b)("STORE 2 +FLAGS (\\Flagged)");
    EXPECT_THAT((*b)("MOVE 2 INBOX"), AllOf(HasSubstr("[COPYUID"), HasSubstr("* 2 EXPUNGE")));
    (*b)("SELECT INBOX");
    EXPECT_THAT((*b)("FETCH 1 FLAGS"), HasSubstr("(\\Flagged \\Seen"));
    EXPECT_THAT((*a)("NOOP"), HasSubstr("* 2 EXPUNGE"));
    EXPECT_THAT((*b)("COPY 1 Other.ann.Work"), StartsWith("t OK"));
    EXPECT_THAT((*a)("NOOP"), HasSubstr("* 3 EXISTS"));
    EXPECT_THAT((*a)("FETCH 3 FLAGS"), AllOf(HasSubstr("\\Flagged"), Not(HasSubstr("\\Seen"))));
}

// RFC 7162 3.1.4.2, example 14: session 1 is bob's, session 3 ann's, for whom \Seen is her own.
// Session 2, bob's other one, is in rfc7162_test.cc.
TEST_F(SharedSessionTest, ModSequencesOfPrivateAndSharedFlags) {
    auto andrew = ann();
    auto alex = bob();
    andrew->append("Work", kPlain, "(\\Answered) ");
    (*andrew)("SELECT Work (CONDSTORE)");
    (*alex)("SELECT Other.ann.Work (CONDSTORE)");
    alex->play(R"(
        C: A160 STORE 1 +FLAGS.SILENT (\Deleted)
        S: * 1 FETCH (UID 1 MODSEQ (<<deleted>>))
        S: A160 OK ...)");
    andrew->play(R"(
        C: D210 NOOP
        S: * 1 FETCH (UID 1 FLAGS (\Answered \Deleted \Recent) MODSEQ (<<deleted>>))
        S: D210 OK ...)");
    alex->play(R"(
        C: A240 STORE 1 +FLAGS.SILENT (\Seen)
        S: * 1 FETCH (UID 1 MODSEQ (<<seen>>))
        S: A240 OK ...)");
    andrew->play(R"(
        C: D300 NOOP
        S: D300 OK ...)");
    alex->play(R"(
        C: A330 STORE 1 -FLAGS.SILENT (\Answered \Seen)
        S: * 1 FETCH (UID 1 MODSEQ (<<last>>))
        S: A330 OK ...)");
    andrew->play(R"(
        C: D390 NOOP
        S: * 1 FETCH (UID 1 FLAGS (\Deleted \Recent) MODSEQ (<<last>>))
        S: D390 OK ...)");
}

TEST_F(SharedSessionTest, MetadataUrlsAndFilters) {
    auto a = ann();
    auto b = bob();
    (*a)("SETMETADATA Work (/shared/comment \"ours\" /private/comment \"mine\")");
    a->append("Work", kPlain);
    a->append("Public.News", kPlain);
    EXPECT_EQ(
        (*b)("GETMETADATA Other.ann.Work (/shared/comment /private/comment)"),
        "* METADATA Other.ann.Work (/shared/comment \"ours\")\r\nt OK Getmetadata completed.\r\n");
    EXPECT_THAT((*b)("SETMETADATA Other.ann.Work (/private/comment \"his\")"), StartsWith("t OK"));
    EXPECT_THAT((*b)("GETMETADATA Other.ann.Work /private/comment"), HasSubstr("\"his\""));
    EXPECT_THAT((*a)("GETMETADATA Work /private/comment"), HasSubstr("\"mine\""));
    EXPECT_THAT((*b)("SETMETADATA Public.News (/private/comment \"read only\")"),
                StartsWith("t OK"))
        << "without w";
    EXPECT_THAT((*b)("SETMETADATA Public.News (/private/comment \"x\" /shared/comment \"x\")"),
                StartsWith("t NO [NOPERM]"));
    EXPECT_THAT((*b)("GETMETADATA Public.News /private/comment"), HasSubstr("\"read only\""));
    EXPECT_THAT((*b)("SETMETADATA Public.News (/private/specialuse \"\\\\Sent\")"),
                StartsWith("t NO [USEATTR]"));
    EXPECT_THAT((*b)("SETMETADATA Other.ann.Work (/shared/comment \"theirs\")"),
                StartsWith("t OK"));
    EXPECT_THAT((*a)("GETMETADATA Work /shared/comment"), HasSubstr("theirs"));
    EXPECT_THAT((*b)("APPEND INBOX CATENATE (URL /Public.News/;UID=1)"), StartsWith("t OK"));
    EXPECT_THAT((*b)("ESEARCH IN (personal) ALL"),
                AllOf(HasSubstr("MAILBOX INBOX"), Not(HasSubstr("Public"))));
    EXPECT_THAT((*b)("ESEARCH IN (subtree Public) ALL"), HasSubstr("MAILBOX Public.News"));
}

// A URL is good for its user's sessions; others may read the folder, and have not his key.
TEST_F(SharedSessionTest, UrlsOfMessagesOfOthers) {
    auto a = ann();
    auto b = bob();
    a->append("Public.News", kPlain);
    const auto url_of = [](Client& c, const std::string& user) {
        const std::string answer =
            c("GENURLAUTH \"imap://" + user + "@h/Public.News/;UID=1;URLAUTH=anonymous\" INTERNAL");
        const auto begin = answer.find("imap://");
        return begin == std::string::npos
                   ? answer
                   : answer.substr(begin, answer.find_first_of("\"\r", begin) - begin);
    };
    const std::string his = url_of(*b, "bob"), hers = url_of(*a, "ann");
    ASSERT_THAT(his, StartsWith("imap://bob@"));
    EXPECT_THAT((*b)("URLFETCH \"" + his + "\""), HasSubstr("Subject:"));
    EXPECT_THAT((*a)("URLFETCH \"" + hers + "\""), HasSubstr("Subject:"));
    EXPECT_THAT((*a)("URLFETCH \"" + his + "\""), HasSubstr(" NIL\r\n"));
    EXPECT_THAT((*b)("URLFETCH \"" + hers + "\""), HasSubstr(" NIL\r\n"));
    EXPECT_THAT((*b)("RESETKEY Public.News"), StartsWith("t OK"));
    EXPECT_THAT((*b)("URLFETCH \"" + his + "\""), HasSubstr(" NIL\r\n"));
    const std::string again = url_of(*b, "bob");
    EXPECT_THAT((*b)("URLFETCH \"" + again + "\""), HasSubstr("Subject:"));
    // What may no longer be read is not told by a URL either, nor is one made.
    list(public_.root(), "l bob\nlrswipkxtea ann\n");
    EXPECT_THAT((*b)("URLFETCH \"" + again + "\""), HasSubstr(" NIL\r\n"));
    EXPECT_THAT(url_of(*b, "bob"), HasSubstr("NO [NOPERM]"));
    EXPECT_THAT((*b)("RESETKEY"), StartsWith("t OK"));
    list(public_.root(), "lrs bob\nlrswipkxtea ann\n");
    EXPECT_THAT((*b)("URLFETCH \"" + again + "\""), HasSubstr(" NIL\r\n"));
    EXPECT_THAT((*a)("URLFETCH \"" + hers + "\""), HasSubstr("Subject:"));
}

TEST_F(SharedSessionTest, WhoMayDoNothingThereNotesNothing) {
    auto b = bob();
    list(ann_.root() + "/.Work", "la bob\n");
    for (const char* command : {"SETMETADATA Other.ann.Work (/private/comment \"x\")",
                                "GETMETADATA Other.ann.Work /private/comment"})
        EXPECT_THAT((*b)(command), StartsWith("t NO [NOPERM]")) << command;
    list(ann_.root() + "/.Work", "li bob\n");
    EXPECT_THAT((*b)("SETMETADATA Other.ann.Work (/private/comment \"x\")"), StartsWith("t OK"));
}

TEST_F(SharedSessionTest, QuotaIsTheOwners) {
    auto store_of_bob = mailbox::Store::open(maildir.root());
    store_of_bob->set_quota({5 * 1024, 0});
    store_of_bob->add_namespace({"Public", false});
    store_of_bob->add_namespace({"Other", true});
    store_of_bob->add_mount({"Public", public_.root(), "", {}});
    store_of_bob->add_mount({"Other.ann", ann_.root(), "ann", {"Work"}, {2048, 100}});
    Client b(*std::move(store_of_bob), options("bob"));
    const std::string big = "Subject: x\r\n\r\n" + std::string(1200, 'x') + "\r\n";
    EXPECT_EQ(b("GETQUOTAROOT Other.ann.Work"),
              "* QUOTAROOT Other.ann.Work Other.ann\r\n"
              "* QUOTA Other.ann (STORAGE 0 2 MESSAGE 0 100)\r\nt OK Getquotaroot completed.\r\n");
    EXPECT_EQ(b("GETQUOTAROOT Other.ann.None"),
              "* QUOTAROOT Other.ann.None\r\nt OK Getquotaroot completed.\r\n");
    EXPECT_THAT(b.append("Other.ann.Work", big), StartsWith("t OK"));
    EXPECT_THAT(b.append("Other.ann.Work", big), StartsWith("t NO [OVERQUOTA]"));
    EXPECT_THAT(b("GETQUOTA Other.ann"), StartsWith("* QUOTA Other.ann (STORAGE 2 2 MESSAGE 1 "));
    EXPECT_THAT(b("GETQUOTA \"\""), StartsWith("* QUOTA \"\" (STORAGE 0 5)\r\n"));
    // Between two quotas a message that is moved needs room.
    EXPECT_THAT(b.append("INBOX", big), StartsWith("t OK"));
    b("SELECT INBOX");
    EXPECT_THAT(b("MOVE 1 Other.ann.Work"), HasSubstr("t NO [OVERQUOTA]"));
    EXPECT_THAT(b("COPY 1 Other.ann.Work"), HasSubstr("t NO [OVERQUOTA]"));
    b("SELECT Other.ann.Work");
    EXPECT_THAT(b("MOVE 1 INBOX"), HasSubstr("t OK"));
    EXPECT_THAT(b("GETQUOTA Other.ann"), HasSubstr("(STORAGE 0 2 MESSAGE 0 100)"));
    EXPECT_THAT(b("GETQUOTA \"\""), HasSubstr("(STORAGE 3 5)"));
    b.append("Other.ann.Work", big, "(\\Deleted) ");
    EXPECT_THAT(b("STATUS Other.ann.Work (DELETED DELETED-STORAGE)"),
                HasSubstr("(DELETED 1 DELETED-STORAGE 1216)"));
    b("EXPUNGE");
    EXPECT_THAT(b("GETQUOTA Other.ann"), HasSubstr("(STORAGE 0 2 "));
    // Who may not read there is told nothing.
    b("UNSELECT");
    list(ann_.root() + "/.Work", "li bob\n");
    EXPECT_THAT(b("GETQUOTAROOT Other.ann.Work"), StartsWith("t NO [NOPERM]"));
    EXPECT_THAT(b("GETQUOTA Other.ann"), StartsWith("t NO [NONEXISTENT]"));
}

TEST_F(SharedSessionTest, ATreeHasTheQuotaOfItsFile) {
    auto a = ann();
    EXPECT_THAT(a->append("Public.News", kPlain), StartsWith("t OK"));
    EXPECT_THAT((*a)("GETQUOTA Public"), StartsWith("t NO [NONEXISTENT]"));
    std::ofstream(public_.root() + "/maildirsize") << "2C,1000000S\n";
    EXPECT_EQ((*a)("GETQUOTAROOT Public.News"),
              "* QUOTAROOT Public.News Public\r\n"
              "* QUOTA Public (STORAGE 1 976 MESSAGE 1 2)\r\nt OK Getquotaroot completed.\r\n");
    EXPECT_THAT(a->append("Public.News", kPlain), StartsWith("t OK"));
    EXPECT_THAT(a->append("Public.News", kPlain), StartsWith("t NO [OVERQUOTA]"));
    std::ofstream(public_.root() + "/maildirsize") << "3C\n";
    EXPECT_THAT(a->append("Public.News", kPlain), StartsWith("t OK"));
    EXPECT_THAT((*a)("GETQUOTA Public"), HasSubstr("(MESSAGE 3 3)"));
    EXPECT_THAT((*a)("DELETE Public.News"), StartsWith("t OK"));
    EXPECT_THAT((*a)("CREATE Public.More"), StartsWith("t OK"));
    EXPECT_THAT((*a)("GETQUOTA Public"), HasSubstr("(MESSAGE 0 3)"));
    log::open_capture();
    std::ofstream(public_.root() + "/maildirsize") << "three messages\n";
    EXPECT_THAT((*a)("GETQUOTAROOT Public.More"), StartsWith("* QUOTAROOT Public.More\r\n"));
    EXPECT_THAT(log::take_captured(), HasSubstr("maildirsize: the first line is no limit"));
}

TEST_F(SharedSessionTest, NotifyTellsOfFoldersOfOthers) {
    auto a = ann();
    auto b = bob();
    EXPECT_THAT((*b)("NOTIFY SET (subtree Public (MessageNew MessageExpunge MailboxName))"),
                StartsWith("t OK"));
    a->append("Public.News", kPlain);
    EXPECT_THAT(b->until("* STATUS"), HasSubstr("* STATUS Public.News (MESSAGES 1 "));
    (*a)("CREATE Public.Fresh");
    EXPECT_THAT(b->until("* LIST (\\HasNoChildren)"), HasSubstr("Public.Fresh"));
}

// RFC 5465 3.1, 5.9
TEST_F(SharedSessionTest, NotifyTellsWhatMayNotBeRead) {
    list(public_.root() + "/.News", "l anyone\nlrswipkxtea ann\n");
    auto b = bob();
    b->play(R"(
        C: a NOTIFY SET STATUS (subtree Public (MessageNew MessageExpunge))
        S: * LIST (\NoAccess) "." Public.News
        S: a OK ...)");
    (*ann()).append("Public.News", kPlain);
    EXPECT_EQ((*b)("NOOP"), "t OK NOOP completed.\r\n");
    // What may be read no more is told of no more.
    (*b)("NOTIFY SET (subtree Other (MessageNew MessageExpunge))");
    auto a = ann();
    a->append("Work", kPlain);
    b->play("S: * STATUS Other.ann.Work (MESSAGES 1 ...");
    (*a)("SETACL Work bob l");
    a->append("Work", kPlain);
    EXPECT_EQ((*b)("NOOP"), "t OK NOOP completed.\r\n");
}

// What is the user's own there, another session of his changes.
TEST_F(SharedSessionTest, NotifyTellsOfWhatIsPrivate) {
    auto one = bob(), other = bob();
    ann()->append("Public.News", kPlain);
    EXPECT_THAT((*one)("NOTIFY SET (subtree Public (MessageNew MessageExpunge FlagChange "
                       "MailboxMetadataChange))"),
                StartsWith("t OK"));
    (*other)("SETMETADATA Public.News (/private/comment \"x\")");
    EXPECT_THAT(one->until("* METADATA"), HasSubstr("* METADATA Public.News /private/comment"));
    (*other)("SELECT Public.News");
    (*other)("STORE 1 +FLAGS (\\Seen)");
    // The first number is that of the entry.
    std::string told;
    for (int i = 0; i < 3 && told.find("UNSEEN 0") == std::string::npos; ++i)
        told = one->until("* STATUS Public.News");
    EXPECT_THAT(told, HasSubstr("UNSEEN 0"));
    (*one)("SELECT Public.News");
    (*one)("NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))");
    (*other)("STORE 1 -FLAGS (\\Seen)");
    EXPECT_THAT(one->until("* 1 FETCH"), Not(HasSubstr("\\Seen")));
}

TEST_F(SharedSessionTest, WhoSharesIsNoted) {
    const mailbox::SharedDict dict(sys::RealFs::instance(), public_.root() + "/dict");
    Options with_dict = options("ann");
    with_dict.shares = &dict;
    Client a(store(ann_, "ann"), with_dict);
    const auto owners = [&](const char* user) { return dict.owners_for({user, {}}, 9).value(); };
    EXPECT_THAT(a("SETACL INBOX zoe lr"), StartsWith("t OK"));
    EXPECT_THAT(owners("zoe"), testing::ElementsAre("ann"));
    EXPECT_THAT(owners("bob"), testing::ElementsAre("ann")) << "from before";
    EXPECT_THAT(a("SETACL Public.News tom lr"), StartsWith("t OK"));
    EXPECT_THAT(owners("tom"), testing::IsEmpty()) << "nobody's folder";
    EXPECT_THAT(a("DELETEACL INBOX zoe"), StartsWith("t OK"));
    EXPECT_THAT(owners("zoe"), testing::IsEmpty());
    EXPECT_THAT(a("DELETE Work"), StartsWith("t OK"));
    EXPECT_THAT(owners("bob"), testing::IsEmpty());
    std::filesystem::remove_all(public_.root());
    EXPECT_THAT(a("SETACL INBOX zoe lr"), StartsWith("t OK")) << "the list is what counts";
    EXPECT_THAT(log::take_captured(), HasSubstr("mailbox_shared_dict: "));
}

TEST(PublicFolders, RowsOfTheConfiguration) {
    const auto good = parse_public_folder("Team/Post=/srv/mail/");
    EXPECT_FALSE(good) << "a separator of Maildir++ is no slash";
    const auto row = parse_public_folder("Public=/srv/mail//");
    ASSERT_TRUE(row);
    EXPECT_EQ(row->prefix, "Public");
    EXPECT_EQ(row->root, "/srv/mail");
    EXPECT_EQ(parse_public_folder("B\xc3\xbcro=/x")->prefix, "B&APw-ro");
    for (const char* text : {"", "Public", "=/x", "Public=x", "Public=/", "Public=/a/../b",
                             "INBOX=/x", "inbox.a=/x", "a..b=/x"})
        EXPECT_FALSE(parse_public_folder(text)) << text;
    EXPECT_EQ(level_of_user("j.doe@x.example"), "j^doe@x^example");
}

// Without root and without auth: what can be found out is, the rest is left out.
TEST(SharingTest, BadRowsAreLeftOut) {
    log::open_capture();
    TempMaildir own, tree;
    ASSERT_TRUE(mailbox::Store::open(tree.root()));
    SharingOptions options;
    options.public_folders = {"Public=" + tree.root(), "rubbish"};
    options.dict = "/nonexistent/dict";
    options.users_prefix = "a..b";
    Sharing sharing(options);
    ipc::Grant grant;
    grant.user = "no-such-user-here";
    grant.groups = "staff,chiefs";
    EXPECT_TRUE(sharing.prepare(grant).empty());
    EXPECT_EQ(sharing.person().groups.size(), 2U);
    auto store = *mailbox::Store::open(own.root());
    sharing.mount(store);
    EXPECT_EQ(store.namespaces().size(), 1U);
    const auto paths = sharing.paths(store);
    ASSERT_EQ(paths.size(), 1U);
    EXPECT_EQ(paths[0].path, tree.root());
    EXPECT_EQ(paths[0].access, sys::PathRule::Access::write);
    EXPECT_THAT(log::take_captured(),
                AllOf(HasSubstr("rubbish"), HasSubstr("mailbox_shared_prefix")));
}

// The sandbox is opened for what is another user's, never for where a link of his leads.
TEST(SharingOfFolders, LinksOpenNothing) {
    TempMaildir own, his;
    ASSERT_TRUE(mailbox::Store::open(his.root())->create("Work"));
    auto store = *mailbox::Store::open(own.root());
    store.add_mount({"Other.ann", his.root(), "ann", {"Work", "Gone"}, {2048, 100}});
    std::filesystem::create_symlink("/", his.root() + "/maildirsize");
    std::filesystem::create_directory_symlink("/", his.root() + "/.Gone");
    ASSERT_TRUE(sys::replace_file(his.root() + "/postern.quota-lock", ""));
    std::vector<std::string> paths;
    for (const auto& rule : Sharing({}).paths(store)) {
        EXPECT_TRUE(rule.opened);
        paths.push_back(rule.path.substr(his.root().size()));
    }
    EXPECT_THAT(paths, testing::ElementsAre("/.Work", "", "/postern.quota-lock"));
    (void)log::take_captured();
}

}  // namespace
}  // namespace postern::imapd
