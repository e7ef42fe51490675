// The mbox file that is changed in place: headers, cutting, rewriting, and the power cut.
#include "lib/mailbox/mbox_file.h"

#include <fcntl.h>

#include "lib/base/strings.h"
#include "tests/support/crash_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kFrom = "From a@x.example Wed Jul 17 02:23:25 1996\n";

std::string message_of(const std::string& name, std::size_t size = 0) {
    return cat(
        {kFrom, "Subject: ", name, "\n\n", std::string(size, 'x'), "body of ", name, "\n\n"});
}

TEST(MboxText, FieldsFitIntoTheirPlaceWhereTheyCan) {
    const std::string bare = kFrom + "Subject: x\n\n";
    const std::string once = with_fields(bare, {kSeen, {"Work"}, 7, ""}, false);
    EXPECT_THAT(once, StartsWith(kFrom + "Subject: x\nX-UID: 7\nStatus: RO\nX-Status: \n"
                                         "X-Keywords: Work "));
    EXPECT_TRUE(once.ends_with("\n\n"));
    const std::string again =
        with_fields(once, {kSeen | kAnswered | kDeleted, {"Work", "$Junk"}, 7, ""}, false);
    EXPECT_EQ(again.size(), once.size());
    EXPECT_THAT(again, HasSubstr("X-Status: AD\nX-Keywords: Work $Junk"));
    const std::string longer = with_fields(again, {0, {std::string(90, 'k')}, 7, ""}, false);
    EXPECT_GT(longer.size(), again.size());
    EXPECT_EQ(with_fields(longer, {0, {}, 7, ""}, false).size(), longer.size());
}

TEST(MboxText, HeadersOfAllShapes) {
    const struct {
        std::string header, want;
    } cases[] = {
        {"From a\r\nSubject: x\r\nStatus: O\r\n\r\n",
         "From a\r\nSubject: x\r\nX-UID: 1\r\nStatus: RO\r\n"},
        {"From a\n\n", "From a\nX-UID: 1\nStatus: RO\n"},
        {"From a\nSubject: without an end", "From a\nSubject: without an end\nX-UID: 1\n"},
        {"From a\nX-Keywords: a\n b\n\tc\nTo: x\n\n", "From a\nTo: x\nX-UID: 1\nStatus: RO\n"},
        {"From a\nX-UID: 99\nx-imapBASE: 5 6\nTo: x\n\n", "From a\nTo: x\nX-UID: 1\n"},
    };
    for (const auto& c : cases) {
        const std::string made = with_fields(c.header, {kSeen, {}, 1, ""}, false);
        EXPECT_THAT(made, StartsWith(c.want));
        EXPECT_EQ(header_size_of(made), made.size()) << "one header";
    }
}

TEST(MboxText, TheFolderInternalMessageKeepsItsFields) {
    const std::string header = kFrom +
                               "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL "
                               "DATA\nX-IMAP: 0846543200 0000000012\nStatus: RO\n\n";
    const std::string made = with_fields(header, {0, {}, 0, "0846543200 0000000013"}, true);
    EXPECT_EQ(made.size(), header.size());
    EXPECT_THAT(made, HasSubstr("X-IMAP: 0846543200 0000000013\nStatus: RO\n"));
}

TEST(MboxText, Numbers) {
    const struct {
        std::string base;
        bool good;
    } cases[] = {{"1 0", true},
                 {"0846543200 0000000012 Work", true},
                 {"", false},
                 {"5", false},
                 {"0 5", false},
                 {"5 4294967295", false},
                 {"99999999999 1", false},
                 {"a b", false}};
    for (const auto& c : cases) EXPECT_EQ(numbers_of_base(c.base).has_value(), c.good) << c.base;
    EXPECT_EQ(format_base({846543200, 12}, {"Work"}), "0846543200 0000000012 Work");
}

TEST(MboxText, TheHashIsOfTheMessageOnly) {
    const std::string plain = "Subject: x\n\nStatus: R\n";
    EXPECT_EQ(mbox_hash(plain), mbox_hash("Subject: x\r\n\r\nStatus: R"));
    EXPECT_EQ(mbox_hash(plain),
              mbox_hash("Status: RO\nSubject: x\nContent-Length: 7\n\nStatus: R\n"));
    EXPECT_NE(mbox_hash(plain), mbox_hash("Subject: x\n\nStatus: O\n"));
    EXPECT_EQ(mbox_hash(plain).size(), 32U);
}

