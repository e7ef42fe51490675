#include "lib/smtp/dot_stuffer.h"

namespace postern::smtp {
namespace {

std::string stuff(std::string_view text, std::size_t piece, bool look = true) {
    DotStuffer stuffer(look);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += piece)
        stuffer.add(text.substr(at, piece), out);
    stuffer.finish(out);
    return out;
}

TEST(DotStufferTest, AnyPieces) {
    const std::pair<std::string, std::string> cases[] = {
        {"", ".\r\n"},
        {"a\r\n", "a\r\n.\r\n"},
        {"a", "a\r\n.\r\n"},
        {"a\r", "a\r\r\n.\r\n"},
        {".\r\n", "..\r\n.\r\n"},
        {"..a\r\n.b\r\nc.\r\n", "...a\r\n..b\r\nc.\r\n.\r\n"},
        {"a\r\n.", "a\r\n..\r\n.\r\n"},
        {"a\r\n.\r\n.\r\n", "a\r\n..\r\n..\r\n.\r\n"},
    };
    for (const auto& [in, out] : cases) {
        for (std::size_t piece : {1u, 2u, 3u, 100u})
            EXPECT_EQ(stuff(in, piece), out) << in << piece;
    }
}

TEST(DotStufferTest, KnownToHaveNoDots) {
    EXPECT_EQ(stuff("a\r\nb\r\n", 2, false), "a\r\nb\r\n.\r\n");
    EXPECT_EQ(stuff("a\r\nb", 100, false), "a\r\nb\r\n.\r\n");
}

TEST(DotStufferTest, LongLinesAreBroken) {
    const std::pair<std::string, std::string> cases[] = {
        {"1234567890\r\n", "1234567890\r\n.\r\n"},
        {"12345678901\r\n", "1234567890\r\n 1\r\n.\r\n"},
        {"1234567890123456789\r\n", "1234567890\r\n 123456789\r\n.\r\n"},
        {"12345678901234567890\r\nx\r\n", "1234567890\r\n 123456789\r\n 0\r\nx\r\n.\r\n"},
        {".234567890\r\n", "..234567890\r\n.\r\n"},
        {"x\r\n.2345678901\r\n.\r\n", "x\r\n..234567890\r\n 1\r\n..\r\n.\r\n"},
    };
    for (const auto& [in, expected] : cases) {
        for (std::size_t piece : {1u, 2u, 3u, 7u, 11u, 100u}) {
            DotStuffer stuffer(true, 10);
            std::string out;
            for (std::size_t at = 0; at < in.size(); at += piece)
                stuffer.add(std::string_view(in).substr(at, piece), out);
            stuffer.finish(out);
            EXPECT_EQ(out, expected) << in << piece;
        }
    }
}

}  // namespace
}  // namespace postern::smtp
