#include "lib/smtp/data_decoder.h"

namespace postern::smtp {
namespace {

using Kind = DataDecoder::Kind;

struct Decoded {
    Kind kind = Kind::need_more;
    std::string content;
    std::string rest;  // what was not consumed
    bool has_dot_lines = false;
};

// Feeds the text `step` bytes at a time, as a stream would: what is not consumed waits in front.
Decoded decode(std::string_view text, std::size_t step) {
    DataDecoder decoder;
    Decoded result;
    std::string waiting;
    while (true) {
        const auto out = decoder.next(waiting);
        result.content += out.content;
        waiting.erase(0, out.consumed);
        result.kind = out.kind;
        if (out.kind == Kind::content) continue;
        if (out.kind != Kind::need_more || text.empty()) break;
        waiting += text.substr(0, step);
        text.remove_prefix(std::min(step, text.size()));
    }
    result.rest = waiting + std::string(text);
    result.has_dot_lines = decoder.has_dot_lines();
    return result;
}

TEST(DataDecoder, Tables) {
    struct Case {
        const char* name;
        std::string in;
        Kind kind;
        std::string content;  // of a complete message only
        std::string rest;
        bool dots = false;
    };
    const Case cases[] = {
        {"empty message", ".\r\n", Kind::end, "", ""},
        {"one line", "hello\r\n.\r\n", Kind::end, "hello\r\n", ""},
        {"pipelined command", "hello\r\n.\r\nQUIT\r\n", Kind::end, "hello\r\n", "QUIT\r\n"},
        {"stuffed dot", "..a\r\n.\r\n", Kind::end, ".a\r\n", "", true},
        {"stuffed lone dot", "a\r\n..\r\nb\r\n.\r\n", Kind::end, "a\r\n.\r\nb\r\n", "", true},
        {"unstuffed dot is removed", "a\r\n.b\r\n.\r\n", Kind::end, "a\r\nb\r\n", ""},
        {"dots inside", "a.b.\r\n.\r\n", Kind::end, "a.b.\r\n", ""},
        {"blank lines", "\r\n\r\na\r\n\r\n.\r\n", Kind::end, "\r\n\r\na\r\n\r\n", ""},
        {"NUL", std::string("a\0b\r\n.\r\n", 8), Kind::end, std::string("a\0b\r\n", 5), ""},
        {"no end yet", "hello\r\n", Kind::need_more, "hello\r\n", ""},
        {"dot without line end", "hello\r\n.", Kind::need_more, "hello\r\n", "."},
        {"bare LF", "hello\nthere\r\n.\r\n", Kind::bare_lf, "", ""},
        {"bare LF before the dot", "hello\n.\r\nMAIL FROM:<>\r\n", Kind::bare_lf, "", ""},
        {"bare LF after the dot", "hello\r\n.\nMAIL FROM:<>\r\n", Kind::bare_lf, "", ""},
        {"bare CR before the dot", "hello\r.\r\nMAIL\r\n", Kind::bare_cr, "", ""},
        {"bare CR after the dot", "hello\r\n.\rMAIL\r\n", Kind::bare_cr, "", ""},
        {"CR CR LF", "hello\r\r\n.\r\n", Kind::bare_cr, "", ""},
        {"LF CR", "hello\n\r.\n\r", Kind::bare_lf, "", ""},
        {"LF first", "\n.\n", Kind::bare_lf, "", ""},
    };
    for (const auto& c : cases) {
        for (std::size_t step = 1; step <= c.in.size(); ++step) {
            const auto got = decode(c.in, step);
            EXPECT_EQ(got.kind, c.kind) << c.name << " by " << step;
            if (got.kind == Kind::bare_lf || got.kind == Kind::bare_cr) continue;
            EXPECT_EQ(got.content, c.content) << c.name << " by " << step;
            EXPECT_EQ(got.rest, c.rest) << c.name << " by " << step;
            EXPECT_EQ(got.has_dot_lines, c.dots) << c.name;
        }
    }
}

TEST(DataDecoder, GivesOutOneRunWhereThereAreNoDots) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "a line of ordinary text\r\n";
    DataDecoder decoder;
    const auto step = decoder.next(text + ".\r\n");
    EXPECT_EQ(step.kind, Kind::content);
    EXPECT_EQ(step.content.size(), text.size());
}

// Every text over a small alphabet: the decoder agrees with a slow one written from the RFC.
TEST(DataDecoder, AgreesWithASlowOne) {
    auto slow = [](const std::string& text) {
        Decoded result;
        std::size_t at = 0;
        for (;;) {
            std::size_t end = at;
            for (; end < text.size(); ++end) {
                if (text[end] == '\n') return Decoded{Kind::bare_lf, "", "", false};
                if (text[end] != '\r') continue;
                if (end + 1 == text.size()) break;
                if (text[end + 1] != '\n') return Decoded{Kind::bare_cr, "", "", false};
                break;
            }
            if (end + 1 >= text.size()) return Decoded{Kind::need_more, "", "", false};
            std::string line = text.substr(at, end - at);
            at = end + 2;
            if (line == ".") {
                result.kind = Kind::end;
                result.rest = text.substr(at);
                return result;
            }
            if (line.starts_with('.')) line.erase(0, 1);
            result.content += line + "\r\n";
        }
    };
    const std::string alphabet = "a.\r\n";
    for (unsigned size = 1; size <= 8; ++size) {
        const unsigned count = 1u << (2 * size);
        for (unsigned n = 0; n < count; ++n) {
            std::string text;
            for (unsigned i = 0; i < size; ++i) text.push_back(alphabet[(n >> (2 * i)) & 3]);
            const auto expected = slow(text);
            for (std::size_t step : {std::size_t{1}, text.size()}) {
                const auto got = decode(text, step);
                ASSERT_EQ(got.kind, expected.kind)
                    << testing::PrintToString(text) << " by " << step;
                if (got.kind != Kind::end) continue;
                ASSERT_EQ(got.content, expected.content) << testing::PrintToString(text);
                ASSERT_EQ(got.rest, expected.rest) << testing::PrintToString(text);
            }
        }
    }
}

}  // namespace
}  // namespace postern::smtp
