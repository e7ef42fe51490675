// postern.log: records as they were written, whatever stands behind them.
#include "lib/mailbox/change_log.h"

#include <filesystem>
#include <fstream>

#include "lib/base/strings.h"
#include "lib/sys/fs.h"
#include "tests/support/temp_folder.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;

// Writes down what it hears.
class Ear final : public ChangeSink {
  public:
    std::vector<std::string> heard;

    void on_new(const NewMessage& m, std::uint64_t modseq) override {
        say({"new ", n(m.uid), " ", m.name, " f", n(m.flags), " p", n(m.place), " k", n(m.keywords),
             " @", n(modseq)});
    }
    void on_flags(const FlagChange& c, UidRange uids, std::uint64_t modseq) override {
        say({"flags ", n(uids.first), "-", n(uids.last), " +", n(c.add), " -", n(c.remove), " +",
             n(c.add_keywords), " -", n(c.remove_keywords), " @", n(modseq)});
    }
    void on_expunge(UidRange uids, std::uint64_t modseq) override {
        say({"expunge ", n(uids.first), "-", n(uids.last), " @", n(modseq)});
    }
    void on_name(std::uint32_t uid, std::uint8_t place, std::string_view name) override {
        say({"name ", n(uid), " p", n(place), " ", name});
    }
    void on_keyword(unsigned bit, std::string_view name) override {
        say({"keyword ", n(bit), " ", name});
    }
    void on_seen(const SeenState& seen) override { say({"seen ", n(seen.uids_size)}); }
    void on_numbers(std::uint32_t next, std::uint32_t recent) override {
        say({"numbers ", n(next), " ", n(recent)});
    }

  private:
    static std::string n(std::uint64_t number) { return std::to_string(number); }
    void say(std::initializer_list<std::string_view> words) { heard.push_back(cat(words)); }
};

ChangeWriter everything() {
    ChangeWriter out;
    out.keyword(1, "Work");
    out.numbers(9, 8);
    SeenState seen{};
    seen.uids_size = 77;
    out.seen(seen);
    NewMessage m;
    m.uid = 5;
    m.flags = 31;
    m.place = place::kNew | place::kGone;  // bits of a session are not written
    m.keywords = 3;
    m.name = "a:2,S";
    out.add(m);
    m.uid = 6;
    m.modseq = 4;
    out.add(m);
    const std::vector<std::uint32_t> uids{1, 2, 3, 7, 9, 10};
    out.flags({1, 2, 4, 8}, to_ranges(uids));
    out.expunge(to_ranges(std::vector<std::uint32_t>{3, 4}));
    out.name(5, 0, "a:2,");
    return out;
}

const std::vector<std::string> kAll{"keyword 1 Work",
                                    "numbers 9 8",
                                    "seen 77",
                                    "new 5 a:2,S f31 p1 k3 @12",
                                    "new 6 a:2,S f31 p1 k3 @4",
                                    "flags 1-3 +1 -2 +4 -8 @12",
                                    "flags 7-7 +1 -2 +4 -8 @12",
                                    "flags 9-10 +1 -2 +4 -8 @12",
                                    "expunge 3-4 @12",
                                    "name 5 p0 a:2,"};

TEST(Changes, AreReadAsTheyWereWritten) {
    Ear ear;
    EXPECT_TRUE(read_changes(everything().payload(), 12, ear));
    EXPECT_EQ(ear.heard, kAll);
}

TEST(Changes, CutAnywhereTheyAreNotUnderstoodToTheEnd) {
    const std::string payload = everything().payload();
    std::size_t whole = 0;  // cuts between two records
    for (std::size_t size = 0; size < payload.size(); ++size) {
        Ear ear;
        if (read_changes(std::string_view(payload).substr(0, size), 12, ear)) ++whole;
        EXPECT_LE(ear.heard.size(), kAll.size());
    }
    EXPECT_EQ(whole, 8U);  // nothing, and behind each of the eight records but the last
}

TEST(Changes, NonsenseIsRefused) {
    Ear ear;
    EXPECT_FALSE(read_changes(std::string(1, '\x63'), 1, ear)) << "unknown kind";
    ChangeWriter backwards;
    backwards.flags({1, 0, 0, 0}, std::vector<UidRange>{{9, 3}});
    EXPECT_FALSE(read_changes(backwards.payload(), 1, ear));
    ChangeWriter expunge;
    expunge.expunge(std::vector<UidRange>{{1, 2}});
    std::string damaged = expunge.payload();
    damaged[1] ^= 1;  // the second mark
    EXPECT_FALSE(read_changes(damaged, 1, ear));
    EXPECT_TRUE(ear.heard.empty());
}

TEST(Ranges, OfAscendingUids) {
    const auto text = [](std::vector<std::uint32_t> uids) {
        std::string out;
        for (const auto& range : to_ranges(uids))
            out += cat({std::to_string(range.first), "-", std::to_string(range.last), " "});
        return out;
    };
    EXPECT_EQ(text({}), "");
    EXPECT_EQ(text({4}), "4-4 ");
    EXPECT_EQ(text({1, 2, 3, 5, 7, 8}), "1-3 5-5 7-8 ");
}

