// The fakes themselves: a crash test that passes because CrashFs loses nothing would be worthless.
#include <fcntl.h>

#include <gtest/gtest-spi.h>

#include "tests/support/crash_fs.h"
#include "tests/support/dialogue.h"
#include "tests/support/fake_clock.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::support {
namespace {

using Bytes = CrashFs::Bytes;
using Names = CrashFs::Names;

std::optional<std::string> contents(const std::string& path) {
    auto fd = sys::RealFs::instance().open(path, O_RDONLY, 0);
    if (!fd) return std::nullopt;
    return sys::RealFs::instance().read_at(fd->get(), 0, 1000).value();
}

std::optional<std::string> after_crash(const CrashFs& fs, std::size_t n, Bytes bytes, Names names,
                                       const std::string& path) {
    const TempFolder disk;
    fs.materialize(n, bytes, names, disk.path());
    return contents(disk / path);
}

TEST(CrashFs, LosesWhatWasNotSynced) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    const Fd fd = fs.open("a", O_RDWR | O_CREAT | O_EXCL, 0600).value();
    ASSERT_TRUE(fs.write(fd.get(), "abcd"));
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::dropped, Names::dropped, "a"), std::nullopt);
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::dropped, Names::kept, "a"), "");
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::kept, Names::kept, "a"), "abcd");
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::cut, Names::kept, "a"), "ab");
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::zeroed, Names::kept, "a"), std::string(4, '\0'));
    ASSERT_TRUE(fs.sync(fd.get()));
    ASSERT_TRUE(fs.write(fd.get(), "ef"));
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::dropped, Names::dropped, "a"), "abcd");
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::cut, Names::dropped, "a"), "abcde");
}

// All that a disk may hold after two unsynced writes and a change of a name, and nothing else.
TEST(CrashFs, TriesEveryCombinationOfWhatWasNotSynced) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    Fd fd = fs.open("a", O_WRONLY | O_CREAT, 0600).value();
    ASSERT_TRUE(fs.sync(fd.get()));
    ASSERT_TRUE(fs.write(fd.get(), "12"));
    ASSERT_TRUE(fs.write(fd.get(), "34"));
    ASSERT_TRUE(fs.rename("a", "b"));
    const std::string z(1, '\0');
    std::set<std::string> contents;
    for (const std::string& first : {std::string(), std::string("12"), "1" + z, z + z})
        for (const std::string& second :
             {std::string(), std::string("34"), std::string("3"), z + z}) {
            std::string both = first;
            if (!second.empty()) both = (both + z + z).substr(0, 2) + second;
            contents.insert(first == "1" + z && second.empty() ? "1" : both);
        }
    std::set<CrashFs::Image> expected;
    for (const std::string& text : contents)
        for (const char* name : {"a", "b"}) {
            CrashFs::Image image;
            image[name] = text;
            expected.insert(std::move(image));
        }
    const auto images = fs.images_after(fs.size(), {});
    EXPECT_EQ(std::set<CrashFs::Image>(images.begin(), images.end()), expected);
    std::set<std::string> seen;
    const auto look = [&](std::size_t, const std::string& disk) {
        const auto entries = RootedFs(disk).list(".").value();
        for (const auto& entry : entries) seen.insert(entry.name);
    };
    const std::size_t disks = fs.for_each_reordering([](const std::string&) {}, look);
    EXPECT_GT(disks, expected.size());
    EXPECT_EQ(seen, (std::set<std::string>{"a", "b"}));
}

TEST(CrashFs, SamplesWhatIsTooMuchToTry) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    for (int i = 0; i < 30; ++i) (void)fs.open("f" + std::to_string(i), O_WRONLY | O_CREAT, 0600);
    const auto images = fs.images_after(fs.size(), {.exhaustive = 64, .sample = 20, .seed = 3});
    EXPECT_EQ(images.size(), 28U);
    EXPECT_TRUE(std::any_of(images.begin(), images.end(), [](const auto& i) { return i.empty(); }));
    EXPECT_TRUE(
        std::any_of(images.begin(), images.end(), [](const auto& i) { return i.size() == 30; }));
    EXPECT_TRUE(std::any_of(images.begin(), images.end(),
                            [](const auto& i) { return i.size() > 5 && i.size() < 25; }));
    EXPECT_EQ(images, fs.images_after(fs.size(), {.exhaustive = 64, .sample = 20, .seed = 3}));
}

TEST(CrashFs, ARenameLastsOnceItsDirectoryIsSynced) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    ASSERT_TRUE(fs.make_directory("tmp", 0700));
    ASSERT_TRUE(fs.make_directory("new", 0700));
    const Fd fd = fs.open("tmp/m", O_RDWR | O_CREAT | O_EXCL, 0600).value();
    ASSERT_TRUE(fs.write(fd.get(), "x"));
    ASSERT_TRUE(fs.sync(fd.get()));
    ASSERT_TRUE(fs.rename("tmp/m", "new/m"));
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::dropped, Names::dropped, "tmp/m"), "x");
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::dropped, Names::kept, "new/m"), "x");
    ASSERT_TRUE(fs.sync_directory("new"));
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::dropped, Names::dropped, "new/m"), "x");
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::dropped, Names::dropped, "tmp/m"), std::nullopt);
}

