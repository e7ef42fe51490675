// Commands, FETCH items, SEARCH trees.
#include "lib/imap/command.h"

namespace postern::imap {
namespace {

std::string error_of(std::string_view text) {
    const auto command = parse_command(text);
    return command ? "ok" : command.error().what;
}

TEST(Command, AcceptsTheGrammar) {
    for (auto text : {"a CAPABILITY",
                      "a noop ",
                      "A1.x LOGOUT",
                      "a select INBOX",
                      "a examine \"a b\"",
                      "a create x.",
                      "a delete {3}\r\nabc",
                      "a rename a b",
                      "a subscribe a",
                      "a unsubscribe a",
                      "a list \"\" *",
                      "a lsub \"\" %.%",
                      "a status x (messages recent uidnext uidvalidity unseen)",
                      "a check",
                      "a close",
                      "a unselect",
                      "a expunge",
                      "a uid expunge 1:4",
                      "a namespace",
                      "a id nil",
                      "a id ()",
                      "a id (\"name\" \"x\" \"version\" NIL)",
                      "a idle",
                      "a copy 1:* x",
                      "a uid copy 7 x",
                      "a move 1 x",
                      "a uid move 1 x",
                      "a fetch 1 flags",
                      "a store 1 flags \\Seen",
                      "a store 1 +flags.silent (\\Seen x)",
                      "a store 1 -FLAGS (\\Seen)",
                      "a store 1 flags ()",
                      "a store 1 flags \\Seen \\Deleted",
                      "a append x {5}\r\n",
                      "a append x {5+}\r\n",
                      "a append x (\\Seen) \" 1-Jan-2020 00:00:00 +0000\" {5}\r\n",
                      "a login anything goes here",
                      "a starttls",
                      "a uid store 1 flags (a)",
                      "a search all "}) {
        EXPECT_EQ(error_of(text), "ok") << text;
    }
}

TEST(Command, RefusesEverythingElse) {
    for (auto text : {"",
                      "a",
                      "a ",
                      " noop",
                      "a  noop",
                      "+ noop",
                      "a unknown",
                      "a select",
                      "a select ",
                      "a select a b",
                      "a noop x",
                      "a uid noop",
                      "a uid",
                      "a rename a",
                      "a list \"\"",
                      "a status x",
                      "a status x ()",
                      "a status x (foo)",
                      "a status x (messages",
                      "a fetch 1",
                      "a fetch x flags",
                      "a fetch 0 flags",
                      "a fetch 1 foo",
                      "a fetch 1 (flags",
                      "a fetch 1 ()",
                      "a fetch 1 body.peek",
                      "a fetch 1 body[",
                      "a fetch 1 (all)",
                      "a store 1 flags",
                      "a store 1 foo (x)",
                      "a store 1 +flags",
                      "a copy 1",
                      "a append x",
                      "a append x (\\Seen",
                      "a append x \"1-Jan-2020\" {5}\r\n",
                      "a append x y {5}\r\n",
                      "a append x {5}\r\n{5}\r\n",
                      "a search",
                      "a search foo",
                      "a id (\"x\")",
                      "a id x",
                      "a expunge 1",
                      "a uid expunge",
                      "a select \"x",
                      "a create {9}\r\nshort"}) {
        EXPECT_NE(error_of(text), "ok") << text;
    }
}

TEST(Command, KeepsTheArguments) {
    const auto store = *parse_command("t1 UID STORE 5,9:* -FLAGS.SILENT (\\Seen $Junk)");
    EXPECT_EQ(store.tag, "t1");
    EXPECT_TRUE(store.uid);
    EXPECT_EQ(store.verb, Verb::store);
    const auto& s = std::get<StoreArguments>(store.arguments);
    EXPECT_EQ(s.mode, StoreArguments::Mode::remove);
    EXPECT_TRUE(s.silent);
    EXPECT_EQ(s.flags, (std::vector<std::string>{"\\Seen", "$Junk"}));
    const auto append =
        *parse_command("t APPEND \"Sent Mail\" (\\Draft) \"17-Jul-1996 02:44:25 -0700\" {310}\r\n");
    const auto& a = std::get<AppendArguments>(append.arguments);
    EXPECT_EQ(a.mailbox, "Sent Mail");
    EXPECT_EQ(a.first.date->seconds, 837596665);
    const auto status = *parse_command("t STATUS b (UNSEEN MESSAGES)");
    EXPECT_EQ(std::get<StatusArguments>(status.arguments).items,
              (std::vector<StatusItem>{StatusItem::unseen, StatusItem::messages}));
    EXPECT_EQ(name_of(Verb::namespace_), "NAMESPACE");
    EXPECT_FALSE(verb_of("nothing"));
}

TEST(Command, Extensions) {
    const auto select = *parse_command(
        "A2 SELECT INBOX (CONDSTORE QRESYNC (67890007 20050715194045000 41,43:211,214:541 (1,3 "
        "10,20)))");
    const auto& s = std::get<SelectArguments>(select.arguments);
    EXPECT_TRUE(s.condstore);
    ASSERT_TRUE(s.qresync);
    EXPECT_EQ(s.qresync->uid_validity, 67890007U);
    EXPECT_EQ(s.qresync->modseq, 20050715194045000U);
    EXPECT_EQ(s.qresync->known_uids->largest_written(), 541U);
    EXPECT_EQ(s.qresync->match_uids.largest_written(), 20U);

    const auto fetch =
        *parse_command("s100 UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)");
    EXPECT_EQ(std::get<FetchArguments>(fetch.arguments).changed_since, 12345U);
    EXPECT_TRUE(std::get<FetchArguments>(fetch.arguments).vanished);
    const auto store =
        *parse_command("d STORE 7 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)");
    EXPECT_EQ(std::get<StoreArguments>(store.arguments).unchanged_since, 320162338U);

    const auto create = *parse_command("t CREATE MySent (USE (\\Sent \\Archive))");
    EXPECT_EQ(std::get<CreateArguments>(create.arguments).special_use,
              (std::vector<std::string>{"\\Sent", "\\Archive"}));
    const auto search = *parse_command("a SEARCH RETURN (MIN COUNT SAVE) $ FLAGGED");
    const auto& options = std::get<SearchArguments>(search.arguments).options;
    EXPECT_TRUE(options.min && options.count && options.save && !options.all && !options.max);
    const auto enable = *parse_command("t ENABLE CONDSTORE X-GOOD-IDEA");
    EXPECT_EQ(std::get<EnableArguments>(enable.arguments).names,
              (std::vector<std::string>{"CONDSTORE", "X-GOOD-IDEA"}));
    EXPECT_TRUE(parse_command("a FETCH $ UID"));
    EXPECT_TRUE(parse_command("a SEARCH $"));
    for (const char* text : {
             "a select x (qresync (1 9999999999999999999))",
             "a select x ()",
             "a fetch 1 uid (changedsince)",
             "a fetch 1 uid (vanished)",
             "a fetch $1 uid",
             "a store 1 (unchangedsince 9223372036854775808) flags ()",
             "a create x (use \\Sent)",
             "a search return (min",
             "a enable \"x\"",
         })
        EXPECT_NE(error_of(text), "ok") << text;
}

TEST(Command, NextMessageOfAnAppend) {
    const auto item = parse_next_append(" (\\Seen) \"17-Jul-1996 02:44:25 -0700\" ~{12+}");
    ASSERT_TRUE(item);
    EXPECT_TRUE(item->binary);
    EXPECT_EQ(item->flags, std::vector<std::string>{"\\Seen"});
    EXPECT_TRUE(item->date);
    EXPECT_FALSE(parse_next_append("{12}"));
    EXPECT_FALSE(parse_next_append(" junk {12}"));
    EXPECT_FALSE(parse_next_append(" (\\Seen)"));
}

TEST(SequenceSet, SavedResultAndRanges) {
    EXPECT_TRUE(SequenceSet::parse("$")->is_saved_result());
    EXPECT_FALSE(SequenceSet::parse("1:2")->is_saved_result());
    EXPECT_FALSE(SequenceSet::parse("$,1"));
    EXPECT_TRUE(SequenceSet::parse("5,2:*")->has_star());
    EXPECT_EQ(format_set(std::vector<Range>{{1, 3}, {7, 7}}), "1:3,7");
    EXPECT_EQ(to_ranges({1, 2, 3, 7}), (std::vector<Range>{{1, 3}, {7, 7}}));
}

TEST(Command, RecognisesTheMessageOfAnAppend) {
    EXPECT_TRUE(is_append_with_message("a APPEND box {5}"));
    EXPECT_TRUE(is_append_with_message("a append {3}\r\nbox (\\Seen) {5+}"));
    EXPECT_TRUE(is_append_with_message("a replace 4 box (\\Seen) {5+}"));
    EXPECT_TRUE(is_append_with_message("a uid replace 4 box {5}"));
    EXPECT_FALSE(is_append_with_message("a uid replace box {5}"));
    EXPECT_FALSE(is_append_with_message("a append {5}"));
    EXPECT_FALSE(is_append_with_message("a append box \"x\" {5}"));
    EXPECT_FALSE(is_append_with_message("a select {5}"));
    EXPECT_FALSE(is_append_with_message("a"));
}

std::string items(const std::string& text) {
    const auto command = parse_command("a fetch 1 " + text);
    if (!command) return command.error().what;
    std::string out;
    for (const auto& item : std::get<FetchArguments>(command->arguments).items) {
        out += item.label + (item.partial ? "+" + std::to_string(item.partial->count) : "") +
               (item.sets_seen ? "!" : "") + ";";
    }
    return out;
}

TEST(FetchItem, Labels) {
    struct Case {
        const char *text, *expected;
    };
    const Case cases[] = {
        {"fast", "FLAGS;INTERNALDATE;RFC822.SIZE;"},
        {"all", "FLAGS;INTERNALDATE;RFC822.SIZE;ENVELOPE;"},
        {"full", "FLAGS;INTERNALDATE;RFC822.SIZE;ENVELOPE;BODY;"},
        {"(uid flags UID)", "UID;FLAGS;"},
        {"body[]", "BODY[]!;"},
        {"body.peek[]", "BODY[];"},
        {"(body[] body.peek[])", "BODY[]!;"},
        {"body[text]<0.100>", "BODY[TEXT]<0>+100!;"},
        {"body.peek[1.2.mime]", "BODY[1.2.MIME];"},
        {"body.peek[header]", "BODY[HEADER];"},
        {"body.peek[4.header]", "BODY[4.HEADER];"},
        {"body.peek[header.fields (From \"to\" {2}\r\ncc)]", "BODY[HEADER.FIELDS (From to cc)];"},
        {"body.peek[1.header.fields.not (\"a b\")]", "BODY[1.HEADER.FIELDS.NOT (\"a b\")];"},
        {"rfc822", "RFC822!;"},
        {"rfc822.header", "RFC822.HEADER;"},
        {"rfc822.text", "RFC822.TEXT!;"},
        {"(body bodystructure)", "BODY;BODYSTRUCTURE;"},
        {"body[mime]", "Invalid section"},
        {"body[0]", "Invalid number 0"},
        {"body[1.]", "Invalid characters in atom"},
        {"body[header.fields ()]", "Invalid characters in atom"},
        {"body[header.fields]", "Missing space between arguments"},
        {"body[foo]", "Invalid section"},
        {"body[]<0.0>", "Invalid number 0"},
        {"body[]<1>", "Missing '.'"},
    };
    for (const auto& c : cases) EXPECT_EQ(items(c.text), c.expected) << c.text;
}

TEST(FetchItem, IsBounded) {
    std::string deep = "body[1";
    for (int i = 0; i < 200; ++i) deep += ".1";
    EXPECT_EQ(items(deep + "]"), "Section is too deep");
    std::string many = "(";
    for (int i = 0; i < 300; ++i) many += "body[" + std::to_string(i + 1) + "] ";
    EXPECT_EQ(items(many + "uid)"), "Too many FETCH items");
}

std::string shown(const SearchKey& key) {
    using Kind = SearchKey::Kind;
    std::string children;
    for (const auto& child : key.children) children += (children.empty() ? "" : " ") + shown(child);
    switch (key.kind) {
        case Kind::all: return "all";
        case Kind::set: return "set";
        case Kind::uid_set: return "uid";
        case Kind::flag: return key.text;
        case Kind::recent: return "recent";
        case Kind::new_: return "new";
        case Kind::old: return "old";
        case Kind::before: return "before" + std::to_string(key.day);
        case Kind::on: return "on" + std::to_string(key.day);
        case Kind::since: return "since" + std::to_string(key.day);
        case Kind::sent_before: return "sentbefore" + std::to_string(key.day);
        case Kind::sent_on: return "senton" + std::to_string(key.day);
        case Kind::sent_since: return "sentsince" + std::to_string(key.day);
        case Kind::larger: return "larger" + std::to_string(key.number);
        case Kind::older: return "older" + std::to_string(key.number);
        case Kind::younger: return "younger" + std::to_string(key.number);
        case Kind::modseq: return "modseq" + std::to_string(key.number);
        case Kind::saved_before: return "savedbefore" + std::to_string(key.day);
        case Kind::saved_on: return "savedon" + std::to_string(key.day);
        case Kind::saved_since: return "savedsince" + std::to_string(key.day);
        case Kind::save_date_supported: return "savedatesupported";
        case Kind::email_id: return "email" + key.text;
        case Kind::thread_id: return "thread" + key.text;
        case Kind::smaller: return "smaller" + std::to_string(key.number);
        case Kind::header: return key.field + "=" + key.text;
        case Kind::body: return "body=" + key.text;
        case Kind::text: return "text=" + key.text;
        case Kind::and_: return "(" + children + ")";
        case Kind::or_: return "or(" + children + ")";
        case Kind::not_: return "!" + children;
        case Kind::fuzzy: return "~" + children;
    }
    return "?";
}

std::string search(const std::string& text) {
    const auto command = parse_command("a search " + text);
    if (!command) return command.error().what;
    return shown(std::get<SearchArguments>(command->arguments).key);
}

TEST(SearchKey, Trees) {
    struct Case {
        const char *text, *expected;
    };
    const Case cases[] = {
        {"all", "all"},
        {"unseen 1:3 uid 5", "(!\\Seen set uid)"},
        {"or seen not deleted", "or(\\Seen !\\Deleted)"},
        {"not (from a to b)", "!(From=a To=b)"},
        {"or (a b) c", "Unknown search key a"},
        {"(new old recent)", "(new old recent)"},
        {"header X-Foo \"bar baz\"", "X-Foo=bar baz"},
        {"header x {0}\r\n", "x="},
        {"since 2-Jan-1970 before \"3-Jan-1970\" on 1-Jan-1970", "(since1 before2 on0)"},
        {"sentsince 2-Jan-1970 sentbefore 3-Jan-1970 senton 4-Jan-1970",
         "(sentsince1 sentbefore2 senton3)"},
        {"larger 10 smaller 5000000000", "(larger10 smaller5000000000)"},
        {"keyword $x unkeyword y", "($x !y)"},
        {"body a text b subject c bcc d cc e", "(body=a text=b Subject=c Bcc=d Cc=e)"},
        {"*", "set"},
        {"charset utf-8 text {2}\r\n\xc3\xa9", "text=\xc3\xa9"},
        {"older 5 younger 6", "(older5 younger6)"},
        {"modseq 7 modseq \"/flags/\\\\seen\" priv 8", "(modseq7 modseq8)"},
        {"savedbefore 2-Jan-1970 savedon 2-Jan-1970 savedsince 2-Jan-1970",
         "(savedbefore1 savedon1 savedsince1)"},
        {"savedatesupported emailid M1 threadid T-1", "(savedatesupported emailM1 threadT-1)"},
        {"uid $ $", "(uid set)"},
        {"uidafter 25000 uidbefore 27000", "(uid uid)"},
        {"uidafter 0", "Invalid number 0"},
        {"uidbefore", "Missing arguments"},
        {"undraft unflagged unanswered undeleted", "(!\\Draft !\\Flagged !\\Answered !\\Deleted)"},
        {"answered flagged draft deleted", "(\\Answered \\Flagged \\Draft \\Deleted)"},
        {"or seen", "Missing arguments"},
        {"not", "Missing arguments"},
        {"from", "Missing arguments"},
        {"since yesterday", "Invalid date"},
        {"since \"2-Jan-1970", "Missing arguments"},
        {"larger x", "Invalid number"},
        {"(seen", "Missing arguments"},
        {"seen)", "Unexpected extra arguments"},
        {"charset utf-8", "Missing arguments"},
    };
    for (const auto& c : cases) EXPECT_EQ(search(c.text), c.expected) << c.text;
}

// RFC 9738 3.6: greater and smaller, and nothing is where there is no such number
TEST(SearchKey, UidsAfterAndBefore) {
    const std::tuple<const char*, std::uint32_t, std::uint32_t> cases[] = {
        {"uidafter 25000", 25001, 4294967295},
        {"uidbefore 27000", 1, 26999},
        {"uidafter 4294967295", 0, 0},
        {"uidbefore 1", 0, 0}};
    for (const auto& [text, first, last] : cases) {
        const auto command = parse_command(std::string("a search ") + text);
        const auto ranges = std::get<SearchArguments>(command->arguments).key.set.resolve(5);
        const std::vector<Range> want =
            first == 0 ? std::vector<Range>() : std::vector<Range>{{first, last}};
        EXPECT_EQ(ranges, want) << text;
    }
}

TEST(SearchKey, IsBounded) {
    std::string deep;
    for (int i = 0; i < 1000; ++i) deep += "not ";
    EXPECT_EQ(search(deep + "seen"), "Search is too complex");
    EXPECT_EQ(search(std::string(1000, '(') + "seen"), "Search is too complex");
    std::string many;
    for (int i = 0; i < 3000; ++i) many += "seen ";
    EXPECT_EQ(search(many), "Search is too complex");
}

TEST(SearchKey, ConvertsTexts) {
    Parser parser("or subject \"\xc4\" (not text \"\xd6\")");
    auto key = *parse_search_keys(parser);
    ASSERT_TRUE(convert_texts(key, "iso-8859-1"));
    EXPECT_EQ(shown(key), "or(Subject=a\xcc\x88 !text=o\xcc\x88)");
    EXPECT_EQ(convert_texts(key, "no-such-charset").error().code, Errc::not_found);
}

}  // namespace
}  // namespace postern::imap
