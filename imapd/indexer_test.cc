#include "imapd/indexer.h"

#include <sys/eventfd.h>

#include <random>
#include <set>

#include "imapd/test_client.h"
#include "lib/fulltext/index.h"

namespace postern::imapd {
namespace {

using ::testing::HasSubstr;

// Does the work at once.
class Immediate final : public Indexer {
  public:
    void begin(const mailbox::Mailbox& mailbox) override {
        auto done = update_index(mailbox, [] { return false; });
        EXPECT_TRUE(done) << done.error().what;
        if (done) added.push_back(*done);
    }
    bool is_running() const override { return false; }

    std::vector<std::uint32_t> added;  // one for each time it was asked
};

std::string message(const std::string& subject, const std::string& body) {
    return "From: a@one.test\nSubject: " + subject + "\n\n" + body + "\n";
}

class IndexerTest : public ::testing::Test {
  protected:
    IndexerTest() { inbox(); }  // makes the Maildir
    void fill(int count) {
        for (int i = 0; i < count; ++i, ++delivered_)
            maildir_.deliver(std::to_string(delivered_) + ".x",
                             message("number " + std::to_string(delivered_), "some green words"));
    }
    // Whoever reads them now finds nothing. The session moves files to cur/ while its client waits,
    // so one that is missed here is met there, or at the next look.
    void empty_all(std::size_t count) {
        std::set<std::string> emptied;
        for (int look = 0; look < 1000 && emptied.size() < count; ++look)
            for (const std::string folder : {"/new", "/cur"})
                for (const auto& entry :
                     std::filesystem::directory_iterator(maildir_.root() + folder)) {
                    const std::string name = entry.path().filename();
                    std::error_code gone;
                    std::filesystem::resize_file(entry.path(), 0, gone);
                    if (!gone) emptied.insert(name.substr(0, name.find(':')));
                }
        EXPECT_EQ(emptied.size(), count);
    }
    Options indexed() {
        Options options;
        options.indexer = &indexer_;
        return options;
    }
    mailbox::Mailbox inbox() { return *mailbox::Store::open(maildir_.root())->mailbox("INBOX"); }

