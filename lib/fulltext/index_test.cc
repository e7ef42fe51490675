#include "lib/fulltext/index.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "lib/sys/file.h"
#include "tests/support/temp_folder.h"

namespace postern::fulltext {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t kValidity = 17;

class FulltextIndex : public ::testing::Test {
  protected:
    IndexWriter writer(std::uint32_t validity = kValidity, std::uint32_t messages = 1'000) {
        auto opened = IndexWriter::open(folder_.path(), validity, messages);
        if (!opened) ADD_FAILURE() << opened.error().what;
        return *std::move(*opened);
    }

    static void add(IndexWriter& to, std::uint32_t uid, std::string_view header,
                    std::string_view body) {
        MessageWords words;
        words.add(Place::header, header);
        words.add(Place::body, body);
        const auto added = to.add(uid, words);
        EXPECT_TRUE(added) << added.error().what;
    }

    Index index(std::uint32_t validity = kValidity) {
        auto opened = Index::open(folder_.path(), validity);
        if (!opened) ADD_FAILURE() << opened.error().what;
        return *std::move(*opened);
    }

    static Candidates find(const Index& in, std::string_view text, bool with_header = true) {
        auto found = in.find(text, with_header);
        if (!found) ADD_FAILURE() << found.error().what;
        if (!*found) ADD_FAILURE() << text << ": cannot be looked for";
        return **std::move(found);
    }

    std::string words_file() const { return index_path(folder_.path()) + "/words"; }

