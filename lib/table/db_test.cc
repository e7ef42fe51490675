#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/table/db_builder.h"
#include "lib/table/db_file.h"
#include "lib/table/db_table.h"
#include "lib/table/registry.h"
#include "lib/table/test_files.h"

namespace postern::table {
namespace {

void build(DbType type, const std::string& name, const std::map<std::string, std::string>& entries,
           DbBuilder::Options options = {}) {
    auto builder = DbBuilder::start(type, name, options);
    ASSERT_TRUE(builder) << builder.error().what;
    for (const auto& [key, value] : entries) ASSERT_TRUE(*builder->put(key, value, true));
    ASSERT_TRUE(builder->commit());
}

std::string get(Table& table, std::string_view key) {
    auto found = table.lookup(key);
    return found.found() ? *found : found.failed() ? "FAILED " + found.error().what : "none";
}

class Db : public testing::TestWithParam<std::tuple<DbType, std::optional<TrailingNull>>> {
  protected:
    TestFiles files;
    const std::string name = files.path("map");
    const DbType type = std::get<0>(GetParam());
    const DbBuilder::Options options{false, std::get<1>(GetParam()), 0644, {}};
};

TEST_P(Db, IsReadAsBuilt) {
    build(type, name, {{"a", "1"}, {"b@x.test", "2 3"}}, options);
    auto table = DbTable::open(type, name, Fold::lower);
    ASSERT_TRUE(table) << table.error().what;
    EXPECT_EQ(get(**table, "none"), "none");
    EXPECT_EQ(get(**table, "a"), "1");
    EXPECT_EQ(get(**table, "B@X.test"), "2 3");
    EXPECT_EQ(get(**table, "none"), "none");
    EXPECT_EQ(get(**table, ""), "none");
    EXPECT_EQ(get(**table, std::string(kMaxKeySize + 1, 'a')), "none");
}

TEST_P(Db, IsOpenedAgainWhenReplaced) {
    build(type, name, {{"a", "1"}}, options);
    auto table = DbTable::open(type, name, Fold::keep);
    EXPECT_EQ(get(**table, "a"), "1");
    build(type, name, {{"a", "2"}}, options);
    EXPECT_EQ(get(**table, "a"), "2");
    unlink((name + ".db").c_str());
    EXPECT_TRUE((*table)->lookup("a").failed());
    build(type, name, {{"a", "3"}}, options);
    EXPECT_EQ(get(**table, "a"), "3");
}

TEST_P(Db, IsOpenedAgainWhenChangedInPlace) {
    build(type, name, {{"a", "1"}}, options);
    auto table = DbTable::open(type, name, Fold::keep);
    EXPECT_EQ(get(**table, "a"), "1");
    auto file = DbFile::open(type, name + ".db", DbFile::Mode::write);
    ASSERT_TRUE(file);
    const std::string null(options.trailing_null == TrailingNull::without ? 0u : 1u, '\0');
    ASSERT_TRUE(*file->put("a" + null, "longer" + null, true));
    ASSERT_TRUE(file->close());
    EXPECT_EQ(get(**table, "a"), "longer");
}

TEST_P(Db, KeepsAndRemovesEntries) {
    build(type, name, {{"a", "1"}, {"b", "2"}}, options);
    auto keep = options;
    keep.keep_entries = true;
    auto builder = DbBuilder::start(type, name, keep);
    ASSERT_TRUE(builder);
    EXPECT_TRUE(*builder->remove("a"));
    EXPECT_FALSE(*builder->remove("none"));
    EXPECT_FALSE(*builder->put("b", "other", false));
    EXPECT_TRUE(*builder->put("c", "3", false));
    ASSERT_TRUE(builder->commit());
    auto table = open_table((type == DbType::hash ? "hash:" : "btree:") + name);
    ASSERT_TRUE(table);
    std::map<std::string, std::string> all;
    ASSERT_TRUE((*table)->each([&](auto key, auto value) { all.emplace(key, value); }));
    EXPECT_EQ(all, (std::map<std::string, std::string>{{"b", "2"}, {"c", "3"}}));
}

INSTANTIATE_TEST_SUITE_P(Types, Db,
                         testing::Combine(testing::Values(DbType::hash, DbType::btree),
                                          testing::Values(std::nullopt, TrailingNull::with,
                                                          TrailingNull::without)));

TEST(DbFormat, HasOneTrailingNullByDefault) {
    const TestFiles files;
    build(DbType::hash, files.path("m"), {{"k", "v"}});
    auto file = DbFile::open(DbType::hash, files.path("m.db"), DbFile::Mode::read);
    EXPECT_EQ(*file->get(std::string_view("k\0", 2)), std::string_view("v\0", 2));
    EXPECT_TRUE(file->get("k").not_found());
}

TEST(DbBuilder, LeavesTheOldTableUnlessCommitted) {
    const TestFiles files;
    const auto name = files.path("m");
    build(DbType::hash, name, {{"k", "old"}});
    {
        auto builder = DbBuilder::start(DbType::hash, name, {});
        ASSERT_TRUE(*builder->put("k", "new", true));
    }
    auto table = DbTable::open(DbType::hash, name, Fold::keep);
    EXPECT_EQ(get(**table, "k"), "old");
    EXPECT_FALSE(std::filesystem::exists(name + ".db.tmp"));
}

TEST(DbBuilder, SetsTheMode) {
    const TestFiles files;
    build(DbType::btree, files.path("m"), {{"k", "v"}}, {false, {}, 0600, {}});
    struct stat st {};
    ASSERT_EQ(stat(files.path("m.db").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0600u);
}

TEST(DbBuilder, OneAtATime) {
    const TestFiles files;
    const auto name = files.path("m");
    build(DbType::hash, name, {{"n", "0"}});
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            auto builder = DbBuilder::start(DbType::hash, name, {true, {}, 0644, {}});
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
    auto table = DbTable::open(DbType::hash, name, Fold::keep);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(get(**table, "k" + std::to_string(i)), "v");
}

TEST(DbTable, ErrorsNameTheFile) {
    const TestFiles files;
    auto missing = DbTable::open(DbType::hash, files.path("none"), Fold::keep);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().what,
              "open database " + files.path("none.db") + ": No such file or directory");
    files.write("junk.db", std::string(8192, 'x'));
    EXPECT_FALSE(DbTable::open(DbType::hash, files.path("junk"), Fold::keep));
    build(DbType::btree, files.path("tree"), {{"k", "v"}});
    EXPECT_FALSE(DbTable::open(DbType::hash, files.path("tree"), Fold::keep));
    EXPECT_EQ(buildable_type("hash"), DbType::hash);
    EXPECT_FALSE(buildable_type("regexp"));
}

}  // namespace
}  // namespace postern::table
