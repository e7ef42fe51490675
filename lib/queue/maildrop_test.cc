#include "lib/queue/maildrop.h"

#include <fcntl.h>

#include "lib/queue/envelope.h"
#include "tests/support/rooted_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::queue {
namespace {

MaildropEnvelope example() {
    return {.sender = "u1",
            .full_name = "User One",
            .recipients = {"root", "a@b.test"},
            .envid = "x+3D",
            .ret = "hdrs",
            .notify = kNotifyNever,
            .body_8bit = true};
}

std::string example_file(const std::string& content) {
    MaildropWriter writer;
    std::string bytes = writer.begin(example()).value();
    bytes += writer.content(content);
    return bytes + writer.end();
}

TEST(Maildrop, GivesBackWhatWasWrittenInAnyPortions) {
    const std::string content = "Subject: x\r\n\r\n" + std::string(100'000, 'y') + "\r\n";
    const std::string file = example_file(content);
    for (const std::size_t portion :
         {file.size(), std::size_t{1000}, std::size_t{7}, std::size_t{1}}) {
        MaildropParser parser;
        std::string got;
        for (std::size_t at = 0; at < file.size(); at += portion)
            ASSERT_TRUE(parser.feed(std::string_view(file).substr(at, portion), &got));
        EXPECT_TRUE(parser.complete());
        EXPECT_EQ(got, content);
        EXPECT_EQ(parser.content_size(), content.size());
        EXPECT_EQ(parser.envelope().sender, "u1");
        EXPECT_EQ(parser.envelope().full_name, "User One");
        EXPECT_EQ(parser.envelope().recipients, (std::vector<std::string>{"root", "a@b.test"}));
        EXPECT_EQ(parser.envelope().ret, "hdrs");
        EXPECT_EQ(parser.envelope().envid, "x+3D");
        EXPECT_EQ(parser.envelope().notify, kNotifyNever);
        EXPECT_TRUE(parser.envelope().body_8bit);
    }
}

TEST(Maildrop, NoPrefixIsComplete) {
    const std::string file = example_file("a\r\n");
    for (std::size_t size = 0; size < file.size(); ++size) {
        MaildropParser parser;
        ASSERT_TRUE(parser.feed(std::string_view(file).substr(0, size), nullptr)) << size;
        EXPECT_FALSE(parser.complete()) << size;
    }
}

TEST(Maildrop, EveryChangedByteIsSeen) {
    const std::string file = example_file("a\r\n");
    for (std::size_t at = 0; at < file.size(); ++at) {
        std::string changed = file;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        MaildropParser parser;
        EXPECT_FALSE(parser.feed(changed, nullptr) && parser.complete()) << at;
    }
}

std::string with_records(const std::vector<std::pair<char, std::string>>& records) {
    std::string out("PosternM\1\0", 10);
    for (const auto& [type, value] : records) {
        out += type;
        out += static_cast<char>(value.size() & 255);
        out += static_cast<char>(value.size() >> 8);
        out += value;
    }
    return out;
}

TEST(Maildrop, RefusesWhatAUserMayNotSay) {
    const struct {
        const char* name;
        std::string bytes;
    } cases[] = {
        {"another file", "PosternQ\1\0"},
        {"no recipient", with_records({{'S', "a"}, {'D', "x\r\n"}})},
        {"two senders", with_records({{'S', "a"}, {'S', "b"}})},
        {"empty recipient", with_records({{'R', ""}})},
        {"line end in an address", with_records({{'R', "a\nb"}})},
        {"long address", with_records({{'R', std::string(1001, 'a')}})},
        {"unknown record", with_records({{'Z', "a"}})},
        {"late recipient", with_records({{'R', "a"}, {'D', "x\r\n"}, {'R', "b"}})},
        {"bare line feed", with_records({{'R', "a"}, {'D', "x\n"}})},
        {"bare line feed at the border", with_records({{'R', "a"}, {'D', "x"}, {'D', "\n"}})},
        {"notify", with_records({{'O', std::string(1, '\0')}})},
        {"ret", with_records({{'Y', "all"}})},
        {"one VERP delimiter", with_records({{'X', "+"}})},
        {"three of them", with_records({{'X', "+=-"}})},
        {"VERP twice", with_records({{'X', "+="}, {'X', "+="}})},
        {"a line end as a delimiter", with_records({{'X', "+\n"}})},
        {"after the end", example_file("x\r\n") + "y"},
    };
    for (const auto& c : cases) EXPECT_FALSE(MaildropParser().feed(c.bytes, nullptr)) << c.name;
}

TEST(Maildrop, LimitsAreKept) {
    MaildropParser few({.recipients = 1});
    EXPECT_FALSE(few.feed(example_file("x\r\n"), nullptr));
    MaildropParser small({.content = 5});
    const auto result = small.feed(example_file("123456\r\n"), nullptr);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::no_space);
    MaildropEnvelope odd = example();
    odd.sender = "a\nb";
    EXPECT_FALSE(MaildropWriter().begin(odd));
    odd.sender = "ok";
    odd.recipients = {std::string(70'000, 'x')};
    EXPECT_FALSE(MaildropWriter().begin(odd));
}

// postsuper -r: what a recipient's sender wanted comes back; nobody else may say so.
TEST(Maildrop, RequeuedMailKeepsWhatIsKnown) {
    MaildropEnvelope from = example();
    from.requeued = *QueueId::parse("4BCDF10k");
    EXPECT_FALSE(MaildropParser().feed(with_records({{'Q', "4BCDF10k"}}), nullptr));
    from.known = {{"first@x.test", "rfc822;first+40x", kNotifySuccess | kNotifyFailure}, {}};
    MaildropWriter writer;
    std::string file = writer.begin(from).value();
    file += writer.content("x\r\n");
    file += writer.end();
    EXPECT_FALSE(MaildropParser().feed(file, nullptr)) << "of a user";
    MaildropParser parser({.requeued = true});
    ASSERT_TRUE(parser.feed(file, nullptr));
    EXPECT_TRUE(parser.complete());
    const MaildropEnvelope& got = parser.envelope();
    EXPECT_EQ(got.requeued.str(), "4BCDF10k");
    EXPECT_EQ(got.recipients, from.recipients);
    ASSERT_EQ(got.known.size(), 2U);
    EXPECT_EQ(got.known[0].original, "first@x.test");
    EXPECT_EQ(got.known[0].orcpt, "rfc822;first+40x");
    EXPECT_EQ(got.known[0].notify, kNotifySuccess | kNotifyFailure);
    EXPECT_EQ(got.known[1].original + got.known[1].orcpt, "");

    const std::pair<char, std::string> id{'Q', "4BCDF10k"}, facts{'P', "@ "}, to{'R', "a"};
    const std::vector<std::pair<char, std::string>> wrong[] = {
        {id, id},     {id, to},        {id, facts, facts}, {facts, to},       {to, id},
        {{'Q', "?"}}, {id, {'P', ""}}, {id, {'P', "@"}},   {id, {'P', "P "}}, {id, {'P', "@a\n "}},
    };
    for (const auto& records : wrong)
        EXPECT_FALSE(MaildropParser({.requeued = true}).feed(with_records(records), nullptr));
    EXPECT_TRUE(MaildropParser({.requeued = true}).feed(with_records({id, facts, to}), nullptr));
}

TEST(Maildrop, ListsTheEnvelopeOfACompleteFile) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    const Fd fd = fs.open("m", O_RDWR | O_CREAT, 0600).value();
    const std::string file = example_file("x\r\n");
    ASSERT_TRUE(fs.write(fd.get(), file.substr(0, 20)));
    EXPECT_EQ(read_maildrop_envelope(fs, fd.get()).error().code, Errc::closed);
    ASSERT_TRUE(fs.write(fd.get(), file.substr(20)));
    EXPECT_EQ(read_maildrop_envelope(fs, fd.get()).value().sender, "u1");
}

}  // namespace
}  // namespace postern::queue
