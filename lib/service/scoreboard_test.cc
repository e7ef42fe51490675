#include "lib/service/scoreboard.h"

#include <fcntl.h>
#include <unistd.h>

namespace postern::service {
namespace {

TEST(Scoreboard, KnowsWhoIsIdle) {
    auto board = *Scoreboard::create();
    EXPECT_FALSE(board.any_idle());
    board.set_state(3, Scoreboard::State::idle);
    EXPECT_TRUE(board.any_idle());
    board.set_state(3, Scoreboard::State::busy);
    EXPECT_FALSE(board.any_idle());
    board.set_sessions(3, 9);
    board.clear(3);
    EXPECT_EQ(board.sessions(3), 0U);
}

TEST(Scoreboard, IsSharedAndEachSlotIsItsOwn) {
    auto board = *Scoreboard::create();
    auto other = *Scoreboard::attach(Fd(::dup(board.fd())));
    const std::size_t last = Scoreboard::kSlots - 1;
    board.set_state(last, Scoreboard::State::idle);
    EXPECT_EQ(other.state(last), Scoreboard::State::idle);
    EXPECT_EQ(other.state(last - 1), Scoreboard::State::free);
    EXPECT_TRUE(other.any_idle());
    other.count_served(last);
    other.count_served(last);
    EXPECT_EQ(board.served(last), 2U);
    board.clear(last);
    EXPECT_FALSE(other.any_idle());
    EXPECT_EQ(other.served(last), 0U);
    EXPECT_DEATH(board.set_state(Scoreboard::kSlots, Scoreboard::State::idle), "check failed");
}

// A network process that has been taken over holds this page too: master must survive what it does.
TEST(Scoreboard, CannotBeTakenFromUnderMaster) {
    auto board = *Scoreboard::create();
    EXPECT_EQ(::ftruncate(board.fd(), 0), -1);
    EXPECT_EQ(::ftruncate(board.fd(), 1 << 20), -1);
    EXPECT_EQ(::fcntl(board.fd(), F_ADD_SEALS, F_SEAL_WRITE), -1);
    EXPECT_FALSE(board.any_idle());
    EXPECT_FALSE(Scoreboard::attach(Fd()));
}

TEST(Scoreboard, SaysWhetherMasterLooksOut) {
    auto board = *Scoreboard::create();
    auto other = *Scoreboard::attach(Fd(::dup(board.fd())));
    EXPECT_FALSE(other.watched());
    board.set_watched(true);
    EXPECT_TRUE(other.watched());
    board.set_watched(false);
    EXPECT_FALSE(other.watched());
}

}  // namespace
}  // namespace postern::service
