#include "lib/loop/loop.h"

#include <unistd.h>
#include <csignal>

#include "lib/base/fd.h"

namespace postern::loop {
namespace {

TEST(Loop, TimersFireInOrderAndCanBeStopped) {
    Loop loop;
    std::string order;
    Timer a(loop, [&] {
        order += 'a';
        loop.stop();
    });
    Timer b(loop, [&] { order += 'b'; });
    Timer c(loop, [&] { order += 'c'; });
    a.start(Millis{20});
    b.start(Millis{1});
    c.start(Millis{5});
    c.stop();
    EXPECT_FALSE(c.active());
    loop.run();
    EXPECT_EQ(order, "ba");
}

TEST(Loop, PostRunsLaterNeverInside) {
    Loop loop;
    std::string order;
    loop.post([&] {
        order += '1';
        loop.post([&] {
            order += '3';
            loop.stop();
        });
        order += '2';
    });
    loop.run();
    EXPECT_EQ(order, "123");
}

TEST(Watch, SeesReadableAndMayDestroyItself) {
    Loop loop;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    Fd reader(ends[0]), writer(ends[1]);
    std::unique_ptr<Watch> watch;
    int calls = 0;
    watch = std::make_unique<Watch>(loop, reader.get(), [&] {
        ++calls;
        watch.reset();
        loop.stop();
    });
    watch->want_read(true);
    ASSERT_EQ(::write(writer.get(), "x", 1), 1);
    loop.run();
    EXPECT_EQ(calls, 1);
}

TEST(Signal, ArrivesOnTheLoop) {
    Loop loop;
    bool seen = false;
    Signal hup(loop, SIGHUP, [&] {
        seen = true;
        loop.stop();
    });
    ::raise(SIGHUP);
    loop.run();
    EXPECT_TRUE(seen);
}

TEST(Loop, PostedCallbacksKeepTheirOrder) {
    Loop loop;
    std::string order;
    for (char c : {'a', 'b', 'c'}) loop.post([&order, c] { order += c; });
    EXPECT_EQ(order, "");
    loop.run_for(Millis{5});
    EXPECT_EQ(order, "abc");
}

TEST(Loop, RunForLeavesNothingBehind) {
    Loop loop;
    loop.post([&] { loop.stop(); });
    loop.run_for(Millis{50});  // ends early
    const auto start = loop.clock().steady();
    loop.run_for(Millis{100});
    EXPECT_GE(loop.clock().steady() - start, Millis{100}) << "the first one's limit is over";
}

TEST(Timer, OverdueIsAtOnce) {
    Loop loop;
    int calls = 0;
    Timer timer(loop, [&] { ++calls; });
    for (const Millis delay : {Millis{0}, Millis{-1}, Millis{-5000}}) {
        timer.start(delay);
        EXPECT_TRUE(timer.active());
        EXPECT_EQ(calls, 0) << "but not from inside start()";
        loop.run_for(Millis{5});
        EXPECT_EQ(calls, 1);
        EXPECT_FALSE(timer.active()) << "once per start()";
        calls = 0;
    }
}

TEST(Timer, StartsAnewAndMayBeDestroyedByItself) {
    Loop loop;
    int calls = 0;
    auto timer = std::make_unique<Timer>(loop, [&] { ++calls; });
    timer->start(Millis{1});
    timer->start(Millis{100'000});
    loop.run_for(Millis{10});
    EXPECT_EQ(calls, 0) << "the second start() counts";
    timer = std::make_unique<Timer>(loop, [&] {
        ++calls;
        timer.reset();
    });
    timer->start(Millis{1});
    loop.run_for(Millis{10});
    EXPECT_EQ(calls, 1);
}

TEST(Watch, ReadsAndWritesSeparately) {
    Loop loop;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    Fd reader(ends[0]), writer(ends[1]);
    int writable = 0;
    Watch watch(
        loop, writer.get(), [] {},
        [&] {
            ++writable;
            watch.want_write(false);
        });
    loop.run_for(Millis{2});
    EXPECT_EQ(writable, 0);
    watch.want_write(true);
    watch.want_write(true);
    EXPECT_TRUE(watch.wants_write());
    EXPECT_FALSE(watch.wants_read());
    loop.run_for(Millis{2});
    EXPECT_EQ(writable, 1);
}

TEST(WatchDeathTest, WritingNeedsACallback) {
    Loop loop;
    Watch watch(loop, 0, [] {});
    EXPECT_DEATH(watch.want_write(true), "check failed");
}

}  // namespace
}  // namespace postern::loop