    support::TempFolder folder_;
};

TEST_F(FulltextIndex, FindsPartsOfWords) {
    auto w = writer();
    add(w, 3, "subject:the green house", "come and see");
    add(w, 7, "subject:see you", "a greenhouse, no less");
    ASSERT_TRUE(w.commit(7));
    const Index in = index();
    EXPECT_EQ(in.covered(), 7U);
    EXPECT_THAT(find(in, "hous").sure, ElementsAre(3, 7));
    EXPECT_THAT(find(in, "hous", false).sure, ElementsAre(7));
    EXPECT_THAT(find(in, "see").sure, ElementsAre(3, 7));
    EXPECT_THAT(find(in, "absent").sure, IsEmpty());
    EXPECT_THAT(find(in, "absent").maybe, IsEmpty());
    const Candidates phrase = find(in, "n hous");
    EXPECT_THAT(phrase.sure, IsEmpty());
    EXPECT_THAT(phrase.maybe, ElementsAre(3));
    EXPECT_THAT(find(in, "green house").maybe, ElementsAre(3));
    EXPECT_FALSE(*in.find("--", true));
}

TEST_F(FulltextIndex, ThereIsNoneUntilTheFirstCommit) {
    EXPECT_FALSE(*Index::open(folder_.path(), kValidity));
    auto w = writer();
    add(w, 1, "", "word");
    EXPECT_FALSE(*Index::open(folder_.path(), kValidity));
    ASSERT_TRUE(w.commit(1));
    EXPECT_THAT(find(index(), "word").sure, ElementsAre(1));
    EXPECT_FALSE(*Index::open(folder_.path(), kValidity + 1));
}

TEST_F(FulltextIndex, IsTheUsersAlone) {
    auto w = writer();
    ASSERT_TRUE(w.commit(0));
    struct stat info {};
    ASSERT_EQ(::stat(index_path(folder_.path()).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700U);
    ASSERT_EQ(::stat(words_file().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(FulltextIndex, AReaderKeepsWhatItOpened) {
    auto w = writer();
    add(w, 1, "", "first");
    ASSERT_TRUE(w.commit(1));
    const Index before = index();
    add(w, 2, "", "first second");
    ASSERT_TRUE(w.commit(2));
    EXPECT_EQ(before.covered(), 1U);
    EXPECT_THAT(find(before, "first").sure, ElementsAre(1));
    EXPECT_THAT(find(before, "second").sure, IsEmpty());
    EXPECT_THAT(find(index(), "first").sure, ElementsAre(1, 2));
}

TEST_F(FulltextIndex, WhatWasNotCommittedIsDoneAgain) {
    {
        auto w = writer();
        add(w, 1, "", "one");
        ASSERT_TRUE(w.commit(1));
        add(w, 2, "", "two");
    }
    EXPECT_EQ(index().covered(), 1U);
    // The list of words may be further than the database.
    std::ofstream(words_file(), std::ios::app) << "Btwo\nBhal";
    auto w = writer();
    EXPECT_EQ(w.covered(), 1U);
    add(w, 2, "", "two");
    ASSERT_TRUE(w.commit(2));
    EXPECT_THAT(find(index(), "w").sure, ElementsAre(2));
    EXPECT_THAT(find(index(), "hal").sure, IsEmpty());
}

TEST_F(FulltextIndex, OneWritesAtATime) {
    auto w = writer();
    ASSERT_TRUE(w.commit(0));
    const auto second = IndexWriter::open(folder_.path(), kValidity, 1'000);
    ASSERT_TRUE(second) << second.error().what;
    EXPECT_FALSE(*second);
}

TEST_F(FulltextIndex, BeginsAgainForAnotherFolder) {
    {
        auto w = writer();
        add(w, 1, "", "old");
        ASSERT_TRUE(w.commit(1));
    }
    auto w = writer(kValidity + 1);
    EXPECT_EQ(w.covered(), 0U);
    ASSERT_TRUE(w.commit(0));
    EXPECT_THAT(find(index(kValidity + 1), "old").sure, IsEmpty());
}

TEST_F(FulltextIndex, BeginsAgainWhenMostMessagesAreGone) {
    {
        auto w = writer(kValidity, 2'000);
        for (std::uint32_t uid = 1; uid <= 1'200; ++uid) add(w, uid, "", "word");
        ASSERT_TRUE(w.commit(1'200));
    }
    EXPECT_EQ(writer(kValidity, 150).covered(), 1'200U);
    EXPECT_EQ(writer(kValidity, 50).covered(), 0U);
}

TEST_F(FulltextIndex, BeginsAgainWhenDamaged) {
    const auto make = [&] {
        auto w = writer();
        add(w, 1, "", "precious");
        ASSERT_TRUE(w.commit(1));
    };
    make();
    std::filesystem::resize_file(words_file(), 3);
    const auto cut = Index::open(folder_.path(), kValidity);
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Errc::corrupt);
    EXPECT_EQ(writer().covered(), 0U);
    make();
    std::filesystem::resize_file(index_path(folder_.path()) + "/iamglass", 5);
    const auto torn = Index::open(folder_.path(), kValidity);
    ASSERT_FALSE(torn);
    EXPECT_THAT(torn.error().what, ::testing::HasSubstr(index_path(folder_.path())));
    EXPECT_EQ(writer().covered(), 0U);
}

TEST_F(FulltextIndex, AFileInItsPlaceIsAnError) {
    std::ofstream(index_path(folder_.path())) << "not a folder";
    const auto w = IndexWriter::open(folder_.path(), kValidity, 1);
    ASSERT_FALSE(w);
    EXPECT_THAT(w.error().what, ::testing::HasSubstr(index_path(folder_.path())));
    EXPECT_FALSE(Index::open(folder_.path(), kValidity));
}

TEST_F(FulltextIndex, MessagesOfTooManyWordsAreAlwaysRead) {
    MessageWords many;
    std::string text;
    for (std::size_t i = 0; i <= MessageWords::kMaxDistinctWords; ++i)
        text += "w" + std::to_string(i) + " ";
    many.add(Place::body, text);
    EXPECT_TRUE(many.given_up());
    EXPECT_THAT(many.words(), IsEmpty());
    auto w = writer();
    ASSERT_TRUE(w.add(5, many));
    add(w, 6, "", "plain");
    ASSERT_TRUE(w.commit(6));
    const Candidates found = find(index(), "plain");
    EXPECT_THAT(found.sure, ElementsAre(6));
    EXPECT_THAT(found.maybe, ElementsAre(5));
}

TEST_F(FulltextIndex, AWordThatIsInTooManyIsNotAskedFor) {
    auto w = writer();
    MessageWords words;
    for (int i = 0; i < 6'000; ++i) words.add(Place::body, "x" + std::to_string(i));
    ASSERT_TRUE(w.add(1, words));
    add(w, 2, "", "ax house");
    ASSERT_TRUE(w.commit(2));
    EXPECT_FALSE(*index().find("x", true));
    EXPECT_FALSE(w.is_full());
    // The other word is asked for.
    EXPECT_THAT(find(index(), "x hous").maybe, ElementsAre(2));
}

}  // namespace
}  // namespace postern::fulltext
