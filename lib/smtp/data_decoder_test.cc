#include "lib/smtp/data_decoder.h"

namespace postern::smtp {
namespace {

using Kind = DataDecoder::Kind;
using Talker = DataDecoder::Client;

struct Decoded {
    Kind kind = Kind::need_more;
    std::string content;
    std::string rest;  // what was not consumed
    bool has_dot_lines = false;
    bool bare_lf = false;

    bool operator==(const Decoded&) const = default;
};

// Feeds the text in portions, as a stream would: what is not consumed waits in front.
Decoded decode(std::string_view text, const std::vector<std::size_t>& ends,
               Talker client = Talker::any) {
    DataDecoder decoder(client);
    Decoded result;
    std::string waiting;
    std::size_t taken = 0;
    for (auto end = ends.begin();;) {
        const auto out = decoder.next(waiting);
        EXPECT_LE(out.consumed, waiting.size());
        result.content += out.content;
        waiting.erase(0, out.consumed);
        result.kind = out.kind;
        if (out.kind == Kind::content) continue;
        if (out.kind == Kind::end || end == ends.end()) break;
        EXPECT_LE(waiting.size(), 3u) << "may wait";
        waiting += text.substr(taken, *end - taken);
        taken = *end++;
    }
    result.rest = waiting + std::string(text.substr(taken));
    result.has_dot_lines = decoder.has_dot_lines();
    result.bare_lf = decoder.saw_bare_lf();
    return result;
}

Decoded decode_by(std::string_view text, std::size_t step, Talker client = Talker::any) {
    std::vector<std::size_t> ends;
    for (std::size_t at = 0; at < text.size();)
        ends.push_back(at = std::min(at + step, text.size()));
    return decode(text, ends, client);
}

TEST(DataDecoder, Tables) {
    struct Case {
        const char* name;
        std::string in;
        Kind kind;
        std::string content;
        std::string rest;
        bool dots = false, bare_lf = false;
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
        // What follows is what Postfix 3.7.11 makes of the same bytes with "normalize".
        {"bare LF", "a\nb\r\n.\r\n", Kind::end, "a\r\nb\r\n", "", false, true},
        {"LF . LF", "a\n.\nb\r\n.\r\n", Kind::end, "a\r\nb\r\n", "", false, true},
        {"LF . CR LF", "a\n.\r\nb\r\n.\r\n", Kind::end, "a\r\nb\r\n", "", false, true},
        {"CR LF . LF", "a\r\n.\nb\r\n.\r\n", Kind::end, "a\r\nb\r\n", "", false, true},
        {"a bare CR", "a\rb\r\n.\r\n", Kind::end, "a\rb\r\n", ""},
        {"CR CR LF", "a\r\r\n.\r\r\nb\r\n.\r\n", Kind::end, "a\r\r\n\r\r\nb\r\n", ""},
        // More of what smugglers have tried.
        {"LF . LF and a command", "x\n.\nMAIL FROM:<e@x.test>\r\n.\r\n", Kind::end,
         "x\r\nMAIL FROM:<e@x.test>\r\n", "", false, true},
        {"dots and LF in a row", "x\n.\n.\n.\r\n.\r\n.\r\n", Kind::end, "x\r\n", ".\r\n", false,
         true},
        {"CR . CR LF", "x\r.\r\nMAIL\r\n.\r\n", Kind::end, "x\r.\r\nMAIL\r\n", ""},
        {"CR . CR", "x\r\n.\rMAIL\r\n.\r\n", Kind::end, "x\r\n\rMAIL\r\n", ""},
        {"LF CR", "x\n\r.\n\r\n.\r\n", Kind::end, "x\r\n\r.\r\n\r\n", "", false, true},
        {"LF first", "\n.\n", Kind::need_more, "\r\n", "", false, true},
        {"the dot first, LF", ".\nx\r\n.\r\n", Kind::end, "x\r\n", "", false, true},
        {"stuffed dots after LF", "x\n..\n...y\r\n.\r\n", Kind::end, "x\r\n.\r\n..y\r\n", "", true,
         true},
    };
    for (const auto& c : cases) {
        for (std::size_t step = 1; step <= c.in.size(); ++step)
            EXPECT_EQ(decode_by(c.in, step),
                      (Decoded{c.kind, c.content, c.rest, c.dots, c.bare_lf}))
                << c.name << " by " << step;
    }
}

// A device that knows no CR at all, and what becomes of it when it does send one.
TEST(DataDecoder, ClientsWithoutCr) {
    const struct {
        const char *in, *content, *rest;
    } cases[] = {
        {"a\n.\nQUIT\n", "a\r\n", "QUIT\n"},
        {".\n", "", ""},
        {"..\n.a\n.\n", ".\r\na\r\n", ""},
        {".\r\n", "", ""},
        {"a\r\n.\r\n", "a\r\n", ""},
        {"a\r\nb\n.\nMAIL FROM:<e@x.test>\n\r\n.\r\n", "a\r\nb\r\nMAIL FROM:<e@x.test>\r\n\r\n",
         ""},
        {"a\n.\r\nb\n.\nc\r\n.\r\n", "a\r\nb\r\nc\r\n", ""},
    };
    for (const auto& c : cases) {
        const std::string_view in = c.in;
        for (std::size_t step = 1; step <= in.size(); ++step) {
            const auto got = decode_by(in, step, Talker::lf_only);
            EXPECT_EQ(got.kind, Kind::end) << c.in;
            EXPECT_EQ(got.content, c.content) << c.in << " by " << step;
            EXPECT_EQ(got.rest, c.rest) << c.in << " by " << step;
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

// The same, slowly: lines end in LF, with CR before it or without.
Decoded slow(const std::string& text, Talker client) {
    Decoded result;
    bool lf_only = client == Talker::lf_only, after_bare = false;
    for (std::size_t at = 0;;) {
        const auto lf = text.find('\n', at);
        if (lf == text.npos) return result;  // `rest` is not told
        const bool crlf = lf > at && text[lf - 1] == '\r';
        std::string line = text.substr(at, lf - at - (crlf ? 1 : 0));
        at = lf + 1;
        result.bare_lf = result.bare_lf || !crlf;
        const bool end = line == "." && (crlf ? !after_bare : lf_only);
        lf_only = lf_only && !crlf;
        after_bare = !crlf;
        if (end) {
            result.kind = Kind::end;
            result.rest = text.substr(at);
            return result;
        }
        if (line == ".") continue;
        if (line.starts_with('.')) line.erase(0, 1);
        result.has_dot_lines = result.has_dot_lines || line.starts_with('.');
        result.content += line + "\r\n";
    }
}

// Every text of up to 7 characters: the decoder agrees with a slow one; and, however the text is
// cut into portions, with itself.
TEST(DataDecoder, AgreesWithASlowOneHoweverTheTextArrives) {
    const std::string alphabet = "a.\r\n";
    std::size_t ends = 0;
    for (unsigned size = 1; size <= 7; ++size) {
        const unsigned count = 1u << (2 * size);
        for (unsigned n = 0; n < count; ++n) {
            std::string text;
            for (unsigned i = 0; i < size; ++i) text.push_back(alphabet[(n >> (2 * i)) & 3]);
            for (const Talker client : {Talker::any, Talker::lf_only}) {
                const auto expected = slow(text, client);
                const auto whole = decode(text, {size}, client);
                ASSERT_EQ(whole.kind, expected.kind) << testing::PrintToString(text);
                if (whole.kind == Kind::end) {
                    ++ends;
                    ASSERT_EQ(whole, expected) << testing::PrintToString(text);
                }
                const unsigned cuts = size <= 6 ? 1u << (size - 1) : 8u;
                for (unsigned cut = 1; cut < cuts; ++cut) {
                    const unsigned mask = size <= 6 ? cut : (n * 2654435761u >> cut) | 1u;
                    std::vector<std::size_t> portions;
                    for (unsigned i = 1; i < size; ++i)
                        if ((mask >> (i - 1) & 1) != 0) portions.push_back(i);
                    portions.push_back(size);
                    ASSERT_EQ(decode(text, portions, client), whole)
                        << testing::PrintToString(text) << " cut by " << mask;
                }
            }
        }
    }
    EXPECT_GT(ends, 1000u);
}

// Whatever stands between, a message of anybody ends in CR LF "." CR LF, or is ".CR LF".
TEST(DataDecoder, OnlyTheTrueEndEnds) {
    const std::string alphabet = "a.\r\n";
    std::uint64_t seed = 1;
    for (int round = 0; round < 50000; ++round) {
        std::string text;
        for (int i = 0; i < 16; ++i) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            text.push_back(alphabet[seed >> 62]);
        }
        const auto got = decode_by(text, 1 + (seed >> 40) % 16);
        const auto taken = std::string_view(text).substr(0, text.size() - got.rest.size());
        if (got.kind == Kind::end) {
            ASSERT_TRUE(taken == ".\r\n" || taken.ends_with("\r\n.\r\n"))
                << testing::PrintToString(text);
        } else {
            ASSERT_EQ(text.find("\r\n.\r\n"), text.npos) << testing::PrintToString(text);
        }
    }
}

}  // namespace
}  // namespace postern::smtp
