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

}  // namespace
}  // namespace postern::smtp
