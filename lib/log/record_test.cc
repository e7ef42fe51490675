// Records: round trip, limits, and a reader that gets over whatever happened to the file.
#include "lib/log/record.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "lib/base/crc32c.h"

#include "lib/log/log.h"

namespace postern::log {
namespace {

Record sample(std::string text = "client=a[192.0.2.1]") {
    Record record;
    record.time = WallTime(Micros(1'234'567'890'123'456));
    record.pid = 4711;
    record.program = "postfix/smtpd";
    record.id = "4cXyzABC";
    record.text = std::move(text);
    record.fields = {{"rule", "smtpd_relay_restrictions permit_mynetworks"}, {"session", "s1"}};
    return record;
}

std::vector<std::string> texts(RecordScanner& scanner) {
    std::vector<std::string> found;
    while (auto record = scanner.next()) found.push_back(record->text);
    return found;
}

std::vector<std::string> texts(std::string_view bytes) {
    RecordScanner scanner(bytes, false);
    return texts(scanner);
}

TEST(Record, ComesBackAsItWas) {
    Record record = sample();
    record.level = 2;
    record.logged = false;
    const std::string bytes = encode(record);
    RecordScanner scanner(bytes, false);
    const auto read = scanner.next();
    ASSERT_TRUE(read);
    EXPECT_EQ(read->time, record.time);
    EXPECT_EQ(read->pid, record.pid);
    EXPECT_EQ(read->level, 2);
    EXPECT_FALSE(read->logged);
    EXPECT_EQ(read->program, record.program);
    EXPECT_EQ(read->id, record.id);
    EXPECT_EQ(read->text, record.text);
    EXPECT_EQ(read->fields, record.fields);
    EXPECT_EQ(read->field("session"), "s1");
    EXPECT_EQ(read->field("none"), "");
    EXPECT_FALSE(scanner.next());
    EXPECT_EQ(scanner.consumed(), bytes.size());
    EXPECT_EQ(scanner.skipped(), 0U);
}

// doc/formats/trace-records.md shows this one.
TEST(Record, HasTheDocumentedBytes) {
    Record record;
    record.time = WallTime(Micros(1));
    record.pid = 2;
    record.program = "p";
    record.id = "Q";
    record.text = "t";
    record.fields = {{"k", "v"}};
    const std::string bytes = encode(record);
    EXPECT_EQ(bytes.substr(0, 6), std::string("\xF7T\x01\x01\x19\x00", 6));
    EXPECT_EQ(bytes.substr(10), std::string("\x01\0\0\0\0\0\0\0"
                                            "\x02\0\0\0"
                                            "\x01p\x01Q\x01\0t\x01\x01k\x01\0v",
                                            25));
}

TEST(Record, NothingIsTooLongForIt) {
    Record record = sample(std::string(100'000, 'x'));
    record.program = std::string(300, 'p');
    record.id = std::string(300, 'i');
    record.fields = {
        {"big", std::string(100'000, 'y')}, {"small", "kept"}, {std::string(99, 'k'), "no"}};
    for (int i = 0; i < 100; ++i) record.fields.emplace_back("n", "1");
    const std::string bytes = encode(record);
    EXPECT_LE(bytes.size(), kMaxRecord);
    RecordScanner scanner(bytes, false);
    const auto read = scanner.next();
    ASSERT_TRUE(read);
    EXPECT_EQ(read->text.size(), 4096U);
    EXPECT_EQ(read->field("small"), "kept");
    EXPECT_EQ(read->field("big"), "");
    EXPECT_EQ(read->fields.size(), 32U);
}

TEST(RecordScanner, GetsOverARecordThatWasCut) {
    const std::string first = encode(sample("first")), second = encode(sample("second"));
    for (std::size_t cut = 0; cut < first.size(); ++cut) {
        const std::string bytes = first.substr(0, cut) + second;
        RecordScanner scanner(bytes, false);
        EXPECT_THAT(texts(scanner), testing::ElementsAre("second")) << cut;
        EXPECT_LE(scanner.skipped(), cut);
        EXPECT_EQ(scanner.skipped() > 0, cut > 0) << cut;
    }
}

TEST(RecordScanner, GetsOverAChangedByte) {
    const std::string first = encode(sample("first")), second = encode(sample("second"));
    for (std::size_t at = 0; at < first.size(); ++at) {
        std::string bytes = first + second;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x41);
        const auto found = texts(bytes);
        ASSERT_FALSE(found.empty()) << at;
        EXPECT_EQ(found.back(), "second") << at;
        EXPECT_LE(found.size(), 1U) << at;
    }
}

TEST(RecordScanner, TheHoleIsNoDamage) {
    const std::string first = encode(sample("first")), second = encode(sample("second"));
    const std::string bytes = std::string(10'000, '\0') + first.substr(20) + second;
    RecordScanner scanner(bytes, false);
    EXPECT_THAT(texts(scanner), testing::ElementsAre("second"));
    EXPECT_EQ(scanner.skipped(), 0U);
}

TEST(RecordScanner, OfAnotherVersionIsCountedAndPassedOver) {
    std::string other = encode(sample("other"));
    other[2] = 9;
    RecordScanner damaged(other, false);
    EXPECT_FALSE(damaged.next());
    EXPECT_EQ(damaged.foreign(), 0U) << "a wrong checksum is damage, whatever the version";
    const std::uint32_t crc = crc32c(other.substr(10), crc32c(other.substr(0, 6)));
    for (std::size_t i = 0; i < 4; ++i) other[6 + i] = static_cast<char>(crc >> (8 * i));
    std::string many;
    for (int i = 0; i < 100'000; ++i) many += other;
    many += encode(sample("ours"));
    RecordScanner scanner(many, false);
    EXPECT_THAT(texts(scanner), testing::ElementsAre("ours"));
    EXPECT_EQ(scanner.foreign(), 100'000U);
    EXPECT_EQ(scanner.skipped(), 0U);
}

TEST(RecordScanner, AnUnfinishedRecordWaitsForItsRest) {
    const std::string whole = encode(sample("late"));
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
        RecordScanner scanner(std::string_view(whole).substr(0, cut), true);
        EXPECT_FALSE(scanner.next());
        EXPECT_EQ(scanner.consumed(), 0U) << cut;
    }
}

TEST(RecordScanner, GarbageEndsSomeTime) {
    std::string bytes;
    for (std::uint32_t i = 0, x = 1; i < 200'000; ++i) {
        x = x * 1664525 + 1013904223;
        bytes += static_cast<char>(i % 7 == 0 ? 0xF7 : x >> 24);
    }
    RecordScanner scanner(bytes, false);
    EXPECT_FALSE(scanner.next());
    EXPECT_EQ(scanner.consumed(), bytes.size());
    EXPECT_GT(scanner.skipped(), 100'000U);
}

// --- What log:: writes

class Records : public testing::Test {
  protected:
    Records() {
        fd_ = ::mkstemp(name_);
        open_capture({.tag = "postfix/test"});
        open_records(Fd(::open(name_, O_WRONLY | O_APPEND | O_CLOEXEC)));
    }
    ~Records() override {
        open_records(Fd());
        open_stderr({});
        ::close(fd_);
        ::unlink(name_);
    }
    std::string bytes() const {
        std::string all(1 << 20, '\0');
        const ssize_t n = ::pread(fd_, all.data(), all.size(), 0);
        all.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return all;
    }

  private:
    char name_[32] = "records_test_XXXXXX";
    int fd_ = -1;
};

TEST_F(Records, KeepLinesThatHaveAnId) {
    info("", "connect from a");
    info("Q1", "client=a", {kv("rule", "r"), kv("empty", "")});
    debug("Q1", "detail");
    warning("Q1", "odd");
    story("Q1", "told to nobody else", {kv("until", 7)});
    story("", "about nothing");
    EXPECT_THAT(texts(bytes()), testing::ElementsAre("client=a", "odd", "told to nobody else"));
    const std::string all = bytes();
    RecordScanner scanner(all, false);
    const auto first = scanner.next();
    EXPECT_EQ(first->fields.size(), 1U);
    EXPECT_EQ(first->pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(scanner.next()->level, static_cast<int>(Level::warning));
    EXPECT_FALSE(scanner.next()->logged);
    EXPECT_EQ(take_captured(), "info connect from a\ninfo Q1: client=a\nwarning Q1: odd\n");
}

TEST_F(Records, OfManyProcessesStayWhole) {
    constexpr int kProcesses = 8, kEach = 200;
    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; ++i) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            for (int n = 0; n < kEach; ++n)
                story("Q", std::string(static_cast<std::size_t>(n), 'x'));
            ::_exit(0);
        }
        children.push_back(pid);
    }
    for (const pid_t pid : children) ::waitpid(pid, nullptr, 0);
    const std::string all = bytes();
    RecordScanner scanner(all, false);
    std::map<std::uint32_t, int> by_process;
    while (auto record = scanner.next()) {
        EXPECT_EQ(record->text.size(), static_cast<std::size_t>(by_process[record->pid]++));
    }
    EXPECT_EQ(by_process.size(), static_cast<std::size_t>(kProcesses));
    EXPECT_EQ(scanner.skipped(), 0U);
}

TEST_F(Records, AreGatheredOnRequest) {
    int waiting = 0;
    gather_records([&] { ++waiting; });
    story("Q1", "one");
    story("Q1", "two");
    EXPECT_EQ(bytes(), "");
    EXPECT_EQ(waiting, 1);
    const pid_t pid = ::fork();
    if (pid == 0) {
        flush_records();  // nothing of the parent's
        story("Q1", "child");
        ::_exit(0);
    }
    ::waitpid(pid, nullptr, 0);
    EXPECT_THAT(texts(bytes()), testing::ElementsAre("child"));
    flush_records();
    EXPECT_THAT(texts(bytes()), testing::ElementsAre("child", "one", "two"));
    for (int i = 0; i < 10; ++i) story("Q1", std::string(4000, 'x'));
    EXPECT_GT(bytes().size(), 16'000U) << "not without end";
    EXPECT_EQ(waiting, 3);
    gather_records(nullptr);
    EXPECT_EQ(texts(bytes()).size(), 13U);
    story("Q1", "at once");
    EXPECT_EQ(texts(bytes()).back(), "at once");
}

TEST_F(Records, AreNotMissedWhereNoneAreKept) {
    open_records(Fd());
    EXPECT_FALSE(records_kept());
    story("Q1", "x");
    info("Q1", "y");
    EXPECT_EQ(bytes(), "");
}

}  // namespace
}  // namespace postern::log
