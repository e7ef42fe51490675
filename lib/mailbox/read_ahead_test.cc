#include "lib/mailbox/read_ahead.h"

#include <gtest/gtest.h>

namespace postern::mailbox {
namespace {

TEST(ReadAhead, AsksForTheNextMessagesWhenTheyAreReadInOrderFromDisk) {
    ReadAhead ahead;
    EXPECT_EQ(ahead.after(1, true, 100), 0U) << "who opens one message wants no more";
    EXPECT_EQ(ahead.after(2, true, 100), 0U);
    EXPECT_EQ(ahead.after(3, true, 100), 35U);
    EXPECT_EQ(ahead.after(4, false, 100), 0U) << "it was there";
    EXPECT_EQ(ahead.after(5, true, 100), 37U);
}

TEST(ReadAhead, LeavesOthersAlone) {
    ReadAhead ahead;
    for (const std::uint32_t seq : {50U, 49U, 48U, 47U, 46U, 10U, 20U, 30U, 30U, 30U})
        EXPECT_EQ(ahead.after(seq, true, 100), 0U) << seq;
}

TEST(ReadAhead, EndsWithTheFolder) {
    ReadAhead ahead;
    for (std::uint32_t seq = 90; seq < 97; ++seq) (void)ahead.after(seq, false, 100);
    EXPECT_EQ(ahead.after(97, true, 100), 100U);
    for (std::uint32_t seq = 98; seq < 100; ++seq) (void)ahead.after(seq, false, 100);
    EXPECT_EQ(ahead.after(100, true, 100), 100U) << "nothing behind it";
    EXPECT_EQ(ahead.after(101, true, 100), 101U) << "of a folder that became shorter";
}

}  // namespace
}  // namespace postern::mailbox
