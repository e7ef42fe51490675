// LIST with everything that RFC 5258, RFC 5819 and RFC 6154 add; the first rows are RFC 5258's
// examples, with "." for "/".
#include "imapd/listing.h"
#include "imapd/test_client.h"
#include "lib/imap/command.h"

namespace postern::imapd {
namespace {

Listing fruit() {
    Listing out;
    out.folders = {{"INBOX", true, false},
                   {"Fruit", true, true},
                   {"Fruit.Apple", true, false},
                   {"Fruit.Banana", true, false},
                   {"Tofu", true, false},
                   {"Vegetable", true, true},
                   {"Vegetable.Broccoli", true, false},
                   {"Vegetable.Corn", true, false}};
    out.subscribed = {"Fruit.Banana", "Fruit.Peach", "INBOX", "Vegetable", "Vegetable.Broccoli"};
    return out;
}

// "(\\Subscribed) name|..." without the attributes about children.
std::string list(const Listing& listing, const std::string& arguments) {
    const auto command = imap::parse_command("a LIST " + arguments);
    if (!command) return command.error().what;
    std::string out;
    for (const Listed& one :
         list_folders(listing, std::get<imap::ListArguments>(command->arguments))) {
        std::string attributes = one.attributes;
        for (const std::string word : {"\\HasChildren", "\\HasNoChildren"}) {
            const auto at = attributes.find(word);
            if (at != std::string::npos) attributes.erase(at, word.size());
        }
        out += attributes + one.name + one.extended + "|";
    }
    return out;
}

TEST(ListExtended, Rfc5258Examples) {
    EXPECT_EQ(list(fruit(), "\"\" \"*\""),
              "()INBOX|()Fruit|()Fruit.Apple|()Fruit.Banana|()Tofu|()Vegetable|"
              "()Vegetable.Broccoli|()Vegetable.Corn|");
    EXPECT_EQ(list(fruit(), "(SUBSCRIBED) \"\" \"*\""),
              "( \\Subscribed)INBOX|( \\Subscribed)Fruit.Banana|( \\Subscribed)Vegetable|"
              "( \\Subscribed)Vegetable.Broccoli|(\\NonExistent  \\Subscribed)Fruit.Peach|");
    EXPECT_EQ(list(fruit(), "() \"\" % RETURN (CHILDREN)"), "()INBOX|()Fruit|()Tofu|()Vegetable|");
    EXPECT_EQ(list(fruit(), "(REMOTE) \"\" % RETURN (SUBSCRIBED)"),
              "( \\Subscribed)INBOX|()Fruit|()Tofu|( \\Subscribed)Vegetable|");
    EXPECT_EQ(list(fruit(), "\"\" (\"INBOX\" \"Tofu\" \"Vegetable.%\")"),
              "()INBOX|()Tofu|()Vegetable.Broccoli|()Vegetable.Corn|");
    // 5, the tenth: a parent that is not subscribed itself
    EXPECT_EQ(list(fruit(), "(SUBSCRIBED RECURSIVEMATCH) \"\" %"),
              "( \\Subscribed)INBOX|()Fruit (\"CHILDINFO\" (\"SUBSCRIBED\"))|"
              "( \\Subscribed)Vegetable (\"CHILDINFO\" (\"SUBSCRIBED\"))|");
    // where the pattern shows the children, their parent says nothing more
    EXPECT_EQ(list(fruit(), "(SUBSCRIBED RECURSIVEMATCH) \"\" Fruit*"),
              "( \\Subscribed)Fruit.Banana|(\\NonExistent  \\Subscribed)Fruit.Peach|");
}

TEST(ListExtended, RefusesWhatItDoesNotKnow) {
    for (const char* bad : {"(RECURSIVEMATCH) \"\" *", "(FOO) \"\" *", "() \"\" * RETURN (FOO)",
                            "() \"\" * RETURN", "\"\" ()", "\"\" (a", "(SUBSCRIBED \"\" *",
                            "\"\" * RETURN (STATUS)", "\"\" * RETURN (STATUS (FOO))"})
        EXPECT_THAT(list(fruit(), bad), testing::Not(testing::HasSubstr("|"))) << bad;
    const std::string many = "\"\" (" + std::string(500, 'a') + " ";
    std::string patterns;
    for (int i = 0; i < 200; ++i) patterns += " a";
    EXPECT_EQ(list(fruit(), "\"\" (b" + patterns + ")"), "Too many mailbox patterns");
}

TEST(ListExtended, SpecialUses) {
    Listing listing;
    listing.folders = {{"INBOX", true, false},
                       {"Mine", true, false},
                       {"Sent", true, false},
                       {"Trash", true, false}};
    EXPECT_EQ(list(listing, "(SPECIAL-USE) \"\" *"), "( \\Sent)Sent|( \\Trash)Trash|");
    listing.special_uses["Mine"] = {"\\Sent"};  // the name does not matter any more
    EXPECT_EQ(list(listing, "(SPECIAL-USE) \"\" *"), "( \\Sent)Mine|( \\Trash)Trash|");
    EXPECT_EQ(list(listing, "\"\" * RETURN (SPECIAL-USE)"),
              "()INBOX|( \\Sent)Mine|()Sent|( \\Trash)Trash|");
}

TEST(ListExtended, Utf8Names) {
    Listing listing;
    listing.folders = {{"Entw&APw-rfe", true, false}, {"&AOkA6g-", true, false}};
    EXPECT_EQ(list(listing, "\"\" Entw*"), "()Entw&APw-rfe|");
    listing.utf8 = true;
    EXPECT_EQ(list(listing, "\"\" \"Entw\xc3\xbcr%\""), "()Entw\xc3\xbcrfe|");
    EXPECT_EQ(list(listing, "\"\" \"\xc3\xa9%\""), "()\xc3\xa9\xc3\xaa|");
}

// As a Dovecot whose namespace has "separator = /" shows them, or Courier: with "INBOX." before all.
Listing named(char separator, std::string_view prefix) {
    Listing out = fruit();
    out.names = FolderNames::make(separator, prefix, {"Public"}).value();
    out.folders.push_back({"Public.News", true, false});
    return out;
}

TEST(ListExtended, OtherSeparator) {
    const Listing slashes = named('/', "");
    EXPECT_EQ(list(slashes, "\"\" %"), "()INBOX|()Fruit|(\\Noselect )Public|()Tofu|()Vegetable|");
    EXPECT_EQ(list(slashes, "\"Fruit/\" %"), "()Fruit/Apple|()Fruit/Banana|");
    EXPECT_EQ(list(slashes, "\"\" Fruit.%"), "");
    EXPECT_EQ(list(slashes, "(SUBSCRIBED RECURSIVEMATCH) \"\" %"),
              "( \\Subscribed)INBOX|()Fruit (\"CHILDINFO\" (\"SUBSCRIBED\"))|"
              "( \\Subscribed)Vegetable (\"CHILDINFO\" (\"SUBSCRIBED\"))|");
}

TEST(ListExtended, Prefix) {
    EXPECT_EQ(list(named('.', "INBOX."), "\"\" %"), "()INBOX|(\\Noselect )Public|");
    EXPECT_EQ(list(named('.', "INBOX."), "INBOX. %"),
              "()INBOX.Fruit|()INBOX.Tofu|()INBOX.Vegetable|");
    EXPECT_EQ(list(named('/', "Mail/"), "\"\" %"),
              "()INBOX|(\\Noselect )Mail|(\\Noselect )Public|");
    EXPECT_EQ(list(named('/', "Mail/"), "\"\" Mail/%/Corn"), "()Mail/Vegetable/Corn|");
    EXPECT_EQ(list(named('/', "Mail/"), "(SUBSCRIBED) \"\" *Peach"),
              "(\\NonExistent  \\Subscribed)Mail/Fruit/Peach|");
}

TEST(FolderNames, ThereAndBack) {
    const auto names = FolderNames::make('/', "INBOX/", {"Other"}).value();
    for (const auto& [stored, shown] :
         std::map<std::string, std::string>{{"INBOX", "INBOX"},
                                            {"Sent.2026", "INBOX/Sent/2026"},
                                            {"INBOX.a", "INBOX/INBOX/a"},
                                            {"Other.fred^x.Work", "Other/fred^x/Work"},
                                            {"Others", "INBOX/Others"},
                                            {"", ""},
                                            {"Entw&APw-rfe", "INBOX/Entw&APw-rfe"}}) {
        EXPECT_EQ(names.shown(stored, false), shown);
        EXPECT_EQ(names.stored(shown, false), stored);
    }
    EXPECT_EQ(names.shown("Entw&APw-rfe", true), "INBOX/Entw\xc3\xbcrfe");
    EXPECT_EQ(names.stored("inbox/Entw\xc3\xbcrfe", true), "Entw&APw-rfe");
    EXPECT_EQ(names.stored("INBOX/a/", false), "a.");  // RFC 3501 6.3.3
    EXPECT_EQ(names.stored("inbox/", false), "INBOX");
    EXPECT_EQ(names.stored("\xff", true), std::nullopt);
    for (const char* none : {"Sent", "INBOX/a.b", "INBOX/inbox", "/", "INBOX//a", ".Sent"}) {
        const auto stored = names.stored(none, false);
        ASSERT_TRUE(stored) << none;
        EXPECT_FALSE(mailbox::Store::canonical(*stored)) << none << " is " << *stored;
    }
}

TEST(FolderNames, PrefixesThatCannotBe) {
    EXPECT_EQ(FolderNames::make('.', "INBOX", {}).value().prefix, "INBOX.");
    for (const char* bad :
         {"INBOX/", ".", "..", "a b.", "a%.", "\"", "Pub\xc3\xbc.", "Public", "Public.a."})
        EXPECT_FALSE(FolderNames::make('.', bad, {"Public"})) << bad;
}

// Every command that names a mailbox, and every answer.
TEST_F(SessionTest, PrefixAndSeparator) {
    Options options;
    options.names = FolderNames::make('/', "INBOX/", {}).value();
    options.user = "fred";
    Client c(maildir, options);
    EXPECT_THAT(c("NAMESPACE"), StartsWith("* NAMESPACE ((\"INBOX/\" \"/\")) NIL NIL\r\n"));
    EXPECT_THAT(c("LIST \"\" \"\""), StartsWith("* LIST (\\Noselect) \"/\" \"\"\r\n"));
    EXPECT_THAT(c("CREATE INBOX/Lists/a"), StartsWith("t OK"));
    EXPECT_TRUE(std::filesystem::exists(maildir.root() + "/.Lists.a/cur"));
    EXPECT_THAT(c("CREATE Lists"),
                StartsWith("t NO [CANNOT] Invalid mailbox name; your own begin with \"INBOX/\""));
    EXPECT_THAT(c("CREATE INBOX/a.b"), StartsWith("t NO [CANNOT]"));
    EXPECT_THAT(c("SUBSCRIBE inbox/Lists/a"), StartsWith("t OK"));
    EXPECT_THAT(c("LSUB \"\" *"), StartsWith("* LSUB () \"/\" INBOX/Lists/a\r\n"));
    EXPECT_THAT(c("LSUB \"\" INBOX/%"), StartsWith("* LSUB (\\Noselect) \"/\" INBOX/Lists\r\n"));
    EXPECT_THAT(c("LIST \"\" %"), StartsWith("* LIST (\\HasChildren) \"/\" INBOX\r\nt OK"));
    EXPECT_THAT(c("STATUS INBOX/Lists/a (MESSAGES)"),
                StartsWith("* STATUS INBOX/Lists/a (MESSAGES 0)\r\n"));
    EXPECT_THAT(c("RENAME INBOX/Lists/a INBOX/b"), StartsWith("t OK"));
    EXPECT_THAT(c("RENAME INBOX/b c"), StartsWith("t NO [CANNOT]"));
    EXPECT_THAT(c("SETMETADATA INBOX/b (/private/comment \"x\")"), StartsWith("t OK"));
    EXPECT_THAT(c("GETMETADATA INBOX/b /private/comment"),
                StartsWith("* METADATA INBOX/b (/private/comment \"x\")\r\n"));
    EXPECT_THAT(c("SETMETADATA \"\" (/private/comment \"y\")"), StartsWith("t OK"));
    EXPECT_THAT(c("GETACL INBOX/b"), StartsWith("* ACL INBOX/b "));
    EXPECT_THAT(c("MYRIGHTS INBOX/b"), StartsWith("* MYRIGHTS INBOX/b "));
    EXPECT_THAT(c("GETQUOTAROOT INBOX/b"), StartsWith("* QUOTAROOT INBOX/b\r\n"));
    EXPECT_THAT(c.append("INBOX/b", kPlain), HasSubstr("OK [APPENDUID"));
    EXPECT_THAT(c("SELECT b"), StartsWith("t NO [CANNOT]"));
    EXPECT_THAT(c("SELECT INBOX/b"), HasSubstr("* 1 EXISTS"));
    EXPECT_THAT(c("COPY 1 inbox/b"), HasSubstr("t OK [COPYUID"));
    EXPECT_THAT(c("GENURLAUTH \"imap://fred@h.test/INBOX/b/;UID=1;URLAUTH=authuser\" INTERNAL"),
                StartsWith("* GENURLAUTH \"imap://"));
    EXPECT_THAT(c("NOTIFY SET STATUS (subtree INBOX (MessageNew MessageExpunge))"),
                HasSubstr("* STATUS INBOX (MESSAGES 0 "));
    EXPECT_THAT(c("NOTIFY NONE"), StartsWith("t OK"));
    EXPECT_THAT(c("ESEARCH IN (subtree INBOX) ALL"), HasSubstr(" MAILBOX INBOX/b "));
    EXPECT_THAT(c("ESEARCH IN (subtree-one b) ALL"), StartsWith("t OK"));
    EXPECT_THAT(c("ENABLE IMAP4rev2"), HasSubstr("t OK"));
    EXPECT_THAT(c("SELECT INBOX/b"), HasSubstr("* LIST () \"/\" INBOX/b\r\n"));
    EXPECT_THAT(c("DELETE INBOX/b"), StartsWith("t OK"));
}

TEST_F(SessionTest, ListStatusAndSpecialUse) {
    Client c(maildir);
    EXPECT_THAT(c("CREATE \"Sent Stuff\" (USE (\\sent))"), HasSubstr("t OK [MAILBOXID (F"));
    EXPECT_THAT(c("CREATE x (USE (\\All))"), StartsWith("t NO [USEATTR]"));
    EXPECT_THAT(c("CREATE x (FOO (a))"), StartsWith("t BAD"));
    EXPECT_THAT(c("STATUS x (MESSAGES)"), StartsWith("t NO"));
    c("SUBSCRIBE \"Sent Stuff\"");
    c("CREATE a.b");
    c.append("INBOX", kPlain, "(\\Deleted) ");
    EXPECT_EQ(c("LIST \"\" % RETURN (SUBSCRIBED STATUS (MESSAGES DELETED SIZE))"),
              "* LIST (\\HasNoChildren) \".\" INBOX\r\n"
              "* STATUS INBOX (MESSAGES 1 DELETED 1 SIZE " +
                  std::to_string(kPlain.size()) +
                  ")\r\n"
                  "* LIST (\\HasNoChildren \\Subscribed \\Sent) \".\" \"Sent Stuff\"\r\n"
                  "* STATUS \"Sent Stuff\" (MESSAGES 0 DELETED 0 SIZE 0)\r\n"
                  "* LIST (\\NonExistent \\HasChildren) \".\" a\r\n"
                  "t OK List completed.\r\n");
}

TEST_F(SessionTest, StatusItems) {
    Options options;
    options.max_message = 12345;
    Client c(maildir, options);
    EXPECT_THAT(c("CAPABILITY"), HasSubstr(" APPENDLIMIT=12345"));
    const std::string all = c("STATUS INBOX (HIGHESTMODSEQ APPENDLIMIT MAILBOXID SIZE)");
    EXPECT_THAT(all, HasSubstr(" APPENDLIMIT 12345 MAILBOXID (F"));
    const std::string id = all.substr(all.find("MAILBOXID"), 20);
    EXPECT_THAT(c("SELECT INBOX"), HasSubstr("* OK [" + id.substr(0, id.find(')'))));
    Client unlimited(maildir);
    EXPECT_THAT(unlimited("CAPABILITY"), Not(HasSubstr("APPENDLIMIT")));
    EXPECT_THAT(unlimited("STATUS INBOX (APPENDLIMIT)"), HasSubstr("(APPENDLIMIT NIL)"));
}

}  // namespace
}  // namespace postern::imapd