class MboxFile : public testing::Test {
  protected:
    void write(const std::string& text) {
        const Fd file = open(O_WRONLY | O_CREAT | O_TRUNC);
        ASSERT_TRUE(fs_.write(file.get(), text));
    }
    Fd open(int flags) { return fs_.open("mbox", flags, 0600).value(); }
    std::string text() {
        const Fd file = open(O_RDONLY);
        return fs_.read_at(file.get(), 0, 64 << 20).value();
    }
    Result<void> rewrite(const std::vector<std::size_t>& remove, const std::string& add = "") {
        const Fd file = open(O_RDWR);
        const auto entries = read_mbox(fs_, file.get()).value();
        std::vector<MboxEdit> edits(entries.size());
        for (const std::size_t i : remove) edits[i].remove = true;
        MboxAdditions additions;
        if (!add.empty()) additions.push_back([add]() -> Result<std::string> { return add; });
        return rewrite_mbox(fs_, file.get(), "own/journal", entries, edits, additions);
    }

    support::TempFolder folder_;
    support::RootedFs fs_{folder_.path()};
    void SetUp() override { ASSERT_TRUE(fs_.make_directory("own", 0700)); }
};

TEST_F(MboxFile, IsCutWhereverTheReadsFall) {
    // Boundaries before, at and behind the size of one read.
    for (const std::size_t size :
         {0U, 1'048'400U, 1'048'480U, 1'048'500U, 1'048'520U, 3'000'000U}) {
        write(message_of("one", size) + message_of("two") + message_of("three", 10));
        const Fd file = open(O_RDONLY);
        std::vector<std::string> subjects;
        const auto entries =
            read_mbox(fs_, file.get(), [&](const MboxEntry&, const MboxMessage& m) -> Result<void> {
                subjects.push_back(m.text.substr(0, m.text.find('\n')));
                return {};
            });
        ASSERT_TRUE(entries) << entries.error().what;
        EXPECT_THAT(subjects, ElementsAre("Subject: one", "Subject: two", "Subject: three"));
        EXPECT_EQ(entries->back().offset + entries->back().size, text().size());
        EXPECT_EQ(read_mbox_message(fs_, file.get(), (*entries)[1])->text,
                  "Subject: two\n\nbody of two\n");
    }
}

TEST_F(MboxFile, WhatIsNoMboxIsLeftAlone) {
    for (const char* bad : {"Subject: x\n\n", "\n", "from a\n", "From", "\xff\xfe"}) {
        write(bad);
        const Fd file = open(O_RDONLY);
        EXPECT_EQ(read_mbox(fs_, file.get()).error().code, Errc::corrupt) << bad;
    }
    write("");
    const Fd file = open(O_RDONLY);
    EXPECT_TRUE(read_mbox(fs_, file.get())->empty());
}