TEST(CrashFs, AnUnsyncedRemovalMayComeBack) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    {
        const Fd fd = fs.open("a", O_RDWR | O_CREAT | O_EXCL, 0600).value();
        ASSERT_TRUE(fs.write(fd.get(), "old"));
        ASSERT_TRUE(fs.sync(fd.get()));
    }
    ASSERT_TRUE(fs.unlink("a"));
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::dropped, Names::dropped, "a"), "old");
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::dropped, Names::kept, "a"), std::nullopt);
    const Fd again = fs.open("b", O_RDWR | O_CREAT | O_EXCL, 0600).value();
    EXPECT_EQ(after_crash(fs, fs.size(), Bytes::dropped, Names::kept, "b"), "")
        << "not the old file's bytes";
}

TEST(CrashFs, KeepsMarksInOrder) {
    const TempFolder folder;
    CrashFs fs(folder.path());
    fs.note("one");
    ASSERT_TRUE(fs.make_directory("d", 0700));
    fs.note("two");
    EXPECT_EQ(fs.notes(2), std::vector<std::string>{"one"});
    EXPECT_EQ(fs.notes(3), (std::vector<std::string>{"one", "two"}));
}

TEST(FaultyFs, FailsOnceAndLeavesHalfAWrite) {
    const TempFolder folder;
    FaultyFs fs(folder.path(), 2);
    const Fd fd = fs.open("a", O_RDWR | O_CREAT, 0600).value();
    const auto written = fs.write(fd.get(), "abcd");
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::no_space);
    EXPECT_EQ(contents(folder / "a"), "ab");
    EXPECT_TRUE(fs.write(fd.get(), "x"));
    EXPECT_TRUE(fs.fired());
}

// A dialogue with a server that says these lines; what it was sent.
std::string played(std::string_view script, std::vector<std::string> says) {
    Dialogue dialogue;
    std::string sent;
    std::size_t next = 0;
    (void)dialogue.play(
        script, [&](std::string_view bytes) { sent += bytes; },
        [&] { return next < says.size() ? says[next++] + "\r\n" : ""; });
    EXPECT_EQ(next, says.size()) << "all was heard";
    return sent;
}

TEST(Dialogue, NamesWhatItHeardAndCountsLiterals) {
    EXPECT_EQ(played(R"(
        C: A1 FETCH 1
              (UID)
        // whatever it is
        S: * 1 FETCH (UID <<uid>> FLAGS (...))
        S: ...
        S: A1 OK ...
        C: A2 APPEND <<uid>> {#}
        S: + ...
        C: Subject: x
        C:
        C: text
        C: (\Seen) {#+}
        C: ab
        C: )
        S: A2 OK [APPENDUID <<uid>>])",
                     {"* 1 FETCH (UID 17 FLAGS (\\Seen))", "* 2 EXPUNGE", "", "A1 OK Done.",
                      "+ go on", "A2 OK [APPENDUID 17]"}),
              "A1 FETCH 1 (UID)\r\nA2 APPEND 17 {20}\r\nSubject: x\r\n\r\ntext\r\n"
              "(\\Seen) {4+}\r\nab\r\n)\r\n");
}

TEST(Dialogue, SaysWhatDiffers) {
    EXPECT_NONFATAL_FAILURE(played("S: a\nS: b", {"a", "c"}), "line 2 of the script: expected");
    EXPECT_NONFATAL_FAILURE(played("S: a\nS: b", {"a"}), "nothing");
    EXPECT_NONFATAL_FAILURE(played("S: ...\nS: b", {"a"}), "nothing");
    EXPECT_NONFATAL_FAILURE(played("C: <<x>>", {}), "nothing is named <<x>>");
    EXPECT_NONFATAL_FAILURE(played("S: <<x>>\nS: <<x>>", {"1", "2"}), "line 2");
}

TEST(Dialogue, Patterns) {
    std::map<std::string, std::string, std::less<>> values;
    EXPECT_TRUE(
        line_matches("* OK [COPYUID <<v>> 1:2 <<set>>] ...", "* OK [COPYUID 7 1:2 3:4] x", values));
    EXPECT_EQ(values["v"], "7");
    EXPECT_EQ(values["set"], "3:4");
    EXPECT_FALSE(line_matches("<<v>>", "8", values));
    EXPECT_FALSE(line_matches("<<new>>", "a b", values)) << "one word";
    EXPECT_FALSE(line_matches("<<new>>x", "x", values)) << "not empty";
    EXPECT_FALSE(values.contains("new"));
    EXPECT_TRUE(line_matches("...b", "abab", values));
    EXPECT_FALSE(line_matches("a", "ab", values));
    EXPECT_FALSE(line_matches("ab", "a", values));
    EXPECT_TRUE(line_matches("", "", values));
}

TEST(FakeClock, MovesWhenTold) {
    FakeClock clock;
    const Deadline deadline = Deadline::in(Millis(10), clock);
    EXPECT_FALSE(deadline.passed());
    clock.advance(Millis(10));
    EXPECT_TRUE(deadline.passed());
}

}  // namespace
}  // namespace postern::support
