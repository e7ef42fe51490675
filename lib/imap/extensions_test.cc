// The grammar of FUZZY (RFC 6203), MULTISEARCH (RFC 7377), UPDATE (RFC 5267), LIST-METADATA (RFC
// 9590).
#include "lib/imap/command.h"

namespace postern::imap {
namespace {

using testing::ElementsAre;

SearchKey key_of(const std::string& text) {
    Parser parser(text);
    auto key = parse_search_keys(parser);
    EXPECT_TRUE(key) << text;
    return key ? *key : SearchKey();
}

TEST(Fuzzy, TakesTextsWordByWord) {
    const SearchKey key = key_of("FUZZY (SUBJECT \"old houses\" FROM bob) UNSEEN");
    const SearchKey& fuzzy = key.children[0];
    EXPECT_EQ(fuzzy.kind, SearchKey::Kind::fuzzy);
    const SearchKey exact = without_fuzzy(fuzzy, Fuzz::exact);
    EXPECT_EQ(exact.children[0].text, "old houses");
    const SearchKey words = without_fuzzy(fuzzy, Fuzz::words);
    EXPECT_EQ(words.children[0].kind, SearchKey::Kind::and_);
    EXPECT_EQ(words.children[0].children[0].text, "old");
    EXPECT_EQ(words.children[0].children[1].text, "houses");
    EXPECT_EQ(words.children[0].children[1].field, "Subject");
    const SearchKey stems = without_fuzzy(key, Fuzz::stems);
    EXPECT_EQ(stems.children[0].children[0].children[1].text, "house");
    EXPECT_EQ(stems.children[0].children[1].children[0].text, "bob");
    EXPECT_FALSE(has_key(stems, SearchKey::Kind::fuzzy));
    // A letter of several bytes goes as a whole; nothing to look for stays so
    EXPECT_EQ(without_fuzzy(key_of("FUZZY BODY caf\xc3\xa9"), Fuzz::stems).children[0].text, "caf");
    EXPECT_EQ(without_fuzzy(key_of("FUZZY BODY \" \""), Fuzz::stems).text, " ");
    EXPECT_FALSE(parse_command("a SEARCH FUZZY"));
}

// A line of 64 kB would be 32,000 keys.
TEST(Fuzzy, WordsCountOnceAndAreFew) {
    const auto words_of = [](const std::string& text) {
        return without_fuzzy(key_of("FUZZY TEXT \"" + text + "\""), Fuzz::words);
    };
    std::string same, many;
    for (int i = 0; i < 1000; ++i) {
        same += "a b ";
        many += std::to_string(i) + " ";
    }
    EXPECT_EQ(words_of(same).children.size(), 2U);
    EXPECT_TRUE(words_of(many).children.empty());
    EXPECT_EQ(words_of(many).text, many);
}

TEST(Numbers, AreFoundInKeys) {
    EXPECT_TRUE(has_numbers(key_of("NOT (OR SEEN 1:3)")));
    EXPECT_FALSE(has_numbers(key_of("UID 1:3 $")));
    EXPECT_TRUE(has_saved_result(key_of("OR SEEN $")));
    EXPECT_TRUE(has_saved_result(key_of("UID $")));
    EXPECT_FALSE(has_saved_result(key_of("1:3")));
}

// RFC 7377 2.3
TEST(Esearch, ReadsItsExamples) {
    const auto command = parse_command(
        "tag1 ESEARCH IN (mailboxes \"folder1\" subtree \"folder2\") RETURN (COUNT) unseen");
    ASSERT_TRUE(command);
    const auto& arguments = std::get<EsearchArguments>(command->arguments);
    ASSERT_EQ(arguments.filters.size(), 2U);
    EXPECT_EQ(arguments.filters[0].kind, MailboxFilter::Kind::mailboxes);
    EXPECT_THAT(arguments.filters[0].names, ElementsAre("folder1"));
    EXPECT_EQ(arguments.filters[1].kind, MailboxFilter::Kind::subtree);
    EXPECT_TRUE(arguments.search.options.count);
    EXPECT_TRUE(parse_command("t ESEARCH IN (subtree-one (a b) personal) subject \"chad\""));
    EXPECT_TRUE(
        std::get<EsearchArguments>(parse_command("t ESEARCH UNSEEN")->arguments).filters.empty());
    for (const char* text : {"t ESEARCH", "t ESEARCH IN () ALL", "t ESEARCH IN (all) ALL",
                             "t ESEARCH IN (mailboxes) ALL", "t ESEARCH IN (personal)"})
        EXPECT_FALSE(parse_command(text)) << text;
}

TEST(MailboxFilterTest, Covers) {
    struct Case {
        const char *filter, *mailbox;
        bool covered;
    };
    const Case cases[] = {
        {"personal", "x", true},
        {"inboxes", "inbox", true},
        {"inboxes", "INBOX.x", false},
        {"subscribed", "x", false},
        {"mailboxes (x y)", "y", true},
        {"mailboxes x", "x.y", false},
        {"mailboxes inbox", "INBOX", true},
        {"subtree x", "x", true},
        {"subtree x", "x.y.z", true},
        {"subtree x", "xy", false},
        {"subtree-one x", "x.y", true},
        {"subtree-one x", "x.y.z", false},
        {"selected", "x", false},
    };
    for (const auto& one : cases) {
        Parser parser(one.filter);
        const auto filter = parse_mailbox_filter(parser);
        ASSERT_TRUE(filter) << one.filter;
        EXPECT_EQ(filter->covers(one.mailbox, false, '.'), one.covered)
            << one.filter << " " << one.mailbox;
    }
}

TEST(Update, IsAnOption) {
    const auto command = parse_command("B01 SEARCH RETURN (UPDATE CONTEXT COUNT) ALL");
    ASSERT_TRUE(command);
    const auto& options = std::get<SearchArguments>(command->arguments).options;
    EXPECT_TRUE(options.update && options.context && options.count && !options.all);
    EXPECT_THAT(std::get<CancelUpdateArguments>(
                    parse_command("B02 CANCELUPDATE \"B01\" \"B03\"")->arguments)
                    .tags,
                ElementsAre("B01", "B03"));
    EXPECT_FALSE(parse_command("B02 CANCELUPDATE B01"));
}

// RFC 5465 7
TEST(Update, NamesItemsOfNewMessages) {
    const auto command = parse_command(
        "a00 SEARCH RETURN (COUNT UPDATE (UID BODY[HEADER.FIELDS (TO FROM SUBJECT)])) FROM "
        "\"boss\"");
    ASSERT_TRUE(command);
    const auto& options = std::get<SearchArguments>(command->arguments).options;
    EXPECT_TRUE(options.update && options.count);
    ASSERT_EQ(options.update_items.size(), 2U);
    EXPECT_EQ(options.update_items[1].label, "BODY[HEADER.FIELDS (TO FROM SUBJECT)]");
    for (const char* bad : {"a SEARCH RETURN (UPDATE ()) ALL", "a SEARCH RETURN (UPDATE (X)) ALL",
                            "a SEARCH RETURN (UPDATE (UID) ALL"})
        EXPECT_FALSE(parse_command(bad)) << bad;
}

// RFC 5465 3, 5, 9
TEST(Notify, ReadsItsExamples) {
    const auto command = parse_command(
        "a notify set status (selected MessageNew (uid body.peek[header.fields (from to subject)]) "
        "MessageExpunge)");
    EXPECT_FALSE(command);  // events are in parentheses
    const auto good = parse_command(
        "a NOTIFY SET STATUS (selected (MessageNew (uid body.peek[header.fields (from to)]) "
        "MessageExpunge FlagChange)) (subtree Lists (MessageNew MessageExpunge)) "
        "(personal (MailboxName SubscriptionChange)) (mailboxes misc NONE)");
    ASSERT_TRUE(good) << good.error().what;
    const auto& arguments = std::get<NotifyArguments>(good->arguments);
    EXPECT_TRUE(arguments.status);
    ASSERT_EQ(arguments.groups.size(), 4U);
    EXPECT_TRUE(arguments.groups[0].is_selected());
    EXPECT_EQ(arguments.groups[0].events.new_items.size(), 2U);
    EXPECT_TRUE(arguments.groups[1].events.of_messages());
    EXPECT_TRUE(arguments.groups[2].events.mailbox_name);
    EXPECT_FALSE(arguments.groups[3].events.of_messages());
    EXPECT_TRUE(
        std::get<NotifyArguments>(parse_command("a NOTIFY NONE")->arguments).groups.empty());
    EXPECT_TRUE(
        std::get<NotifyArguments>(
            parse_command("a NOTIFY SET (personal (AnnotationChange MailboxName))")->arguments)
            .has_unknown());
    for (const char* text :
         {"a NOTIFY", "a NOTIFY SET", "a NOTIFY SOME", "a NOTIFY SET ()", "a NOTIFY SET (personal)",
          "a NOTIFY SET (personal (MessageNew))", "a NOTIFY SET (personal (FlagChange))",
          "a NOTIFY SET (selected (MailboxName))", "a NOTIFY SET LATER (personal (MailboxName))",
          "a NOTIFY SET (personal (MessageNew (uid) MessageExpunge))",
          "a NOTIFY SET (selected (MessageNew MessageExpunge)) (selected-delayed NONE)"})
        EXPECT_FALSE(parse_command(text)) << text;
}

TEST(ListReturn, Metadata) {
    const auto command = parse_command(
        "a LIST \"\" % RETURN (METADATA (DEPTH 1) (\"/shared/vendor/x/color\" /private/comment) "
        "MYRIGHTS)");
    ASSERT_TRUE(command);
    const auto& arguments = std::get<ListArguments>(command->arguments);
    EXPECT_TRUE(arguments.return_my_rights);
    EXPECT_THAT(arguments.metadata->entries,
                ElementsAre("/shared/vendor/x/color", "/private/comment"));
    EXPECT_FALSE(parse_command("a LIST \"\" % RETURN (METADATA)"));
    EXPECT_FALSE(parse_command("a LIST \"\" % RETURN (METADATA (bad))"));
}

}  // namespace
}  // namespace postern::imap
