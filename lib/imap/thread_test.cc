// SORT's and THREAD's grammar, base subjects, threads: RFC 5256's own rules and what breaks them.
#include <chrono>

#include "lib/imap/base_subject.h"
#include "lib/imap/command.h"
#include "lib/imap/thread.h"

namespace postern::imap {
namespace {

TEST(BaseSubject, TakesOffWhatIsNotTheSubject) {
    struct Case {
        const char *subject, *base;
        bool is_reply;
    };
    const Case cases[] = {
        {"hello", "hello", false},
        {"Re: hello", "hello", true},
        {"re  : RE:Fwd: fw: hello (fwd) (FWD)", "hello", true},
        {"[list] hello", "hello", false},
        {"[a] [b] Re [c]: [d] hello", "hello", true},
        {"[list]", "[list]", false},
        {"Re: [list]", "[list]", true},
        {"[fwd: Re: hello]", "hello", true},
        {"[Fwd: [fwd: hello] ]", "hello", true},
        {"hello\t \r\n world ", "hello world", false},
        {"=?utf-8?Q?Re:_J=C3=BCrgen?=", "J\xc3\xbcrgen", true},
        {"Regards", "Regards", false},
        {"Re", "Re", false},
        {"[x", "[x", false},
        {"[x[y] z", "[x[y] z", false},
        {"", "", false},
        {"Re:", "", true},
        {"AW: hello", "AW: hello", false},
    };
    for (const auto& one : cases) {
        const auto base = base_subject(one.subject);
        EXPECT_EQ(base.text, one.base) << one.subject;
        EXPECT_EQ(base.is_reply, one.is_reply) << one.subject;
    }
    EXPECT_EQ(collated("a_B \xc3\xa4"), "A_B A\xcc\x88") << "by i;unicode-casemap";
    const std::string many(100000, '[');
    EXPECT_EQ(base_subject(many).text, many);
}

TEST(Thread, MessageIds) {
    using Ids = std::vector<std::string>;
    EXPECT_EQ(message_ids("<a@b> <c@d>"), (Ids{"a@b", "c@d"}));
    EXPECT_EQ(message_ids("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>"),
              (Ids{"01KF8JCEOCBS0045PS@xxx.yyy.com"}));
    EXPECT_EQ(message_ids("junk <a\r\n @b> (x)"), (Ids{"a@b"}));
    EXPECT_EQ(message_ids("<\"a\\\"b>\"@c>"), (Ids{"a\"b>@c"}));
    EXPECT_EQ(message_ids("<> <open"), Ids{});
    std::string many;
    for (int i = 0; i < 500; ++i) many += "<" + std::to_string(i) + "> ";
    EXPECT_EQ(message_ids(many).size(), kMaxReferences);
    EXPECT_EQ(message_ids(many).back(), "499");
}

ThreadMessage message(std::uint32_t number, const std::string& id,
                      std::vector<std::string> references, const std::string& subject = "",
                      bool is_reply = false) {
    return {number, number, subject, is_reply, id, std::move(references)};
}

std::string references(std::vector<ThreadMessage> messages) {
    return thread_messages(ThreadAlgorithm::references, std::move(messages));
}

TEST(Thread, References) {
    EXPECT_EQ(references({}), "");
    EXPECT_EQ(references({message(1, "a", {}), message(2, "b", {})}), "(1)(2)");
    EXPECT_EQ(references({message(1, "a", {}), message(2, "b", {"a"}), message(3, "c", {"a", "b"}),
                          message(4, "d", {"a"})}),
              "(1 (2 3)(4))");
    // children before their parents
    EXPECT_EQ(
        references({message(1, "c", {"a", "b"}), message(2, "b", {"a"}), message(3, "a", {})}),
        "(3 2 1)");
    // a message that was referred to and is not there
    EXPECT_EQ(references({message(1, "b", {"a"}), message(2, "c", {"a"})}), "((1)(2))");
    EXPECT_EQ(references({message(1, "c", {"a", "b"})}), "(1)");
    EXPECT_EQ(
        references({message(1, "a", {}), message(2, "c", {"a", "x"}), message(3, "d", {"x"})}),
        "(1 (2)(3))");
    // the same id twice; no id
    EXPECT_EQ(references({message(1, "a", {}), message(2, "a", {}), message(3, "", {"a"})}),
              "(1 3)(2)");
}

TEST(Thread, RefsGoByReferencesOnly) {
    const auto refs = [](std::vector<ThreadMessage> messages) {
        return thread_messages(ThreadAlgorithm::refs, std::move(messages));
    };
    EXPECT_EQ(refs({}), "");
    // Subjects bring nothing together
    EXPECT_EQ(refs({message(1, "a", {}, "x"), message(2, "b", {}, "x", true)}), "(1)(2)");
    // The thread with the youngest message is the last
    EXPECT_EQ(refs({message(1, "a", {}), message(2, "b", {}), message(3, "c", {"a"})}), "(2)(1 3)");
    EXPECT_EQ(refs({message(1, "b", {"a"}), message(2, "x", {}), message(3, "c", {"a"})}),
              "(2)((1)(3))");
    EXPECT_EQ(refs({message(1, "a", {"b"}), message(2, "b", {"a"})}), "(2 1)");
    std::vector<ThreadMessage> deep{message(1, "0", {})};
    for (std::uint32_t i = 1; i < 5000; ++i)
        deep.push_back(message(i + 1, std::to_string(i), {std::to_string(i - 1)}));
    EXPECT_EQ(refs(std::move(deep)).substr(0, 8), "(1 2 3 4");
}

TEST(Thread, LoopsAreBroken) {
    EXPECT_EQ(references({message(1, "a", {"a"})}), "(1)");
    EXPECT_EQ(references({message(1, "a", {"b"}), message(2, "b", {"a"})}), "(2 1)");
    EXPECT_EQ(references({message(1, "a", {"b", "c"}), message(2, "b", {"c", "a"}),
                          message(3, "c", {"a", "b"})}),
              "(2 3 1)");
}

TEST(Thread, SubjectsBringTogether) {
    // RFC 5256 3, step 5: the reply whose References were lost
    EXPECT_EQ(references({message(1, "a", {}, "X"), message(2, "b", {}, "X", true)}), "(1 2)");
    EXPECT_EQ(references({message(1, "b", {}, "X", true), message(2, "a", {}, "X")}), "(2 1)");
    EXPECT_EQ(references({message(1, "a", {}, "X"), message(2, "b", {}, "X")}), "((1)(2))");
    EXPECT_EQ(
        references({message(1, "a", {}, "X"), message(2, "b", {}, "X"), message(3, "c", {}, "X")}),
        "((1)(2)(3))");
    EXPECT_EQ(references({message(1, "a", {}, "X", true), message(2, "b", {}, "X", true)}),
              "((1)(2))");
    EXPECT_EQ(references({message(1, "b", {"a"}, "X"), message(2, "c", {"a"}, "X"),
                          message(3, "d", {}, "X")}),
              "((1)(2)(3))");
    EXPECT_EQ(references({message(1, "b", {"a"}, "X"), message(2, "c", {"a"}, "X"),
                          message(3, "e", {"d"}, "X"), message(4, "f", {"d"}, "X")}),
              "((1)(2)(3)(4))");
    EXPECT_EQ(references({message(1, "a", {}, ""), message(2, "b", {}, "")}), "(1)(2)");
}

TEST(Thread, OrderedSubject) {
    const auto threads = [](std::vector<ThreadMessage> messages) {
        return thread_messages(ThreadAlgorithm::ordered_subject, std::move(messages));
    };
    EXPECT_EQ(threads({}), "");
    EXPECT_EQ(threads({message(1, "", {}, "B"), message(2, "", {}, "A"), message(3, "", {}, "B"),
                       message(4, "", {}, "B")}),
              "(1 (3)(4))(2)");
    auto late = message(1, "", {}, "A");
    late.date = 100;
    EXPECT_EQ(threads({late, message(2, "", {}, "B"), message(3, "", {}, "A")}), "(2)(3 1)");
}

TEST(Thread, IsBoundedWhateverMessagesSay) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<ThreadMessage> deep, backwards, tangle;
    for (std::uint32_t i = 0; i < 20000; ++i) {
        const auto id = [](std::uint32_t n) { return std::to_string(n); };
        deep.push_back(message(i + 1, id(i), {id(i - 1)}));
        backwards.push_back(message(i + 1, id(i), {id(i + 1)}));
        tangle.push_back(message(i + 1, id(i), {id(i * 7919 % 20000), id(i * 31 % 20000)}));
    }
    for (const auto* messages : {&deep, &backwards, &tangle}) {
        const std::string threads = references(*messages);
        EXPECT_GT(threads.size(), 100000U);
        EXPECT_EQ(std::count(threads.begin(), threads.end(), '('),
                  std::count(threads.begin(), threads.end(), ')'));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

std::string parsed(const std::string& text) {
    const auto command = parse_command("a " + text);
    return command ? "ok" : command.error().what;
}

TEST(SortArguments, Grammar) {
    const auto command = *parse_command(
        "a UID SORT RETURN (MIN PARTIAL 5:3) (SUBJECT REVERSE DATE) UTF-8 SINCE 1-Feb-1994");
    const auto& sort = std::get<SortArguments>(command.arguments);
    ASSERT_EQ(sort.keys.size(), 2U);
    EXPECT_EQ(sort.keys[1].kind, SortKey::Kind::date);
    EXPECT_TRUE(sort.keys[1].reverse);
    EXPECT_EQ(sort.search.charset, "UTF-8");
    EXPECT_EQ(sort.search.options.partial->str(), "3:5");
    EXPECT_EQ(parsed("THREAD REFERENCES UTF-8 SINCE 5-MAR-2000"), "ok");
    EXPECT_EQ(parsed("UID THREAD orderedsubject us-ascii text x"), "ok");
    for (const char* bad :
         {"SORT () UTF-8 ALL", "SORT (DATE) UTF-8", "SORT (FOO) UTF-8 ALL", "SORT DATE UTF-8 ALL",
          "SORT (REVERSE) UTF-8 ALL", "THREAD FOO UTF-8 ALL", "THREAD REFERENCES ALL",
          "SEARCH RETURN (PARTIAL) ALL", "SEARCH RETURN (PARTIAL 0:1) ALL",
          "SEARCH RETURN (PARTIAL -1:2) ALL", "SEARCH RETURN (ALL PARTIAL 1:2) ALL",
          "SEARCH RETURN (PARTIAL 1:2 PARTIAL 1:2) ALL", "FETCH 1 PREVIEW (FAST)"})
        EXPECT_NE(parsed(bad), "ok") << bad;
    std::string keys = "DATE";
    for (int i = 0; i < 100; ++i) keys += " DATE";
    EXPECT_EQ(parsed("SORT (" + keys + ") UTF-8 ALL"), "Too many sort keys");
}

TEST(PartialRange, Windows) {
    const auto window = [](std::int64_t first, std::int64_t last, std::size_t size) {
        const auto w = PartialRange{first, last}.window(size);
        return std::to_string(w.begin) + "-" + std::to_string(w.end);
    };
    EXPECT_EQ(window(1, 3, 10), "0-3");
    EXPECT_EQ(window(9, 20, 10), "8-10");
    EXPECT_EQ(window(11, 20, 10), "10-10");
    EXPECT_EQ(window(-1, -3, 10), "7-10");
    EXPECT_EQ(window(-9, -20, 10), "0-2");
    EXPECT_EQ(window(-11, -20, 10), "0-0");
    EXPECT_EQ(window(1, 1, 0), "0-0");
}

}  // namespace
}  // namespace postern::imap
