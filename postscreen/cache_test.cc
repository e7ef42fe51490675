#include "postscreen/cache.h"

#include "tests/support/temp_folder.h"

namespace postern::postscreen {
namespace {

TEST(Passed, HasPostfixsForm) {
    Passed passed;
    passed.of(Trial::greet) = 1700000000;
    passed.of(Trial::bare_newline) = 5;
    EXPECT_EQ(passed.str(), "1700000000;0;0;0;5");
    EXPECT_EQ(Passed::parse("1;2;3;4;5")->of(Trial::non_smtp), 4);
    EXPECT_EQ(Passed::parse("7;2")->of(Trial::lists), 2);
    for (const char* bad : {"", "x", "1;;2", "1;2;3;4;5;6"})
        EXPECT_FALSE(Passed::parse(bad)) << bad;
}

class CacheTest : public testing::TestWithParam<const char*> {
  protected:
    Cache open() const {
        return Cache::open(std::string(GetParam()) + ":" + (folder / "cache")).value();
    }
    static Passed until(std::int64_t time) {
        Passed passed;
        passed.of(Trial::greet) = time;
        return passed;
    }
    const support::TempFolder folder;
};

TEST_P(CacheTest, OutlivesTheProcess) {
    {
        Cache cache = open();
        EXPECT_EQ(cache.find("192.0.2.1").of(Trial::greet), 0);
        cache.store("192.0.2.1", until(100));
        EXPECT_EQ(cache.find("192.0.2.1").of(Trial::greet), 100) << "before it is written";
        EXPECT_TRUE(cache.unwritten());
        ASSERT_TRUE(cache.write());
        EXPECT_FALSE(cache.unwritten());
        cache.store("2001:db8::1", until(200));
        ASSERT_TRUE(cache.write());
        cache.store("192.0.2.1", until(300));
        ASSERT_TRUE(cache.write());
    }
    Cache cache = open();
    EXPECT_EQ(cache.find("192.0.2.1").of(Trial::greet), 300);
    EXPECT_EQ(cache.find("2001:db8::1").of(Trial::greet), 200);
    EXPECT_EQ(cache.find("192.0.2.2").of(Trial::greet), 0);
}

TEST_P(CacheTest, OldEntriesGo) {
    Cache cache = open();
    ASSERT_TRUE(cache.clean(10)) << "there is no file";
    for (int i = 0; i < 100; ++i) cache.store("c" + std::to_string(i), until(i));
    const auto cleaned = cache.clean(40);
    ASSERT_TRUE(cleaned) << cleaned.error().what;
    EXPECT_EQ(cleaned->kept, 60U);
    EXPECT_EQ(cleaned->removed, 40U);
    EXPECT_EQ(cache.find("c39").of(Trial::greet), 0);
    EXPECT_EQ(cache.find("c40").of(Trial::greet), 40);
}

INSTANTIATE_TEST_SUITE_P(Types, CacheTest, testing::Values("btree", "hash", "lmdb", "proxy:btree"));

TEST(Cache, WithoutAFile) {
    Cache cache = Cache::open("").value();
    Passed passed;
    passed.of(Trial::lists) = 9;
    cache.store("192.0.2.1", passed);
    EXPECT_FALSE(cache.unwritten());
    EXPECT_TRUE(cache.write());
    EXPECT_EQ(cache.find("192.0.2.1").of(Trial::lists), 9);
    EXPECT_EQ(cache.clean(10)->kept, 0U);
    EXPECT_EQ(cache.find("192.0.2.1").of(Trial::lists), 0);
}

TEST(Cache, WhatCannotBe) {
    for (const char* bad : {"cdb:/x", "memcache:/x", "btree", "nonsense:/x"})
        EXPECT_FALSE(Cache::open(bad)) << bad;
    Cache cache = Cache::open("btree:/nonexistent/folder/cache").value();
    cache.store("192.0.2.1", {});
    EXPECT_FALSE(cache.write());
    EXPECT_TRUE(cache.unwritten()) << "for the next time";
}

}  // namespace
}  // namespace postern::postscreen
