#include "lib/imap/message_url.h"

#include "lib/imap/command.h"

namespace postern::imap {
namespace {

TEST(MessageUrl, ReadsTheExamplesOfTheRfcs) {
    // RFC 4467 9
    const std::string text =
        "imap://joe@example.com/INBOX/;uid=20/;section=1.2;expire=2005-03-28T18:00:00Z;urlauth="
        "submit+fred:internal:91354a473744909de610943775f92038";
    const auto url = parse_message_url(text);
    ASSERT_TRUE(url);
    EXPECT_TRUE(url->absolute);
    EXPECT_EQ(url->user, "joe");
    EXPECT_EQ(url->host, "example.com");
    EXPECT_EQ(url->mailbox, "INBOX");
    EXPECT_EQ(url->uid, 20U);
    EXPECT_THAT(url->section.path, testing::ElementsAre(1U, 2U));
    ASSERT_TRUE(url->auth);
    EXPECT_EQ(url->auth->expires, 1112032800);
    EXPECT_EQ(url->auth->access, "submit+fred");
    EXPECT_EQ(url->auth->mechanism, "internal");
    EXPECT_EQ(url->auth->token, "91354a473744909de610943775f92038");
    EXPECT_EQ(text.substr(0, url->auth->rump_size), text.substr(0, text.find(":internal")));

    // RFC 4469 4
    const auto relative =
        parse_message_url("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER");
    ASSERT_TRUE(relative);
    EXPECT_FALSE(relative->absolute);
    EXPECT_EQ(relative->mailbox, "Drafts");
    EXPECT_EQ(relative->uid_validity, 385759045U);
    EXPECT_EQ(relative->section.text, Section::Text::header);
    EXPECT_FALSE(relative->auth);
}

// RFC 5092 9: those of messages, and two that are of a mailbox and of a search
TEST(MessageUrl, ReadsTheExamplesOfTheScheme) {
    const auto partial = parse_message_url(
        "imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024");
    ASSERT_TRUE(partial);
    EXPECT_EQ(partial->user, "");
    EXPECT_EQ(partial->mailbox, "gray-council");
    EXPECT_EQ(partial->uid_validity, 385759045U);
    EXPECT_EQ(partial->uid, 20U);
    ASSERT_TRUE(partial->partial);
    EXPECT_EQ(partial->partial->count, 1024U);
    const auto section = parse_message_url(
        "imap://;AUTH=GSSAPI@minbari.example.org/gray-council/;uid=20/;section=1.2");
    ASSERT_TRUE(section);
    EXPECT_EQ(section->user, "");
    EXPECT_EQ(section->host, "minbari.example.org");
    EXPECT_THAT(section->section.path, testing::ElementsAre(1U, 2U));
    EXPECT_FALSE(parse_message_url(
        "imap://psicorp.example.org/~peter/%E6%97%A5%E6%9C%AC%E8%AA%9E/%E5%8F%B0%E5%8C%97"));
    EXPECT_FALSE(
        parse_message_url("imap://;AUTH=*@minbari.example.org/gray%20council?SUBJECT%20shadows"));
}

TEST(MessageUrl, ReadsItsParts) {
    const auto url = parse_message_url(
        "imap://j%40x.example;AUTH=*@h:143/Entw%C3%BCrfe/a/;UID=7/;SECTION=1.HEADER.FIELDS%20(To)"
        "/;PARTIAL=3.5;URLAUTH=anonymous");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->user, "j@x.example");
    EXPECT_EQ(url->host, "h:143");
    EXPECT_EQ(url->mailbox, "Entw&APw-rfe/a");
    EXPECT_THAT(url->section.fields, testing::ElementsAre("To"));
    EXPECT_EQ(url->partial->offset, 3U);
    EXPECT_EQ(url->partial->count, 5U);
    EXPECT_TRUE(url->auth->mechanism.empty());
    EXPECT_EQ(parse_message_url("/a/;UID=1/;PARTIAL=9")->partial->count, 0U);
    EXPECT_FALSE(parse_message_url("/a/;UID=1/;SECTION="));
}

TEST(MessageUrl, RefusesWhatIsNone) {
    for (const char* text : {"",
                             "/",
                             "/INBOX",
                             "INBOX/;UID=1",
                             "/INBOX/;UID=0",
                             "/INBOX/;UID=x",
                             "//;UID=1",
                             "/;UID=1",
                             "/a;UIDVALIDITY=x/;UID=1",
                             "/a%0/;UID=1",
                             "/a%0a/;UID=1",
                             "/a%zz/;UID=1",
                             "imap:///a/;UID=1",
                             "http://h/a/;UID=1",
                             "/a/;UID=1/;SECTION=nothing",
                             "/a/;UID=1/;PARTIAL=x",
                             "/a/;UID=1/;PARTIAL=1.0",
                             "/a/;UID=1;EXPIRE=tomorrow;URLAUTH=authuser",
                             "/a/;UID=1;EXPIRE=2005-03-28T18:00:00Z",
                             "/a/;UID=1;URLAUTH=everybody",
                             "/a/;UID=1;URLAUTH=user+",
                             "/a/;UID=1;URLAUTH=authuser:internal",
                             "/a/;UID=1;URLAUTH=authuser:internal:00ff",
                             "/a/;UID=1/more"})
        EXPECT_FALSE(parse_message_url(text)) << text;
    EXPECT_FALSE(parse_message_url("/" + std::string(kMaxUrl, 'a') + "/;UID=1"));
}

TEST(CatenateCommand, ReadsPieces) {
    const auto command =
        parse_command("A003 APPEND Drafts (\\Seen) CATENATE (URL \"/a/;UID=1\" TEXT {12}");
    ASSERT_TRUE(command);
    const auto& item = std::get<AppendArguments>(command->arguments).first;
    ASSERT_TRUE(item.catenate);
    EXPECT_THAT(item.catenate->urls, testing::ElementsAre("/a/;UID=1"));
    EXPECT_FALSE(item.catenate->closed);
    EXPECT_TRUE(is_append_with_message("a APPEND b CATENATE (URL /a/;UID=1) (\\Seen) {5}"));
    EXPECT_FALSE(is_append_with_message("a APPEND b CATENATE (URL {5}"));
    const auto next = parse_catenate_piece(" URL x URL {2}\r\nyz) {4}");
    ASSERT_TRUE(next);
    EXPECT_THAT(next->urls, testing::ElementsAre("x", "yz"));
    EXPECT_TRUE(next->closed);
    EXPECT_EQ(next->rest, " {4}");
    EXPECT_TRUE(parse_catenate_piece(")")->closed);
    for (const char* text : {"", " ", " URL", " URL x", " TEXT x", " FILE x)", " URL x,y", "x"})
        EXPECT_FALSE(parse_catenate_piece(text)) << text;
}

TEST(UrlCommands, AreRead) {
    const auto fetch = parse_command("a URLFETCH (imap://x BINARY BODYPARTSTRUCTURE) \"imap://y\"");
    ASSERT_TRUE(fetch);
    const auto& urls = std::get<UrlFetchArguments>(fetch->arguments).urls;
    ASSERT_EQ(urls.size(), 2U);
    EXPECT_TRUE(urls[0].binary && urls[0].structure && !urls[0].body);
    EXPECT_FALSE(urls[1].extended());
    EXPECT_TRUE(parse_command("a RESETKEY"));
    EXPECT_EQ(
        std::get<ResetKeyArguments>(parse_command("a RESETKEY x INTERNAL")->arguments).mailbox,
        "x");
    EXPECT_EQ(std::get<GenUrlAuthArguments>(parse_command("a GENURLAUTH x INTERNAL y Z")->arguments)
                  .urls.size(),
              2U);
    for (const char* text : {"a URLFETCH", "a URLFETCH (x)", "a URLFETCH (x BODY BINARY)",
                             "a URLFETCH (x SIZE)", "a GENURLAUTH x", "a GENURLAUTH"})
        EXPECT_FALSE(parse_command(text)) << text;
}

}  // namespace
}  // namespace postern::imap
