#include "lib/mailbox/read_ahead.h"

#include <gtest/gtest.h>

namespace postern::mailbox {
namespace {

using Range = ReadAhead::Range;
constexpr Range kNone{};

TEST(ReadAhead, AsksForTheNextMessagesWhenTheyAreReadInOrderFromDisk) {
    ReadAhead ahead;
    EXPECT_EQ(ahead.after(1, true, 100), kNone) << "who opens one message wants no more";
    EXPECT_EQ(ahead.after(2, true, 100), kNone);
    EXPECT_EQ(ahead.after(3, true, 100), (Range{4, 35}));
    EXPECT_EQ(ahead.after(4, false, 100), kNone) << "it was there";
    for (std::uint32_t seq = 5; seq < 36; ++seq) (void)ahead.after(seq, false, 100);
    EXPECT_EQ(ahead.after(36, true, 100), (Range{37, 68}));
}

// The disk has to do with each large message, as only its beginning was asked for.
TEST(ReadAhead, AsksForNoneTwice) {
    ReadAhead ahead;
    std::uint32_t asked = 0;
    for (std::uint32_t seq = 1; seq <= 1000; ++seq) {
        const auto [first, last] = ahead.after(seq, true, 1000);
        if (last >= first) asked += last - first + 1;
        EXPECT_TRUE(last < first || first > seq);
    }
    EXPECT_EQ(asked, 997U);
}

TEST(ReadAhead, LeavesOthersAlone) {
    ReadAhead ahead;
    for (const std::uint32_t seq : {50U, 49U, 48U, 47U, 46U, 10U, 20U, 30U, 30U, 30U})
        EXPECT_EQ(ahead.after(seq, true, 100), kNone) << seq;
}

TEST(ReadAhead, EndsWithTheFolder) {
    ReadAhead ahead;
    for (std::uint32_t seq = 90; seq < 97; ++seq) (void)ahead.after(seq, false, 100);
    EXPECT_EQ(ahead.after(97, true, 100), (Range{98, 100}));
    for (std::uint32_t seq = 98; seq < 102; ++seq) {
        const auto [first, last] = ahead.after(seq, true, 100);
        EXPECT_GT(first, last) << "nothing behind " << seq << ", also of a folder that became shorter";
    }
}

}  // namespace
}  // namespace postern::mailbox
