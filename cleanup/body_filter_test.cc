// What of a message is a header of which kind, and what is text, whatever portions it comes in.
#include "cleanup/message_filter.h"

namespace postern::cleanup {
namespace {

// Notes all that is asked, and answers from a list.
struct Recorder final : content::Rules {
    bool wants(content::Kind) const override { return true; }
    Lookup<std::string> find(content::Kind kind, std::string_view text) override {
        asked.push_back(std::string(1, "HMNB"[static_cast<int>(kind)]) + " " + std::string(text));
        for (const auto& [key, value] : answers) {
            if (text == key) return value;
        }
        return NotFound{};
    }
    std::vector<std::pair<std::string, std::string>> answers;
    std::vector<std::string> asked;
};

struct Outcome {
    std::string out;
    std::vector<std::string> asked;
};

Outcome run(std::string_view message, std::size_t portion = 1 << 20, Options options = {},
            std::vector<std::pair<std::string, std::string>> answers = {}) {
    Recorder rules;
    rules.answers = std::move(answers);
    MessageFilter filter(options, {}, &rules);
    Outcome r;
    for (std::size_t at = 0; at < message.size(); at += portion)
        filter.feed(message.substr(at, portion), r.out);
    filter.finish(r.out);
    EXPECT_FALSE(filter.refusal()) << filter.refusal()->text;
    r.asked = rules.asked;
    return r;
}

constexpr std::string_view kNested =
    "Subject: outer\r\n"
    "Content-Type: multipart/mixed;\r\n boundary=\"a b\"\r\n"
    "\r\n"
    "preamble\r\n"
    "--a b\r\n"
    "Content-Type: text/plain\r\n"
    "X-Part: folded\r\n more\r\n"
    "\r\n"
    "one\r\n"
    "--a b  \r\n"
    "Content-Type: message/rfc822\r\n"
    "\r\n"
    "Subject: inner\r\n"
    "Content-Type: multipart/alternative; boundary=x\r\n"
    "\r\n"
    "--x\r\n"
    "\r\n"
    "deep\r\n"
    "--a b--\r\n"
    "epilogue\r\n";

TEST(BodyFilter, KnowsWhatIsWhat) {
    const std::vector<std::string> expected = {
        "H Subject: outer",
        "M Content-Type: multipart/mixed;\n boundary=\"a b\"",
        "B preamble",
        "M Content-Type: text/plain",
        "M X-Part: folded\n more",
        "B one",
        "M Content-Type: message/rfc822",
        "N Subject: inner",
        "M Content-Type: multipart/alternative; boundary=x",
        "B deep",
        "B epilogue",
    };
    for (const std::size_t portion : {1000u, 1u, 7u, 64u}) {
        const Outcome r = run(kNested, portion);
        EXPECT_EQ(r.asked, expected) << portion;
        EXPECT_EQ(r.out, kNested) << portion;
    }
}

TEST(BodyFilter, WithoutMimeAllIsText) {
    Options options;
    options.content.mime_input = false;
    const Outcome r = run(kNested, 100, options);
    EXPECT_EQ(r.asked[1], "H Content-Type: multipart/mixed;\n boundary=\"a b\"");
    EXPECT_EQ(r.asked[3], "B --a b");
    EXPECT_EQ(r.asked[4], "B Content-Type: text/plain");
    EXPECT_EQ(r.out, kNested);
}

TEST(BodyFilter, EditsLinesAndFields) {
    const Outcome r = run(kNested, 5, {},
                          {{"Subject: outer", "REPLACE Subject: new"},
                           {"X-Part: folded\n more", "IGNORE"},
                           {"one", "REPLACE .two"},
                           {"deep", "IGNORE"},
                           {"preamble", "PREPEND before"},
                           {"Subject: inner", "PREPEND X-In: 1"}});
    EXPECT_THAT(
        r.out, testing::StartsWith(
                   "Subject: new\r\nContent-Type: multipart/mixed;\r\n boundary=\"a b\"\r\n\r\n"
                   "before\r\npreamble\r\n--a b\r\nContent-Type: text/plain\r\n\r\n.two\r\n--a b"));
    EXPECT_THAT(r.out, testing::HasSubstr("\r\n\r\nX-In: 1\r\nSubject: inner\r\n"));
    EXPECT_THAT(r.out, testing::Not(testing::HasSubstr("deep")));
}

TEST(BodyFilter, ReplacedLinesCountForDots) {
    Recorder rules;
    rules.answers = {{"one", "REPLACE .two"}};
    Options options;
    MessageFilter filter(options, {}, &rules);
    std::string out;
    filter.feed("A: b\r\n\r\none\r\n", out);
    filter.finish(out);
    EXPECT_EQ(out, "A: b\r\n\r\n.two\r\n");
    EXPECT_TRUE(filter.has_dot_lines());
}

TEST(BodyFilter, LooksAtTheBeginningOfEachPartOnly) {
    Options options;
    options.content.body_checks_size = 6;
    const Outcome r = run("A: b\r\n\r\n1234\r\n5678\r\n", 1, options);
    EXPECT_EQ(r.asked, (std::vector<std::string>{"H A: b", "B 1234"}));
    EXPECT_EQ(r.out, "A: b\r\n\r\n1234\r\n5678\r\n");
}

TEST(BodyFilter, LongLinesAreSeenInTheirBeginning) {
    const std::string line(10000, 'x');
    const std::string message = "A: b\r\n\r\n" + line + "\r\nshort\r\n";
    for (const std::size_t portion : {100000u, 1000u}) {
        const Outcome r = run(message, portion);
        EXPECT_EQ(r.out, message);
        ASSERT_GE(r.asked.size(), 3u);
        EXPECT_EQ(r.asked.back(), "B short");
    }
}

TEST(BodyFilter, Oddities) {
    const char* messages[] = {
        "Content-Type: multipart/mixed\r\n\r\n--\r\nx\r\n",                       // no boundary
        "Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\nx\r\n",            // an empty one
        "Content-Type: multipart/mixed; boundary=\"a\r\n\r\n--a\r\nx\r\n",        // quote left open
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nno header\r\n",  // text instead of
                                                                                  // a header
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nX: y\r\n",  // ends in a header
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n--a\r\n--a--\r\n--a--\r\n",
        "Content-Type: message/rfc822\r\n\r\n",
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n",
        "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: "
        "in\r\n\r\ntext\r\n--a--\r\n",
    };
    for (const char* message : messages) {
        EXPECT_EQ(run(message, 1).out, message);
        EXPECT_EQ(run(message).asked, run(message, 3).asked) << message;
    }
    EXPECT_EQ(run(messages[8]).asked[1], "N Subject: in");
}

TEST(BodyFilter, NestingIsBounded) {
    std::string message;
    for (int i = 0; i < 200; ++i) message += "Content-Type: message/rfc822\r\n\r\n";
    EXPECT_EQ(run(message).out, message);
    message.clear();
    for (int i = 0; i < 200; ++i) {
        const std::string n = std::to_string(i);
        message += "Content-Type: multipart/mixed; boundary=b" + n + "\r\n\r\n--b" + n + "\r\n";
    }
    EXPECT_EQ(run(message).out, message);
}

// What the real Postfix 3.7.11 says to the same messages.
TEST(BodyFilter, StrictMime) {
    constexpr const char* kHeader = "improper use of 8-bit data in message header";
    constexpr const char* kBody = "improper use of 8-bit data in message body";
    constexpr const char* kDomain = "invalid message/* or multipart/* encoding domain";
    const std::string multipart = "Content-Type: multipart/mixed; boundary=b\r\n";
    const std::string encoding = "Content-Transfer-Encoding: ";
    const struct {
        std::string text;
        const char *headers, *body, *domain;  // with only this one strict
    } cases[] = {
        {"Subject: x\r\n\r\nbody\r\n", "", "", ""},
        {"Subject: \xfc\r\n\r\nbody\r\n", kHeader, "", ""},
        {"Subject: x\r\n \xfc\r\n\r\nbo\xfcy\r\n", kHeader, kBody, ""},
        {multipart + "\r\n--b\r\nX: \xfc\r\n\r\nx\r\n--b--\r\n", kHeader, "", ""},
        {"Content-Type: message/rfc822\r\n\r\nSubject: \xfc\r\n\r\nx\r\n", kHeader, "", ""},
        {encoding + "8bit\r\n\r\n\xfc\r\n", "", "", ""},
        {encoding + "binary\r\n\r\n\xfc\r\n", "", "", ""},
        {encoding + "quoted-printable\r\n\r\n\xfc\r\n", "", "", ""},
        {encoding + "7bit\r\n\r\n\xfc\r\n", "", kBody, ""},
        {encoding + "foo\r\n\r\n\xfc\r\n", "", kBody, ""},
        {multipart + "\r\n--b\r\n\r\nx\xfc\r\n--b--\r\n", "", kBody, ""},
        {multipart + encoding + "8bit\r\n\r\n--b\r\n" + encoding + "8bit\r\n\r\n\xfc\r\n--b--\r\n",
         "", "", ""},
        {multipart + encoding + "8bit\r\n\r\n--b\r\n\r\n\xfc\r\n--b--\r\n", "", kBody, ""},
        {multipart + encoding + "base64\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n", "", "", kDomain},
        {multipart + encoding + "foo\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n", "", "", ""},
        {"Content-Type: message/rfc822\r\n" + encoding +
             "quoted-printable\r\n\r\nS: x\r\n\r\nx\r\n",
         "", "", kDomain},
        {"Content-Type: message/delivery-status\r\n" + encoding + "base64\r\n\r\nx: y\r\n", "", "",
         ""},
        {multipart + "\r\n--b\r\n" + multipart + encoding + "base64\r\n\r\nx\r\n--b--\r\n", "", "",
         kDomain},
        {encoding + "base64\r\n\r\nx\r\n", "", "", ""},
    };
    for (const auto& c : cases) {
        for (int which = 0; which < 5; ++which) {
            Options options;
            options.content.strict = {which == 0 || which > 2, which == 1, which == 2};
            FilterTask task;
            task.external = which != 3;
            task.smtputf8 = which == 4;
            const char* expected = which == 0   ? c.headers
                                   : which == 1 ? c.body
                                   : which == 2 ? c.domain
                                                : "";
            for (const std::size_t portion : {1U, 1000U}) {
                MessageFilter filter(options, task);
                std::string out;
                for (std::size_t at = 0; at < c.text.size(); at += portion)
                    filter.feed(std::string_view(c.text).substr(at, portion), out);
                filter.finish(out);
                EXPECT_EQ(filter.refusal() ? filter.refusal()->text : "", expected)
                    << which << ": " << testing::PrintToString(c.text);
                if (*expected != '\0') {
                    EXPECT_EQ(filter.refusal()->status, "5.6.0");
                    ASSERT_EQ(filter.effects().notes.size(), 1u);
                    EXPECT_TRUE(filter.effects().notes[0].what.starts_with(
                        "reject: mime-error " + std::string(expected) + ": "));
                } else {
                    EXPECT_EQ(out, c.text);
                }
            }
        }
    }
}

TEST(MessageFilter, CharactersAnd8BitDeclarations) {
    Options options;
    ASSERT_TRUE(options.characters.reject("\\1"));
    ASSERT_TRUE(options.characters.strip("\\2"));
    const struct {
        const char* text;
        bool external;
        const char *out, *refusal, *note;
        bool eight_bit;
    } cases[] = {
        {"A: \2b\r\n\r\nx\2\2\r\n", true, "A: b\r\n\r\nx\r\n", "", "", false},
        {"A: b\r\n\r\nx\ry\nz\r", true, "A: b\r\n\r\nx y z \r\n", "", "", false},
        {"A: b\r\n\r\nx\1y\r\n", true, "", "disallowed character", "reject: content x?", false},
        {"A: \1b\r\n\r\nx\r\n", true, "", "disallowed character", "reject: content A: ?", false},
        {"A: b\r\n\r\nx\1y\r\n", false, "A: b\r\n\r\nx\1y\r\n", "", "", false},
        {"Content-Transfer-Encoding: 8BIT\r\n\r\nx\r\n", true,
         "Content-Transfer-Encoding: 8BIT\r\n\r\nx\r\n", "", "", true},
        {"content-transfer-encoding: binary\r\n\r\nx\r\n", true,
         "content-transfer-encoding: binary\r\n\r\nx\r\n", "", "", true},
        {"Content-Transfer-Encoding: base64\r\n\r\nx\r\n", true,
         "Content-Transfer-Encoding: base64\r\n\r\nx\r\n", "", "", false},
    };
    for (const auto& c : cases) {
        for (const std::size_t portion : {1U, 2U, 1000U}) {
            FilterTask task;
            task.external = c.external;
            MessageFilter filter(options, task);
            std::string out;
            const std::string_view text = c.text;
            for (std::size_t at = 0; at < text.size(); at += portion)
                filter.feed(text.substr(at, portion), out);
            filter.finish(out);
            EXPECT_EQ(filter.refusal() ? filter.refusal()->text : "", c.refusal);
            EXPECT_EQ(filter.declares_8bit(), c.eight_bit);
            if (filter.refusal()) {
                EXPECT_EQ(filter.effects().notes.at(0).what, c.note);
            } else {
                EXPECT_EQ(out, c.out) << "by " << portion;
            }
        }
    }
}

}  // namespace
}  // namespace postern::cleanup
