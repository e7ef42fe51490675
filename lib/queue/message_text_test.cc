#include "lib/queue/message_text.h"

#include <cstdlib>
#include <ctime>

namespace postern::queue {
namespace {

// A file without a name that holds the text after five bytes of something else.
class MessageTextTest : public testing::Test {
  protected:
    MessageText text(const std::string& bytes) {
        std::string pattern = testing::TempDir() + "/message-text-XXXXXX";
        file_.reset(mkstemp(pattern.data()));
        unlink(pattern.c_str());
        EXPECT_TRUE(sys::RealFs::instance().write(file_.get(), "HEAD:" + bytes));
        return {file_.get(), 5, bytes.size()};
    }
    std::string lines(const std::string& bytes, const LineStyle& style) {
        std::string out;
        const auto copied =
            copy_lines(sys::RealFs::instance(), text(bytes), style, [&](std::string_view piece) {
                out += piece;
                return Result<void>();
            });
        EXPECT_TRUE(copied);
        return out;
    }

  private:
    Fd file_;
};

TEST_F(MessageTextTest, CopiesLinesInEachStyle) {
    const LineStyle mbox{"\n", true, false}, bsmtp{"\r\n", false, true}, plain{};
    const std::string longish(300'000, 'x');
    const struct {
        const LineStyle& style;
        std::string in, expected;
    } cases[] = {
        {plain, "a\r\nb\r\n", "a\nb\n"},
        {plain, "a\rb\r\nc", "a\rb\nc\n"},
        {plain, "", ""},
        {plain, "\r\n", "\n"},
        {mbox, "From me\r\n>From you\r\nFromage\r\nx From y\r\nFrom ",
         ">From me\n>From you\nFromage\nx From y\n>From \n"},
        {bsmtp, ".\r\n..a\r\nb.\r\n", "..\r\n...a\r\nb.\r\n"},
        {mbox, longish + "\r\nFrom a\r\n", longish + "\n>From a\n"},
        {mbox, std::string(131'070, 'y') + "\r\nFrom a\r\n",
         std::string(131'070, 'y') + "\n>From a\n"},
        {mbox, std::string(131'071, 'y') + "\r\nFrom a\r\n",
         std::string(131'071, 'y') + "\n>From a\n"},
        {mbox, std::string(131'073, 'y') + "From a\r\n", std::string(131'073, 'y') + "From a\n"},
    };
    for (const auto& c : cases) EXPECT_EQ(lines(c.in, c.style), c.expected);
}

TEST_F(MessageTextTest, PassesFailuresOn) {
    const auto failing = [](std::string_view) -> Result<void> {
        return Error{Errc::no_space, "full"};
    };
    const auto copied = copy_lines(sys::RealFs::instance(), text("a\r\n"), {}, failing);
    ASSERT_FALSE(copied);
    EXPECT_EQ(copied.error().what, "full");
}

TEST(FromLine, IsAsMailProgramsExpectIt) {
    setenv("TZ", "UTC", 1);
    tzset();
    const WallTime when{Seconds{1795290704}};
    EXPECT_EQ(from_line("s@far.test", when), "From s@far.test  Sat Nov 21 19:51:44 2026");
    EXPECT_EQ(from_line("", WallTime{Seconds{1793000000}}),
              "From MAILER-DAEMON  Mon Oct 26 07:33:20 2026");
}

}  // namespace
}  // namespace postern::queue
