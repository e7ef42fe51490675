#include "master/population.h"

#include "tests/support/fake_clock.h"

namespace postern::master {
namespace {

using Next = Population::Next;
using Pressure = Population::Pressure;
using Kind = Population::WakeUp::Kind;

class PopulationTest : public testing::Test {
  protected:
    pid_t start(bool ready = true, bool wake = false) {
        const pid_t pid = next_pid_++;
        population.add(pid, {.slot = population.free_slot(8),
                             .generation = 1,
                             .born = clock.steady(),
                             .ready = ready,
                             .draining = false,
                             .wake_when_ready = wake});
        return pid;
    }
    Next end(pid_t pid, bool failed) {
        const auto ended = population.ended(pid, failed, clock.steady());
        EXPECT_TRUE(ended);
        return ended ? ended->next : Next::look;
    }
    Pressure press(bool any_idle = false, bool throttled = false) {
        return population.pressure(any_idle, throttled, clock.steady());
    }

    support::FakeClock clock;
    Population population;

  private:
    pid_t next_pid_ = 100;
};

// --- When to start another one ---

TEST_F(PopulationTest, StartsOneWhenNobodyIsIdle) {
    population.set_rules(0, false);
    EXPECT_EQ(press(), Pressure::start);
    EXPECT_EQ(press(true, false), Pressure::wait) << "somebody will take it";
    EXPECT_EQ(press(false, true), Pressure::wait) << "they fail at present";
    for (int i = 0; i < 8; ++i) start();
    EXPECT_EQ(press(), Pressure::start) << "no limit";
}

TEST_F(PopulationTest, HasALimitOnTheProcessesThatWork) {
    for (const std::size_t limit : {1U, 2U, 5U}) {
        population = Population();
        population.set_rules(limit, false);
        for (std::size_t i = 0; i < limit; ++i) {
            EXPECT_FALSE(population.at_limit()) << limit << " " << i;
            EXPECT_EQ(press(), Pressure::start);
            start();
        }
        EXPECT_TRUE(population.at_limit()) << limit;
        EXPECT_NE(press(), Pressure::start);
    }
}

TEST_F(PopulationTest, DrainingOnesMakeRoomExceptForTheOnlyOne) {
    population.set_rules(2, false);
    start();
    const pid_t second = start();
    population.drain_all();
    EXPECT_FALSE(population.at_limit());
    EXPECT_TRUE(population.find(second)->draining);
    start();
    start();
    EXPECT_TRUE(population.at_limit());
    population = Population();
    population.set_rules(1, false);
    const pid_t only = start();
    population.drain_all();
    EXPECT_TRUE(population.at_limit()) << "it has to be the only one";
    end(only, false);
    EXPECT_FALSE(population.at_limit());
}

TEST_F(PopulationTest, TheOnlyOneMakesRoomWhereItsSessionsOutliveIt) {
    population.set_rules(1, false, true);
    start();
    EXPECT_TRUE(population.at_limit());
    population.drain_all();
    EXPECT_EQ(press(), Pressure::start);
    start();
    EXPECT_TRUE(population.at_limit());
}

TEST_F(PopulationTest, TellsNowAndThenThatTheLimitIsReached) {
    population.set_rules(2, false);
    start();
    start();
    EXPECT_EQ(press(true), Pressure::wait) << "one is idle: no reason to complain";
    EXPECT_EQ(press(), Pressure::full);
    EXPECT_EQ(press(), Pressure::wait);
    clock.advance(Population::kFullWarning - Millis{1});
    EXPECT_EQ(press(), Pressure::wait);
    clock.advance(Millis{1});
    EXPECT_EQ(press(), Pressure::full);
    population = Population();
    population.set_rules(1, false);
    start();
    EXPECT_EQ(press(), Pressure::wait) << "a single one is meant to be single";
}

// --- Slots ---

TEST_F(PopulationTest, SlotsAreUsedAgainAndEnd) {
    population.set_rules(0, false);
    std::vector<pid_t> pids;
    for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(population.free_slot(8), i);
        pids.push_back(start());
    }
    EXPECT_EQ(population.free_slot(8), 8U) << "none is left";
    EXPECT_EQ(population.ended(pids[3], false, clock.steady())->member.slot, 3U);
    EXPECT_EQ(population.free_slot(8), 3U);
    EXPECT_EQ(population.free_slot(0), 0U);
}

// --- Wake-ups ---

TEST_F(PopulationTest, WakesOneThatWorksOrStartsOne) {
    population.set_rules(2, true);
    EXPECT_EQ(population.wake_up(true).kind, Kind::nothing) << "throttled";
    EXPECT_EQ(population.wake_up(false).kind, Kind::start);
    const pid_t first = start(false);
    EXPECT_EQ(population.wake_up(false).kind, Kind::nothing);
    EXPECT_TRUE(population.find(first)->wake_when_ready) << "it gets it when it is ready";
    population.find(first)->ready = true;
    const auto tell = population.wake_up(true);
    EXPECT_EQ(tell.kind, Kind::tell) << "throttling is about starts";
    EXPECT_EQ(tell.pid, first);
    population.drain_all();
    EXPECT_EQ(population.wake_up(false).kind, Kind::start) << "one that drains takes nothing new";
    const pid_t second = start();
    EXPECT_EQ(population.wake_up(false).pid, second);
}

TEST_F(PopulationTest, AWakeUpWaitsForTheEndOfTheOnlyOne) {
    population.set_rules(1, true);
    const pid_t old = start();
    population.drain_all();
    EXPECT_EQ(population.wake_up(false).kind, Kind::nothing);
    EXPECT_EQ(end(old, false), Next::replace) << "its successor is woken at once";
}

// --- Ends ---

TEST_F(PopulationTest, FailingBeforeItIsReadyIsThrottled) {
    const struct {
        bool ready, failed;
        Next next;
    } cases[] = {
        {false, true, Next::throttle},
        {false, false, Next::look},
        {true, true, Next::look},
        {true, false, Next::look},
    };
    for (const auto& c : cases) {
        population = Population();
        population.set_rules(0, false);
        EXPECT_EQ(end(start(c.ready), c.failed), c.next) << c.ready << c.failed;
        EXPECT_TRUE(population.empty());
    }
    EXPECT_FALSE(population.ended(4711, true, clock.steady())) << "not ours";
}

TEST_F(PopulationTest, HowTheOldConfigurationFailsIsNoneOfTheNewOnes) {
    population.set_rules(0, false);
    const pid_t starting = start(false);
    population.drain_all();
    EXPECT_EQ(end(starting, true), Next::look);
    EXPECT_EQ(end(start(false), true), Next::throttle);
    population.set_rules(1, true);
    for (int i = 1; i < Population::kPatience; ++i) EXPECT_EQ(end(start(), true), Next::replace);
    population.drain_all();
    EXPECT_EQ(end(start(), true), Next::replace);
}

TEST_F(PopulationTest, TheOnlyOneOfAServiceWithWakeUpsIsReplaced) {
    const struct {
        const char* name;
        std::size_t limit;
        bool wakes, draining, failed;
        Next next;
    } cases[] = {
        {"crashed", 1, true, false, true, Next::replace},
        {"drained", 1, true, true, false, Next::replace},
        {"idle for long", 1, true, false, false, Next::look},
        {"no wake-ups", 1, false, false, true, Next::look},
        {"one of many", 5, true, false, true, Next::look},
    };
    for (const auto& c : cases) {
        population = Population();
        population.set_rules(c.limit, c.wakes);
        const pid_t pid = start();
        if (c.draining) population.drain_all();
        clock.advance(Population::kYoung);
        EXPECT_EQ(end(pid, c.failed), c.next) << c.name;
    }
}

// A queue manager that dies of a message in the queue would otherwise be started for ever.
TEST_F(PopulationTest, OneThatFailsSoonAgainAndAgainIsThrottled) {
    population.set_rules(1, true);
    for (int round = 0; round < 3; ++round) {
        for (int i = 1; i < Population::kPatience; ++i) {
            const pid_t pid = start();
            clock.advance(Population::kYoung - Millis{1});
            EXPECT_EQ(end(pid, true), Next::replace) << round << " " << i;
        }
        EXPECT_EQ(end(start(), true), Next::throttle_often) << round;
    }
}

TEST_F(PopulationTest, ASuccessorThatDiesIsReplacedWhileTheOneBeforeDrains) {
    population.set_rules(1, true, true);
    const pid_t old = start();
    population.drain_all();
    EXPECT_EQ(population.wake_up(false).kind, Kind::start);
    const pid_t successor = start();
    clock.advance(Population::kYoung);
    EXPECT_EQ(end(successor, true), Next::replace);
    const pid_t another = start();
    EXPECT_EQ(end(old, false), Next::look) << "another one works";
    EXPECT_EQ(population.wake_up(false).pid, another);
}

TEST_F(PopulationTest, AGoodLifeIsForgiven) {
    population.set_rules(1, true);
    const struct {
        const char* name;
        Millis age;
        bool failed, draining;
        bool forgiven;
    } cases[] = {
        {"lived long", Population::kYoung, true, false, true},
        {"ended well", Millis{0}, false, false, true},
        {"had served its share", Millis{0}, true, true, false},
    };
    for (const auto& c : cases) {
        population = Population();
        population.set_rules(1, true);
        for (int i = 1; i < Population::kPatience; ++i)
            EXPECT_EQ(end(start(), true), Next::replace);
        const pid_t pid = start();
        population.find(pid)->draining = c.draining;
        clock.advance(c.age);
        EXPECT_NE(end(pid, c.failed), Next::throttle_often) << c.name;
        EXPECT_EQ(end(start(), true), c.forgiven ? Next::replace : Next::throttle_often) << c.name;
    }
}

TEST_F(PopulationTest, TheCalendarDoesNotMatter) {
    population.set_rules(1, true);
    for (int i = 1; i < Population::kPatience; ++i) {
        const pid_t pid = start();
        clock.set_wall(clock.now() - std::chrono::hours(24 * 365));
        EXPECT_EQ(end(pid, true), Next::replace);
    }
    EXPECT_EQ(end(start(), true), Next::throttle_often);
}

}  // namespace
}  // namespace postern::master