    TempMaildir maildir_;
    Immediate indexer_;
    int delivered_ = 100;
};

TEST_F(IndexerTest, BeginsWhenASearchHadToReadManyMessages) {
    fill(49);
    Client c(maildir_, indexed());
    c("SELECT INBOX");
    EXPECT_THAT(c("SEARCH TEXT green"), HasSubstr(" 49\r\n"));
    EXPECT_TRUE(indexer_.added.empty());
    fill(11);
    c("NOOP");
    EXPECT_THAT(c("SEARCH SUBJECT number"), HasSubstr(" 60\r\n"));
    EXPECT_TRUE(indexer_.added.empty()) << "header fields need no index";
    EXPECT_THAT(c("SEARCH BODY green"), HasSubstr(" 60\r\n"));
    EXPECT_THAT(indexer_.added, ::testing::ElementsAre(60));
    EXPECT_THAT(c("SEARCH BODY green"), HasSubstr(" 60\r\n"));
    EXPECT_THAT(c("SEARCH BODY absent"), HasSubstr("* SEARCH\r\n"));
    EXPECT_EQ(indexer_.added.size(), 1U);
}

TEST_F(IndexerTest, MessagesAfterItAreRead) {
    fill(60);
    Client c(maildir_, indexed());
    c("SELECT INBOX");
    c("SEARCH TEXT green");
    maildir_.deliver("900.x", message("late", "a purple word"));
    c("NOOP");
    EXPECT_THAT(c("SEARCH TEXT purple"), HasSubstr("* SEARCH 61\r\n"));
    c("STORE 1 +FLAGS (\\Deleted)");
    c("EXPUNGE");
    EXPECT_THAT(c("SEARCH RETURN (COUNT) TEXT green"), HasSubstr("COUNT 59"));
    EXPECT_THAT(c("SEARCH TEXT purple"), HasSubstr("* SEARCH 60\r\n"));
    EXPECT_EQ(indexer_.added.size(), 1U);
    fill(50);
    c("NOOP");
    c("SEARCH TEXT purple");
    EXPECT_THAT(indexer_.added, ::testing::ElementsAre(60, 51));
}

// Messages are not read any more: their files are empty now.
TEST_F(IndexerTest, TheAnswerIsTheIndexs) {
    fill(60);
    Client c(maildir_, indexed());
    c("SELECT INBOX");
    c("SEARCH TEXT green");
    empty_all(60);
    EXPECT_THAT(c("SEARCH RETURN (COUNT) BODY ree"), HasSubstr("COUNT 60"));
    EXPECT_THAT(c("SEARCH TEXT \"mber 10\""), HasSubstr("* SEARCH\r\n")) << "is read";
    std::filesystem::remove_all(fulltext::index_path(maildir_.root()));
    EXPECT_THAT(c("SEARCH RETURN (COUNT) BODY ree"), HasSubstr("COUNT 0"));
}

// The folder's could be forged by others, so each user has one of his own.
TEST_F(IndexerTest, OfOthersMailboxesIsInOnesOwn) {
    fill(60);
    TempMaildir own;
    std::ofstream(maildir_.root() + "/postern.acl") << "postern-acl 1\nlr bob\n";
    auto store = *mailbox::Store::open(own.root());
    store.add_namespace({"Other", true});
    store.add_mount({"Other.ann", maildir_.root(), "ann", {"INBOX"}});
    Options options = indexed();
    options.user = "bob";
    const auto box = [&] { return *store.mailbox("Other.ann.INBOX"); };
    store.set_person({"bob", {}});
    const auto validity = box().uid_validity();
    ASSERT_TRUE(validity);
    const std::string folder = text_index_folder(box(), *validity);
    EXPECT_EQ(folder,
              own.root() + "/postern.seen/Other.ann." + std::to_string(*validity) + ".index");
    Client c(std::move(store), options);
    c("SELECT Other.ann.INBOX");
    EXPECT_THAT(c("SEARCH TEXT green"), HasSubstr(" 60\r\n"));
    EXPECT_THAT(indexer_.added, ::testing::ElementsAre(60));
    EXPECT_FALSE(std::filesystem::exists(maildir_.root() + "/postern.fts"));
    auto index = fulltext::Index::open(folder, *validity);
    ASSERT_TRUE(index && *index);
    EXPECT_EQ((*index)->covered(), 60U);
    empty_all(60);
    EXPECT_THAT(c("SEARCH RETURN (COUNT) BODY ree"), HasSubstr("COUNT 60")) << "it is not read";
}

TEST_F(IndexerTest, ADamagedIndexIsPassedOver) {
    fill(60);
    Client c(maildir_, indexed());
    c("SELECT INBOX");
    c("SEARCH TEXT green");
    std::filesystem::resize_file(fulltext::index_path(maildir_.root()) + "/words", 0);
    EXPECT_THAT(c("SEARCH TEXT green"), HasSubstr(" 60\r\n"));
    EXPECT_THAT(indexer_.added, ::testing::ElementsAre(60, 60)) << "and made again";
    EXPECT_THAT(c("SEARCH TEXT green"), HasSubstr(" 60\r\n"));
    EXPECT_EQ(indexer_.added.size(), 2U);
}

// Whatever is asked, the answer is the same with the index and without.
TEST_F(IndexerTest, FindsWhatReadingFinds) {
    std::mt19937 dice(11);
    const std::string parts[] = {"alpha", "beta", " ", " ", "-", "日本", "é", "x1", "\n", "Alp"};
    const auto text_of = [&](std::size_t most) {
        std::string text;
        for (std::size_t n = 1 + dice() % most; n > 0; --n) text += parts[dice() % 10];
        return text;
    };
    for (int i = 0; i < 80; ++i) {
        std::string subject = text_of(6);
        std::replace(subject.begin(), subject.end(), '\n', ' ');
        maildir_.deliver(std::to_string(1000 + i) + ".x",
                         "Subject: " + subject +
                             "\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
                             "text/plain; charset=utf-8\n\n" +
                             text_of(20) +
                             "\n--b\nContent-Type: message/rfc822\n\nSubject: inner " + text_of(2) +
                             "\n\nalphabeta\n--b--\n");
    }
    Client with(maildir_, indexed());
    Client without(maildir_);
    with("SELECT INBOX");
    without("SELECT INBOX");
    with("SEARCH TEXT nothing");
    ASSERT_EQ(indexer_.added.size(), 1U);
    for (int round = 0; round < 150; ++round) {
        std::string wanted = text_of(3);
        std::replace(wanted.begin(), wanted.end(), '\n', ' ');
        const std::string command = cat({"SEARCH CHARSET UTF-8 ", round % 2 == 0 ? "TEXT" : "BODY",
                                         " {", std::to_string(wanted.size()), "+}\r\n", wanted});
        EXPECT_EQ(with(command), without(command)) << wanted;
    }
    EXPECT_THAT(with("SEARCH NOT TEXT alpha OR BODY beta TEXT x1"),
                without("SEARCH NOT TEXT alpha OR BODY beta TEXT x1"));
    EXPECT_EQ(indexer_.added.size(), 1U);
}

TEST_F(IndexerTest, AChildDoesItInTheBackground) {
    fill(60);
    BackgroundIndexer background("trace", -1, {});
    EXPECT_FALSE(background.is_running());
    background.begin(inbox());
    background.begin(inbox());
    background.finish();
    EXPECT_FALSE(background.is_running());
    const auto view = *inbox().open(mailbox::Access::read_only);
    const auto index = fulltext::Index::open(maildir_.root(), view->uid_validity());
    ASSERT_TRUE(index && *index);
    EXPECT_EQ((*index)->covered(), 60U);
}

TEST_F(IndexerTest, TheSystemsStopEndsIt) {
    fill(60);
    const Fd stop(::eventfd(1, EFD_CLOEXEC));
    BackgroundIndexer background("trace", stop.get(), {});
    background.begin(inbox());
    background.finish();
    EXPECT_FALSE(background.is_running());
    EXPECT_FALSE(*fulltext::Index::open(maildir_.root(), 1));
}

}  // namespace
}  // namespace postern::imapd
