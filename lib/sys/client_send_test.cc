#include "lib/sys/client_send.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "lib/sys/unix_socket.h"
#include "tests/support/fake_clock.h"

namespace postern::sys {
namespace {

TEST(TransferDeadline, ASlowTransferMayTakeAsLongAsItMust) {
    support::FakeClock clock;
    TransferDeadline time(Seconds{120}, clock);
    for (int second = 0; second < 10'000; ++second) {
        clock.advance(Seconds{1});
        time.moved(600);
        ASSERT_FALSE(time.deadline().passed()) << second;
    }
}

TEST(TransferDeadline, AByteAMinuteGainsNothing) {
    support::FakeClock clock;
    TransferDeadline time(Seconds{120}, clock);
    for (int minute = 0; minute < 3; ++minute) {
        clock.advance(Seconds{60});
        time.moved(1);
    }
    EXPECT_LT(time.deadline().left(), Millis{10});
}

TEST(TransferDeadline, NothingIsSavedUp) {
    support::FakeClock clock;
    TransferDeadline time(Seconds{120}, clock);
    time.moved(std::size_t{1} << 40);
    EXPECT_EQ(time.deadline().left(), Seconds{120});
}

// A clock for two threads.
class SharedClock final : public Clock {
  public:
    WallTime now() const override { return WallTime(Micros(now_)); }
    SteadyTime steady() const override { return SteadyTime(Micros(now_)); }
    void advance(Micros by) { now_ += by.count(); }

  private:
    std::atomic<std::int64_t> now_ = 1'000'000'000;
};

// More than an hour for one write, where each wait may take two minutes.
TEST(SendToClient, ASlowClientGetsItAll) {
    const auto ends = stream_pair().value();
    SharedClock clock;
    std::size_t taken = 0;
    std::thread client([&, fd = ends.second.get()] {
        std::string piece(64 * 1024, 0);
        pollfd input{fd, POLLIN, 0};
        while (::poll(&input, 1, 20'000) > 0) {
            const ssize_t count = ::recv(fd, piece.data(), piece.size(), 0);
            if (count <= 0) return;
            taken += static_cast<std::size_t>(count);
            clock.advance(Micros(count * 150));  // 6.7 kB a second
        }
    });
    const std::string text(25 << 20, 'x');
    std::string_view rest = text;
    const auto sent = send_to_client(ends.first.get(), rest, -1, Seconds{120}, clock);
    ::shutdown(ends.first.get(), SHUT_WR);
    client.join();
    EXPECT_TRUE(sent) << sent.error().what;
    EXPECT_EQ(taken, text.size());
    EXPECT_TRUE(rest.empty());
    EXPECT_GT(clock.steady().time_since_epoch(), Seconds{3600});
}

TEST(SendToClient, OneThatTakesNothingIsGivenUp) {
    const auto ends = stream_pair().value();
    const std::string text(1 << 20, 'x');
    std::string_view rest = text;
    const auto sent = send_to_client(ends.first.get(), rest, -1, Millis{20});
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::timeout);
    EXPECT_LT(rest.size(), text.size()) << "what has gone is known";
}

TEST(SendToClient, AStopAndAClientThatHasGone) {
    auto ends = stream_pair().value();
    const Fd stop(::eventfd(1, EFD_CLOEXEC));
    const std::string text(1 << 20, 'x');
    std::string_view rest = text;
    EXPECT_EQ(send_to_client(ends.first.get(), rest, stop.get(), Seconds{20}).error().code,
              Errc::closed);
    ends.second.reset();
    EXPECT_THAT(send_to_client(ends.first.get(), rest, -1, Seconds{20}).error().what,
                testing::HasSubstr("write to client: "));
}

}  // namespace
}  // namespace postern::sys
