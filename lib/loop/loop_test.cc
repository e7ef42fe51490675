#include "lib/loop/loop.h"

#include <csignal>
#include <unistd.h>

#include "lib/base/fd.h"

namespace postern::loop {
namespace {

TEST(Loop, TimersFireInOrderAndCanBeStopped) {
    Loop loop;
    std::string order;
    Timer a(loop, [&] { order += 'a'; loop.stop(); });
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
        loop.post([&] { order += '3'; loop.stop(); });
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
    Signal hup(loop, SIGHUP, [&] { seen = true; loop.stop(); });
    ::raise(SIGHUP);
    loop.run();
    EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace postern::loop
