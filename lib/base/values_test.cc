// Result, Lookup, Verdict, Fd, the ids and the clock: the types that everything else is made of.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/lookup.h"
#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/base/verdict.h"
#include "tests/support/fake_clock.h"

namespace postern {
namespace {

using support::FakeClock;

// --- Result ---

using Owned = std::unique_ptr<int>;

Result<Owned> make(bool good) {
    if (!good) return Error{Errc::no_space, "make", 28};
    return std::make_unique<int>(7);
}

Result<int> use(bool good) {
    TRY_ASSIGN(Owned owned, make(good));
    TRY_ASSIGN(const Owned second, make(good));  // two in one scope
    return *owned + *second;
}

Result<void> both(bool first, bool second, int& calls) {
    if (true)
        TRY(make(first));
    else
        return {};
    ++calls;
    TRY(make(second));
    ++calls;
    return {};
}

TEST(Result, MovesWhatCannotBeCopied) {
    auto made = make(true);
    ASSERT_TRUE(made);
    EXPECT_EQ(**made, 7);
    const Owned taken = *std::move(made);
    EXPECT_EQ(*taken, 7);
    EXPECT_TRUE(made.has_value()) << "moved from, but still a value";
    EXPECT_EQ(*use(true), 14);
}

TEST(Result, HandsTheErrorUpWhole) {
    const auto failed = use(false);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Errc::no_space);
    EXPECT_EQ(failed.error().what, "make");
    EXPECT_EQ(failed.error().sys, 28);
    const auto within = Error(failed.error()).within("a").within("b");
    EXPECT_EQ(within.what, "b: a: make");
    EXPECT_EQ(within.sys, 28);
}

TEST(Result, TryStopsAtTheFirstFailure) {
    const struct {
        bool first, second;
        int calls;
    } cases[] = {{true, true, 2}, {true, false, 1}, {false, true, 0}};
    for (const auto& c : cases) {
        int calls = 0;
        EXPECT_EQ(both(c.first, c.second, calls).has_value(), c.first && c.second);
        EXPECT_EQ(calls, c.calls);
    }
}

TEST(Result, OfAnErrorHasAlternatives) {
    EXPECT_EQ(use(false).value_or(3), 3);
    EXPECT_EQ(use(true).value_or(3), 14);
    EXPECT_FALSE(static_cast<bool>(Result<std::string>(Error{})));
    EXPECT_EQ(Error{}.code, Errc::temporary) << "who does not say why will be tried again";
    Result<std::string> text(std::string("abc"));
    EXPECT_EQ(text->size(), 3U);
    *text += "d";
    EXPECT_EQ(std::as_const(text).value(), "abcd");
}

TEST(Result, TakesAnotherOfEitherKind) {
    const auto of = [](bool good) -> Result<std::vector<std::string>> {
        if (!good) return Error{.code = Errc::denied, .what = std::string(40, 'e')};
        return std::vector<std::string>{std::string(40, 'v')};
    };
    for (const bool from : {false, true}) {
        for (const bool to : {false, true}) {
            auto result = of(to);
            result = of(from);
            ASSERT_EQ(result.has_value(), from);
            auto& same = result;
            result = std::move(same);
            auto moved = std::move(result);
            EXPECT_EQ(from ? moved->front() : moved.error().what,
                      std::string(40, from ? 'v' : 'e'));
        }
    }
}

TEST(ResultDeathTest, WrongHalfIsABug) {
    EXPECT_DEATH((void)use(true).error(), "check failed: !has_value");
    EXPECT_DEATH((void)*use(false), "check failed: has_value");
    EXPECT_DEATH(Result<void>(Error{}).value(), "check failed: !failed_");
    EXPECT_DEATH((void)Result<void>().error(), "check failed: failed_");
}

TEST(CheckDeathTest, NamesThePlaceAndTellsTheReporter) {
    POSTERN_CHECK(1 + 1 == 2);
    EXPECT_DEATH(POSTERN_CHECK(1 + 1 == 3),
                 "panic: check failed: 1 \\+ 1 == 3 at .*values_test.cc:[0-9]+");
    EXPECT_DEATH(
        {
            set_check_reporter(
                [](const char* text) { std::fprintf(stderr, "reported: %s\n", text); });
            POSTERN_CHECK(false);
        },
        "reported: panic: check failed: false");
}

// --- Lookup, Verdict ---

TEST(Lookup, IsExactlyOneOfThree) {
    const struct {
        Lookup<int> lookup;
        bool found, not_found, failed;
    } cases[] = {
        {Lookup<int>(0), true, false, false},
        {Lookup<int>(NotFound{}), false, true, false},
        {Lookup<int>(Error{Errc::timeout, "slow"}), false, false, true},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(c.lookup.found(), c.found);
        EXPECT_EQ(c.lookup.not_found(), c.not_found);
        EXPECT_EQ(c.lookup.failed(), c.failed);
    }
    Lookup<Owned> owned(std::make_unique<int>(5));
    EXPECT_EQ(*std::move(owned).value(), 5);
    EXPECT_EQ(Lookup<std::string>(std::string("ab"))->size(), 2U);
}

TEST(LookupDeathTest, WrongThirdIsABug) {
    EXPECT_DEATH((void)Lookup<int>(NotFound{}).value(), "check failed: has_value");
    EXPECT_DEATH((void)Lookup<int>(Error{}).value(), "check failed: has_value");
    EXPECT_DEATH((void)Lookup<int>(NotFound{}).error(), "check failed: failed");
}

TEST(Verdict, UnclearIsLater) {
    EXPECT_TRUE(Verdict{}.deferred());
    EXPECT_TRUE(Verdict::accept().accepted());
    EXPECT_EQ(Verdict::accept().status, "2.0.0");
    EXPECT_TRUE(Verdict::defer("4.3.0", "x").deferred());
    EXPECT_TRUE(Verdict::reject("5.1.1", "x").rejected());
    EXPECT_FALSE(Verdict::reject("5.1.1", "x").accepted());
}

// --- Fd ---

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(Fd, ClosesOnceAndOnlyWhatItHolds) {
    const int number = open_null();
    {
        Fd fd(number);
        EXPECT_TRUE(static_cast<bool>(fd));
        Fd moved(std::move(fd));
        EXPECT_FALSE(static_cast<bool>(fd));
        EXPECT_EQ(moved.get(), number);
        Fd& itself = moved;
        moved = std::move(itself);
        EXPECT_TRUE(is_open(number)) << "assigned to itself";
    }
    EXPECT_FALSE(is_open(number));
    EXPECT_FALSE(static_cast<bool>(Fd()));
    EXPECT_TRUE(static_cast<bool>(Fd(::dup(0)))) << "0 is a descriptor too";
}

TEST(Fd, ReleasesResetsAndReplaces) {
    Fd fd(open_null());
    const int first = fd.get();
    const int second = open_null();
    fd.reset(second);
    EXPECT_FALSE(is_open(first));
    EXPECT_EQ(fd.release(), second);
    EXPECT_FALSE(static_cast<bool>(fd));
    EXPECT_TRUE(is_open(second));
    Fd other(second);
    other = Fd(open_null());
    EXPECT_FALSE(is_open(second) && other.get() != second);
    other.reset();
    other.reset();
    EXPECT_EQ(other.get(), -1);
}

TEST(Fd, KeepsErrnoForWhoWillReportIt) {
    Fd bad(123456);  // close(2) fails
    errno = ENOSPC;
    bad.reset();
    EXPECT_EQ(errno, ENOSPC);
}

// --- Clock ---

TEST(Deadline, CountsDownAndStops) {
    FakeClock clock;
    const auto deadline = Deadline::in(Millis{100}, clock);
    EXPECT_EQ(deadline.left(), Millis{100});
    clock.advance(Micros{99'001});
    EXPECT_EQ(deadline.left(), Millis{1}) << "rounded up: a wait of 0 would spin";
    EXPECT_FALSE(deadline.passed());
    clock.advance(Micros{999});
    EXPECT_EQ(deadline.left(), Millis{0});
    EXPECT_TRUE(deadline.passed());
    clock.advance(Micros{1'000'000'000});
    EXPECT_EQ(deadline.left(), Millis{0}) << "never negative";
    EXPECT_TRUE(Deadline::in(Millis{0}, clock).passed());
    EXPECT_TRUE(Deadline::in(Millis{-5}, clock).passed());
}

TEST(Deadline, DoesNotCareForTheCalendar) {
    FakeClock clock;
    const auto deadline = Deadline::in(Millis{100}, clock);
    clock.set_wall(WallTime(Micros{0}));
    EXPECT_EQ(deadline.left(), Millis{100});
    clock.set_wall(clock.now() + std::chrono::hours(1000));
    EXPECT_FALSE(deadline.passed());
}

TEST(SystemClock, GoesOnAndIsOfThisCentury) {
    auto& clock = SystemClock::instance();
    const auto before = clock.steady();
    EXPECT_GE(clock.steady(), before);
    EXPECT_GT(clock.now().time_since_epoch(), std::chrono::hours(24 * 365 * 50));
}

// --- Random and ids ---

class Counting final : public Random {
  public:
    explicit Counting(std::uint64_t value) : value_(value) {}
    std::uint64_t next() override { return value_++; }

  private:
    std::uint64_t value_;
};

TEST(Random, GivesAsManyBytesAsAskedFor) {
    for (std::size_t size : {0U, 1U, 7U, 8U, 9U, 16U, 33U})
        EXPECT_EQ(SystemRandom::instance().bytes(size).size(), size);
    EXPECT_EQ(Counting(0x0807060504030201U).bytes(9),
              std::string("\x01\x02\x03\x04\x05\x06\x07\x08\x02", 9));
    EXPECT_NE(SystemRandom::instance().bytes(16), SystemRandom::instance().bytes(16));
}

TEST(QueueIds, SortByArrivalWhateverTheRandomPart) {
    FakeClock clock(WallTime(Micros{1}));
    std::string last;
    for (std::int64_t step :
         {1LL, 50LL, 52LL, 1'000'000LL, 86'400'000'000LL, 3'000'000'000'000'000LL}) {
        Counting high(0xffffff), low(0);
        const auto early = QueueId::make(clock, high);
        clock.advance(Micros{step});
        const auto late = QueueId::make(clock, low);
        EXPECT_LT(early, late) << step;
        EXPECT_LT(early.str(), late.str()) << "the text sorts as the id does";
        EXPECT_EQ(late.str().size(), 15U);
        EXPECT_EQ(QueueId::parse(late.str())->str(), late.str());
    }
}

TEST(QueueIds, DifferInOneMicrosecond) {
    const FakeClock clock;
    Counting random(0);
    std::set<std::string> seen;
    for (int i = 0; i < 5000; ++i) seen.insert(QueueId::make(clock, random).str());
    EXPECT_EQ(seen.size(), 5000U);
    for (const auto& id : seen) EXPECT_EQ(id.find_first_of("AEIOUaeiou"), std::string::npos) << id;
}

TEST(QueueIds, ClockSetBackGivesEarlierButGoodIds) {
    FakeClock clock;
    Counting random(0);
    const auto before = QueueId::make(clock, random);
    clock.set_wall(WallTime(Micros{5}));
    const auto after = QueueId::make(clock, random);
    EXPECT_NE(before, after);
    EXPECT_TRUE(QueueId::parse(after.str()));
}

TEST(Ids, ParseAcceptsNoPathAndNoOtherSize) {
    const auto id = [](std::size_t size) { return std::string(size, 'B'); };
    EXPECT_FALSE(QueueId::parse(id(QueueId::kMinSize - 1)));
    EXPECT_TRUE(QueueId::parse(id(QueueId::kMinSize)));
    EXPECT_TRUE(QueueId::parse(id(QueueId::kMaxSize)));
    EXPECT_FALSE(QueueId::parse(id(QueueId::kMaxSize + 1)));
    EXPECT_FALSE(SessionId::parse(id(SessionId::kSize - 1)));
    EXPECT_TRUE(SessionId::parse(id(SessionId::kSize)));
    EXPECT_FALSE(SessionId::parse(id(SessionId::kSize + 1)));
    for (const char* bad : {"../../../etc", "BBBBBBBBBBB.", "BBBBBBBBBBB/", "BBBBBBBBBB B",
                            "BBBBBBBBBB\xc3\xa4", "\nBBBBBBBBBBB"}) {
        EXPECT_EQ(QueueId::parse(bad).error().code, Errc::invalid) << bad;
        EXPECT_EQ(SessionId::parse(bad).error().code, Errc::invalid) << bad;
    }
    EXPECT_FALSE(QueueId::parse(std::string_view("BBBBBBBB\0", 9)));
    EXPECT_EQ(QueueId::parse("a\nb").error().what, "queue id \"a?b\": not a queue id")
        << "fit for the log";
    EXPECT_TRUE(QueueId().empty());
    EXPECT_EQ(QueueId(), QueueId());
}

TEST(SessionIds, FollowTheTimeAndWrap) {
    FakeClock clock(WallTime(Micros{1'000'000}));
    Counting random(0);
    const auto first = SessionId::make(clock, random);
    clock.advance(Micros{1000});
    const auto second = SessionId::make(clock, random);
    EXPECT_LT(first, second);
    EXPECT_EQ(second.str().size(), SessionId::kSize);
    Counting big(~0ULL);
    clock.set_wall(WallTime(Micros{0x7fffffffffffffff}));
    EXPECT_TRUE(SessionId::parse(SessionId::make(clock, big).str()))
        << "the greatest numbers fit too";
}

}  // namespace
}  // namespace postern
