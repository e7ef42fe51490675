#include <set>

#include "lib/base/crc32c.h"
#include "lib/base/encode.h"
#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/lookup.h"
#include "lib/base/result.h"
#include "lib/base/strings.h"
#include "lib/base/verdict.h"

namespace postern {
namespace {

Result<int> half(int n) {
    if (n % 2 != 0) return Error{Errc::invalid, "odd"};
    return n / 2;
}

Result<int> quarter(int n) {
    TRY_ASSIGN(const int h, half(n));
    return half(h);
}

Result<void> only_even(int n) {
    TRY(half(n));
    return {};
}

TEST(Result, CarriesValuesAndErrorsUpwards) {
    EXPECT_EQ(*quarter(8), 2);
    EXPECT_EQ(quarter(6).error().code, Errc::invalid);
    EXPECT_TRUE(only_even(2).has_value());
    EXPECT_EQ(only_even(3).error().what, "odd");
    EXPECT_EQ(quarter(3).value_or(-1), -1);
    EXPECT_EQ((Error{Errc::temporary, "gone", 2}.within("open x").what), "open x: gone");
}

TEST(ResultDeathTest, ValueOfAnErrorIsABug) { EXPECT_DEATH((void)half(1).value(), "check failed"); }

TEST(Lookup, HasThreeOutcomes) {
    EXPECT_TRUE(Lookup<int>(1).found());
    EXPECT_TRUE(Lookup<int>(NotFound{}).not_found());
    EXPECT_TRUE(Lookup<int>(Error{Errc::timeout, "slow"}).failed());
}

TEST(Strings, SplitAndTrim) {
    EXPECT_EQ(split("a,b,,c", ','), (std::vector<std::string_view>{"a", "b", "", "c"}));
    EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
    EXPECT_EQ(split_words("  a \t b ", " \t"), (std::vector<std::string_view>{"a", "b"}));
    EXPECT_EQ(trim(" \t x y \r\n"), "x y");
    EXPECT_EQ(join({"", "a"}, ", "), ", a");
    EXPECT_EQ(join({"a", "b"}, ", "), "a, b");
    EXPECT_EQ(split_once("k=v=w", '=')->second, "v=w");
    EXPECT_FALSE(split_once("k", '='));
}

TEST(Strings, CaseFolding) {
    EXPECT_TRUE(iequals("MaIl", "mAiL"));
    EXPECT_FALSE(iequals("mail", "mai"));
    EXPECT_TRUE(istarts_with("SMTP hi", "smtp"));
    EXPECT_TRUE(iends_with("x.EXAMPLE", ".example"));
    EXPECT_EQ(ifind("Hello World", "WORLD"), 6U);
    EXPECT_EQ(ifind("Hello", "x"), std::string_view::npos);
}

TEST(Strings, NumbersAreWholeOrNothing) {
    EXPECT_EQ(parse_number<int>("-12"), -12);
    EXPECT_FALSE(parse_number<int>("12x"));
    EXPECT_FALSE(parse_number<int>(""));
    EXPECT_FALSE(parse_number<unsigned char>("256"));
    EXPECT_FALSE(parse_number<unsigned>("-1"));
    EXPECT_EQ(parse_number<unsigned>("755", 8), 493U);
}

TEST(Strings, PrintableHasNoControls) {
    EXPECT_EQ(printable("a\r\nb\x7f"), "a??b?");
    EXPECT_EQ(printable("\xc3\xa4", 10, false), "??");
    EXPECT_EQ(printable("abcdef", 3), "abc");
}

TEST(Encode, Base64FollowsRfc4648) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, coded] : cases) {
        EXPECT_EQ(base64_encode(plain), coded);
        EXPECT_EQ(base64_decode(coded), plain);
    }
    for (const char* bad : {"Z", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm9v\n", "Zg==Zg=="}) EXPECT_FALSE(base64_decode(bad)) << bad;
}

TEST(Encode, Hex) {
    EXPECT_EQ(hex_encode(std::string("\x00\xff", 2)), "00ff");
    EXPECT_EQ(hex_decode("00fF"), std::string("\x00\xff", 2));
    EXPECT_FALSE(hex_decode("0"));
    EXPECT_FALSE(hex_decode("0g"));
}

TEST(Crc32c, KnownAnswersAndContinuation) {
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);  // RFC 3720 B.4's polynomial, the usual check value
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
    EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
}

TEST(QueueId, SortsByTimeAndIsUnique) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(QueueId::make(SystemClock::instance(), SystemRandom::instance()).str());
    EXPECT_EQ(seen.size(), 1000U);
    EXPECT_EQ(seen.begin()->size(), 15U);
    EXPECT_TRUE(QueueId::parse(*seen.begin()).has_value());
    for (const char* bad : {"", "ABC", "../../etc", "ABCDEF/", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
        EXPECT_FALSE(QueueId::parse(bad).has_value()) << bad;
}

TEST(SessionId, RoundTrips) {
    const auto id = SessionId::make(SystemClock::instance(), SystemRandom::instance());
    EXPECT_EQ(id.str().size(), SessionId::kSize);
    EXPECT_EQ(SessionId::parse(id.str())->str(), id.str());
}

}  // namespace
}  // namespace postern