TEST_F(MboxFile, MessagesGoAndCome) {
    const std::string a = message_of("a", 700), b = message_of("b"), c = message_of("c", 300'000);
    const struct {
        std::vector<std::size_t> remove;
        std::string add, want;
    } cases[] = {
        {{}, "", a + b + c}, {{0}, "", b + c},       {{1}, "", a + c},    {{2}, "", a + b},
        {{0, 1, 2}, "", ""}, {{}, b, a + b + c + b}, {{0}, a, b + c + a}, {{0, 1, 2}, b, b},
    };
    for (const auto& one : cases) {
        write(a + b + c);
        const auto done = rewrite(one.remove, one.add);
        ASSERT_TRUE(done) << done.error().what;
        EXPECT_TRUE(text() == one.want) << text().size();
        EXPECT_EQ(fs_.info("own/journal").error().code, Errc::not_found);
        EXPECT_EQ(fs_.info("own/journal.new").error().code, Errc::not_found);
    }
}

TEST_F(MboxFile, WhatFollowsIsSeparated) {
    for (const char* end : {"", "\n", "\n\n"}) {
        write(kFrom + "Subject: x\n\nlast" + end);
        ASSERT_TRUE(rewrite({}, message_of("b")));
        const Fd file = open(O_RDONLY);
        EXPECT_EQ(read_mbox(fs_, file.get())->size(), 2U);
    }
}

// Power cuts while messages go, headers grow, and messages come: afterwards the file has what it
// had before, or after.
TEST(MboxFileCrash, AnInterruptedChangeIsCarriedOut) {
    const std::string a = message_of("a", 1500), b = message_of("b", 900), c = message_of("c", 40);
    const struct {
        std::vector<std::size_t> remove;
        bool add;
        std::string after;
    } cases[] = {{{0}, false, b + c},
                 {{}, true, a + b + c + a},
                 {{1}, true, a + c + a},
                 {{0, 1}, true, c + a}};
    for (const auto& one : cases) {
        const support::TempFolder folder;
        support::CrashFs fs(folder.path());
        ASSERT_TRUE(fs.make_directory("own", 0700));
        const Fd file = fs.open("mbox", O_RDWR | O_CREAT, 0600).value();
        ASSERT_TRUE(fs.write(file.get(), a + b + c));
        ASSERT_TRUE(fs.sync(file.get()));
        ASSERT_TRUE(fs.sync_directory("."));
        const std::size_t begin = fs.size();
        const auto entries = read_mbox(fs, file.get()).value();
        std::vector<MboxEdit> edits(entries.size());
        for (const std::size_t i : one.remove) edits[i].remove = true;
        MboxAdditions additions;
        if (one.add) additions.push_back([&]() -> Result<std::string> { return a; });
        ASSERT_TRUE(rewrite_mbox(fs, file.get(), "own/journal", entries, edits, additions));
        fs.note("done");
        std::size_t looked = 0;
        fs.for_each_crash(
            [](const std::string&) {},
            [&](std::size_t n, const std::string& disk) {
                if (n < begin) return;
                support::RootedFs left(disk);
                const auto opened = left.open("mbox", O_RDWR, 0);
                ASSERT_TRUE(opened);
                // Delivered after the cut, by somebody who knows nothing of the journal.
                for (const bool delivered : {true, false}) {
                    if (delivered && n % 2 == 0) continue;
                    const auto size = left.info(opened->get())->size;
                    const auto put = delivered
                                         ? left.write_at(opened->get(), size, message_of("new"))
                                         : Result<void>();
                    ASSERT_TRUE(put);
                    const auto how = recover_mbox(left, opened->get(), "own/journal");
                    ASSERT_TRUE(how) << how.error().what;
                    EXPECT_TRUE(*how != MboxRecovery::given_up) << "crash at " << n;
                    const std::string text = left.read_at(opened->get(), 0, 1 << 20).value();
                    const std::string more = delivered ? message_of("new") : "";
                    const bool is_old = text == a + b + c + more;
                    const bool is_new = text == one.after + more;
                    EXPECT_TRUE(is_new || (is_old && fs.notes(n).empty()))
                        << "crash at " << n << ", " << text.size();
                    ++looked;
                    break;
                }
            });
        EXPECT_GT(looked, 20U);
    }
}

TEST_F(MboxFile, AJournalIsNotForAnotherFile) {
    const std::string a = message_of("a", 1500), b = message_of("b", 900);
    write(a + b);
    // A journal that was not acted upon: the rewriting is stopped behind it.
    class Stopping final : public support::RootedFs {
      public:
        using RootedFs::RootedFs;
        Result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes) override {
            if (info(fd)->inode == mbox) return Error{Errc::temporary, "stopped", 0};
            return RootedFs::write_at(fd, offset, bytes);
        }
        std::uint64_t mbox = 0;
    };
    Stopping stopping(folder_.path());
    stopping.mbox = stopping.info("mbox")->inode;
    {
        const Fd file = open(O_RDWR);
        const auto entries = read_mbox(fs_, file.get()).value();
        std::vector<MboxEdit> edits(2);
        edits[0].remove = true;
        EXPECT_FALSE(rewrite_mbox(stopping, file.get(), "own/journal", entries, edits, {}));
    }
    ASSERT_TRUE(fs_.info("own/journal"));
    // Another program's idea of the file, in the meantime.
    const std::string theirs = b + "not what was there";
    write(theirs);
    const Fd file = open(O_RDWR);
    EXPECT_EQ(*recover_mbox(fs_, file.get(), "own/journal"), MboxRecovery::given_up);
    EXPECT_EQ(text(), theirs);
    EXPECT_EQ(*recover_mbox(fs_, file.get(), "own/journal"), MboxRecovery::none);
}

TEST_F(MboxFile, ADamagedJournalIsNotActedUpon) {
    write(message_of("a"));
    const std::string before = text();
    const Fd file = open(O_RDWR);
    for (const std::string& bytes :
         {std::string(), std::string("PSTNMBX1"), "PSTNMBX1" + std::string(100, '\0'),
          std::string(4096, '\xff')}) {
        const Fd journal = fs_.open("own/journal", O_WRONLY | O_CREAT | O_TRUNC, 0600).value();
        ASSERT_TRUE(fs_.write(journal.get(), bytes));
        EXPECT_EQ(*recover_mbox(fs_, file.get(), "own/journal"), MboxRecovery::none);
        EXPECT_EQ(text(), before);
    }
}

}  // namespace
}  // namespace postern::mailbox