class LogTest : public testing::Test {
  protected:
    ChangeLog log() { return ChangeLog(sys::RealFs::instance(), folder_.path()); }
    // A log with one transaction, then one for each further payload.
    void write(const std::vector<std::string>& payloads) {
        ChangeLog writer = log();
        ASSERT_TRUE(writer.replace(7, 99, payloads.front(), 10));
        for (std::size_t i = 1; i < payloads.size(); ++i)
            ASSERT_TRUE(writer.append(payloads[i], 10 + i, i == 1));
    }
    static std::string keyword(unsigned bit, std::string_view name) {
        ChangeWriter out;
        out.keyword(bit, name);
        return out.payload();
    }
    std::string bytes() {
        std::ifstream file(folder_ / "postern.log", std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void put(const std::string& bytes) {
        std::ofstream(folder_ / "postern.log", std::ios::binary | std::ios::trunc) << bytes;
    }

    support::TempFolder folder_;
};

TEST_F(LogTest, IsFollowed) {
    write({keyword(1, "a")});
    ChangeLog reader = log();
    Ear ear;
    EXPECT_EQ(*reader.follow(ear), ChangeLog::Followed::replaced) << "never read before";
    EXPECT_EQ(*reader.restart(ear), ChangeLog::Followed::news);
    EXPECT_EQ(reader.validity(), 7U);
    EXPECT_EQ(reader.modseq(), 10U);
    EXPECT_EQ(*reader.follow(ear), ChangeLog::Followed::nothing);
    ChangeLog writer = log();
    ASSERT_EQ(*writer.restart(ear), ChangeLog::Followed::news);
    ASSERT_TRUE(writer.append(keyword(2, "b"), 11, true));
    ear.heard.clear();
    EXPECT_EQ(*reader.follow(ear), ChangeLog::Followed::news);
    EXPECT_THAT(ear.heard, ElementsAre("keyword 2 b"));
    EXPECT_EQ(*writer.follow(ear), ChangeLog::Followed::nothing) << "its own";
    ASSERT_TRUE(writer.replace(7, 100, keyword(1, "c"), 12));
    EXPECT_EQ(*reader.follow(ear), ChangeLog::Followed::replaced);
    ChangeLog resumed = log();
    resumed.resume(writer.generation(), writer.offset());
    EXPECT_EQ(*resumed.follow(ear), ChangeLog::Followed::nothing);
    ChangeLog elsewhere = log();
    elsewhere.resume(99, writer.offset());
    EXPECT_EQ(*elsewhere.follow(ear), ChangeLog::Followed::replaced) << "another generation";
}

TEST_F(LogTest, MissingOrNotALog) {
    Ear ear;
    ChangeLog none = log();
    EXPECT_EQ(*none.follow(ear), ChangeLog::Followed::missing);
    for (const std::string& text :
         {std::string(), std::string("postern-log 1 5\n"), std::string(40, '\0')}) {
        put(text);
        ChangeLog reader = log();
        EXPECT_EQ(*reader.follow(ear), ChangeLog::Followed::missing) << text;
        EXPECT_EQ(*reader.restart(ear), ChangeLog::Followed::missing) << text;
    }
    EXPECT_TRUE(ear.heard.empty());
}

// Cut anywhere, or with any byte changed: what is read is a beginning of what was written.
TEST_F(LogTest, DamageEndsTheReading) {
    write({keyword(1, "a"), keyword(2, "b"), keyword(3, "c")});
    const std::string good = bytes();
    const std::vector<std::string> all{"keyword 1 a", "keyword 2 b", "keyword 3 c"};
    const auto expect_beginning = [&](const std::string& what) {
        ChangeLog reader = log();
        Ear ear;
        ASSERT_TRUE(reader.restart(ear));
        ASSERT_LE(ear.heard.size(), all.size()) << what;
        EXPECT_TRUE(std::equal(ear.heard.begin(), ear.heard.end(), all.begin())) << what;
        const bool whole = ear.heard.size() == all.size();
        EXPECT_FALSE(whole && bytes() != good) << what;
    };
    for (std::size_t size = 0; size < good.size(); ++size) {
        put(good.substr(0, size));
        expect_beginning("cut at " + std::to_string(size));
    }
    for (std::size_t at = 0; at < good.size(); ++at) {
        std::string damaged = good;
        damaged[at] = static_cast<char>(damaged[at] ^ 4);
        put(damaged);
        expect_beginning("damaged at " + std::to_string(at));
    }
}

TEST_F(LogTest, ATornTailIsKnown) {
    write({keyword(1, "a")});
    put(bytes() + "half a fra");
    ChangeLog reader = log();
    Ear ear;
    ASSERT_EQ(*reader.restart(ear), ChangeLog::Followed::news);
    EXPECT_TRUE(reader.torn());
    ASSERT_TRUE(reader.replace(7, 101, keyword(1, "a"), 10));
    EXPECT_FALSE(reader.torn());
}

}  // namespace
}  // namespace postern::mailbox
