#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <utility>

#include "lib/base/strings.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"

#include "lib/table/map_builder.h"
#include "lib/table/map_file.h"
#include "lib/table/map_table.h"
#include "lib/table/registry.h"
#include "lib/table/test_files.h"

namespace postern::table {
namespace {

void build(MapType type, const std::string& name, const std::map<std::string, std::string>& entries,
           MapBuilder::Options options = {}) {
    auto builder = MapBuilder::start(type, name, options);
    ASSERT_TRUE(builder) << builder.error().what;
    for (const auto& [key, value] : entries) ASSERT_TRUE(*builder->put(key, value, true));
    ASSERT_TRUE(builder->commit());
}

std::string get(Table& table, std::string_view key) {
    auto found = table.lookup(key);
    return found.found() ? *found : found.failed() ? "FAILED " + found.error().what : "none";
}

class Db : public testing::TestWithParam<std::tuple<MapType, std::optional<TrailingNull>>> {
  protected:
    TestFiles files;
    const std::string name = files.path("map");
    const MapType type = std::get<0>(GetParam());
    const MapBuilder::Options options{false, std::get<1>(GetParam()), 0644, {}, 0};

    std::string type_name() const {
        for (const char* name : {"hash", "btree", "cdb", "lmdb"}) {
            if (buildable_type(name) == type) return cat({name, ":"});
        }
        return "";
    }
};

TEST_P(Db, IsReadAsBuilt) {
    build(type, name, {{"a", "1"}, {"b@x.test", "2 3"}}, options);
    auto table = MapTable::open(type, name, Fold::lower);
    ASSERT_TRUE(table) << table.error().what;
    EXPECT_EQ(get(**table, "none"), "none");
    EXPECT_EQ(get(**table, "a"), "1");
    EXPECT_EQ(get(**table, "B@X.test"), "2 3");
    EXPECT_EQ(get(**table, "none"), "none");
    EXPECT_EQ(get(**table, ""), "none");
    EXPECT_EQ(get(**table, std::string(kMaxKeySize + 1, 'a')), "none");
}

// Tables that were built with, and without, smtputf8_enable.
TEST_P(Db, FindsKeysInUtf8) {
    build(type, name,
          {{"\xc3\xbc@x.test", "folded"}, {"\xc3\x89@x.test", "kept"}, {"strasse", "s"}}, options);
    auto table = MapTable::open(type, name, Fold::lower);
    ASSERT_TRUE(table) << table.error().what;
    EXPECT_EQ(get(**table, "\xc3\x9c@X.test"), "folded");
    EXPECT_EQ(get(**table, "\xc3\x89@X.test"), "kept");
    EXPECT_EQ(get(**table, "\xc3\xa9@X.test"), "none");
    EXPECT_EQ(get(**table,
                  "Stra\xc3\x9f"
                  "e"),
              "s");
}

// Until the coarse clock goes on: a cdb file is looked at again then, within milliseconds.
void wait_for_tick() {
    const auto now = [] {
        timespec time{};
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
        return std::make_pair(time.tv_sec, time.tv_nsec);
    };
    for (const auto before = now(); now() == before;) sched_yield();
}

TEST_P(Db, IsOpenedAgainWhenReplaced) {
    build(type, name, {{"a", "1"}}, options);
    auto table = MapTable::open(type, name, Fold::keep);
    EXPECT_EQ(get(**table, "a"), "1");
    build(type, name, {{"a", "2"}}, options);
    wait_for_tick();
    EXPECT_EQ(get(**table, "a"), "2");
    unlink(cat({name, map_suffix(type)}).c_str());
    wait_for_tick();
    EXPECT_TRUE((*table)->lookup("a").failed());
    build(type, name, {{"a", "3"}}, options);
    wait_for_tick();
    EXPECT_EQ(get(**table, "a"), "3");
}

TEST_P(Db, IsOpenedAgainWhenChangedInPlace) {
    build(type, name, {{"a", "1"}}, options);
    auto table = MapTable::open(type, name, Fold::keep);
    EXPECT_EQ(get(**table, "a"), "1");
    if (type == MapType::cdb) return;  // is only ever replaced
    auto file = open_map_file(type, cat({name, map_suffix(type)}), MapMode::write);
    ASSERT_TRUE(file);
    const std::string null(options.trailing_null == TrailingNull::without ? 0u : 1u, '\0');
    ASSERT_TRUE(*(*file)->put("a" + null, "longer" + null, true));
    ASSERT_TRUE((*file)->close());
    EXPECT_EQ(get(**table, "a"), "longer");
}

TEST_P(Db, StaysWhatItIsWhileItIsHeld) {
    build(type, name, {{"a", "1"}, {"b", "1"}}, options);
    auto table = MapTable::open(type, name, Fold::keep);
    const auto others_may_write = [&] {
        const auto fd = sys::RealFs::instance().open(cat({name, map_suffix(type)}), O_RDWR, 0);
        return sys::try_lock(fd->get(), sys::LockKind::exclusive).value();
    };
    (*table)->hold();
    EXPECT_EQ(get(**table, "a"), "1");
    EXPECT_EQ(others_may_write(), type == MapType::cdb) << "which is only ever replaced";
    build(type, name, {{"a", "2"}, {"b", "2"}}, options);
    wait_for_tick();
    EXPECT_EQ(get(**table, "b"), "1");
    (*table)->release();
    EXPECT_EQ(get(**table, "b"), "2");
    EXPECT_TRUE(others_may_write());
    // One that is gone: each lookup says so, and the next hold() tries again.
    unlink(cat({name, map_suffix(type)}).c_str());
    wait_for_tick();
    (*table)->hold();
    if (type != MapType::cdb) {  // of that the old file serves until the next tick
        EXPECT_TRUE((*table)->lookup("a").failed());
    }
    (*table)->release();
    build(type, name, {{"a", "3"}}, options);
    wait_for_tick();
    (*table)->hold();
    EXPECT_EQ(get(**table, "a"), "3");
    (*table)->release();
}

// A cdb file is read as a whole at some point.
TEST_P(Db, ManyKeysWhileItIsHeld) {
    std::map<std::string, std::string> entries;
    for (int i = 0; i < 100; ++i)
        entries.emplace("key" + std::to_string(i), std::string(100, 'v') + std::to_string(i));
    build(type, name, entries, options);
    auto table = MapTable::open(type, name, Fold::keep);
    for (int round = 0; round < 3; ++round) {
        (*table)->hold();
        for (const auto& [key, value] : entries) EXPECT_EQ(get(**table, key), value);
        EXPECT_EQ(get(**table, "none"), get(**table, "key100"));
        (*table)->release();
    }
}

TEST_P(Db, KeepsAndRemovesEntries) {
    build(type, name, {{"a", "1"}, {"b", "2"}}, options);
    auto keep = options;
    keep.keep_entries = true;
    auto builder = MapBuilder::start(type, name, keep);
    ASSERT_TRUE(builder);
    EXPECT_TRUE(*builder->remove("a"));
    EXPECT_FALSE(*builder->remove("none"));
    EXPECT_FALSE(*builder->put("b", "other", false));
    EXPECT_TRUE(*builder->put("c", "3", false));
    ASSERT_TRUE(builder->commit());
    auto table = open_table(type_name() + name);
    ASSERT_TRUE(table);
    std::map<std::string, std::string> all;
    ASSERT_TRUE((*table)->each([&](auto key, auto value) { all.emplace(key, value); }));
    EXPECT_EQ(all, (std::map<std::string, std::string>{{"b", "2"}, {"c", "3"}}));
}

INSTANTIATE_TEST_SUITE_P(
    Types, Db,
    testing::Combine(testing::Values(MapType::hash, MapType::btree, MapType::cdb, MapType::lmdb),
                     testing::Values(std::nullopt, TrailingNull::with, TrailingNull::without)));

TEST(DbFormat, HasOneTrailingNullByDefault) {
    const TestFiles files;
    build(MapType::hash, files.path("m"), {{"k", "v"}});
    auto file = open_map_file(MapType::hash, files.path("m.db"), MapMode::read);
    EXPECT_EQ(*(*file)->get(std::string_view("k\0", 2)), std::string_view("v\0", 2));
    EXPECT_TRUE((*file)->get("k").not_found());
}

TEST(CdbFormat, ManyEntriesAndDamage) {
    const TestFiles files;
    const auto name = files.path("m");
    std::map<std::string, std::string> entries;
    for (int i = 0; i < 5000; ++i) entries["key" + std::to_string(i)] = std::to_string(i * i);
    entries["long"] = std::string(100'000, 'v');
    build(MapType::cdb, name, entries);
    auto table = MapTable::open(MapType::cdb, name, Fold::keep);
    ASSERT_TRUE(table) << table.error().what;
    for (const auto& [key, value] : entries) ASSERT_EQ(get(**table, key), value);
    EXPECT_EQ(get(**table, "key5000"), "none");
    std::map<std::string, std::string> listed;
    ASSERT_TRUE((*table)->each([&](auto key, auto value) { listed.emplace(key, value); }));
    EXPECT_EQ(listed, entries);

    // Cut or overwritten anywhere, it fails or does not have the key, and nothing worse.
    std::ifstream in(name + ".cdb", std::ios::binary);
    const std::string whole((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    for (std::size_t size :
         {std::size_t{0}, std::size_t{100}, std::size_t{2047}, whole.size() / 2}) {
        files.write("cut.cdb", whole.substr(0, size));
        auto cut = MapTable::open(MapType::cdb, files.path("cut"), Fold::keep);
        if (cut) {
            EXPECT_NE(get(**cut, "long"), entries["long"]);
        }
    }
    for (std::size_t at = 0; at < 2048; at += 13) {
        std::string bad = whole;
        bad[at] = static_cast<char>(bad[at] ^ 0x55);
        files.write("bad.cdb", bad);
        auto table_of_bad = MapTable::open(MapType::cdb, files.path("bad"), Fold::keep);
        if (table_of_bad) (void)get(**table_of_bad, "key77");
    }
}

TEST(MapBuilder, LeavesTheOldTableUnlessCommitted) {
    const TestFiles files;
    const auto name = files.path("m");
    build(MapType::hash, name, {{"k", "old"}});
    {
        auto builder = MapBuilder::start(MapType::hash, name, {});
        ASSERT_TRUE(*builder->put("k", "new", true));
    }
    auto table = MapTable::open(MapType::hash, name, Fold::keep);
    EXPECT_EQ(get(**table, "k"), "old");
    EXPECT_FALSE(std::filesystem::exists(name + ".db.tmp"));
}

TEST(MapBuilder, SetsTheMode) {
    const TestFiles files;
    build(MapType::btree, files.path("m"), {{"k", "v"}}, {false, {}, 0600, {}, 0});
    struct stat st {};
    ASSERT_EQ(stat(files.path("m.db").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0600u);
}

TEST(MapBuilder, OneAtATime) {
    const TestFiles files;
    const auto name = files.path("m");
    build(MapType::hash, name, {{"n", "0"}});
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            auto builder = MapBuilder::start(MapType::hash, name, {true, {}, 0644, {}, 0});
            const bool ok =
                builder && builder->put("k" + std::to_string(i), "v", true) && builder->commit();
            _exit(ok ? 0 : 1);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = -1;
        waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    auto table = MapTable::open(MapType::hash, name, Fold::keep);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(get(**table, "k" + std::to_string(i)), "v");
}

TEST(MapTable, ErrorsNameTheFile) {
    const TestFiles files;
    auto missing = MapTable::open(MapType::hash, files.path("none"), Fold::keep);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().what,
              "open database " + files.path("none.db") + ": No such file or directory");
    files.write("junk.db", std::string(8192, 'x'));
    EXPECT_FALSE(MapTable::open(MapType::hash, files.path("junk"), Fold::keep));
    build(MapType::btree, files.path("tree"), {{"k", "v"}});
    EXPECT_FALSE(MapTable::open(MapType::hash, files.path("tree"), Fold::keep));
    EXPECT_EQ(buildable_type("hash"), MapType::hash);
    EXPECT_FALSE(buildable_type("regexp"));
}

}  // namespace
}  // namespace postern::table
