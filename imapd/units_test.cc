// Listing, flags, sections: the parts of imapd that need no session.
#include "imapd/fetch.h"
#include "imapd/flag_names.h"
#include "imapd/listing.h"

namespace postern::imapd {
namespace {

std::vector<std::string> names_of(const std::vector<Listed>& list) {
    std::vector<std::string> names;
    for (const auto& one : list) names.push_back(one.attributes + one.name);
    return names;
}

TEST(Listing, Subscriptions) {
    const Listing listing{{}, {"INBOX", "a.b.c", "d", "d.e"}, {}, {}, false};
    using Names = std::vector<std::string>;
    EXPECT_EQ(names_of(list_subscriptions(listing, "", "%")),
              (Names{"()INBOX", "()d", "(\\Noselect)a"}));
    EXPECT_EQ(names_of(list_subscriptions(listing, "", "a.%")), (Names{"(\\Noselect)a.b"}));
    EXPECT_EQ(names_of(list_subscriptions(listing, "d.", "*")), (Names{"()d.e"}));
    EXPECT_EQ(names_of(list_subscriptions(listing, "", "x")), Names{});
}

TEST(Listing, Lines) {
    EXPECT_EQ(list_line("LIST", '.', {"a b", "()", {}, true, {}}), "* LIST () \".\" \"a b\"\r\n");
    EXPECT_EQ(list_line("LIST", '.', {"", "(\\Noselect)", {}, false, {}}),
              "* LIST (\\Noselect) \".\" \"\"\r\n");
}

TEST(FlagNames, SortsAndShows) {
    const std::vector<std::string> good = {"\\seen", "\\Draft", "$Junk"};
    const auto flags = sort_flags(good);
    ASSERT_TRUE(flags);
    EXPECT_EQ(flags->system, mailbox::kSeen | mailbox::kDraft);
    EXPECT_EQ(flags->keywords, std::vector<std::string>{"$Junk"});
    for (const std::string bad : {"\\Recent", "\\Foo", "\\*"}) {
        const std::vector<std::string> names = {bad};
        EXPECT_FALSE(sort_flags(names)) << bad;
    }
    mailbox::Message message;
    message.flags = {mailbox::kSeen | mailbox::kAnswered, 2};
    message.recent = true;
    EXPECT_EQ(flag_list(message, {"$Forwarded", "x"}), "(\\Answered \\Seen x \\Recent)");
    EXPECT_EQ(flag_list({}, {}), "()");
    EXPECT_EQ(permanent_flags({"x"}, mailbox::kAllRights),
              "(\\Answered \\Flagged \\Deleted \\Seen \\Draft x \\*)");
}

TEST(Section, OfNestedMessages) {
    const std::string text =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: y\r\n\r\none\r\n--b\r\n"
        "Content-Type: message/rfc822\r\n\r\nSubject: in\r\nFrom: a\r\n\r\ninner\r\n\r\n--b--\r\n";
    const auto root = mail::parse_mime(text);
    const auto get = [&](std::vector<std::uint32_t> path, imap::Section::Text what,
                         std::vector<std::string> fields = {}) {
        const auto bytes = section_bytes({std::move(path), what, std::move(fields)}, text, &root);
        return bytes.found ? std::string(bytes.view()) : "NIL";
    };
    using Text = imap::Section::Text;
    EXPECT_EQ(get({}, Text::all), text);
    EXPECT_EQ(get({1}, Text::all), "one");
    EXPECT_EQ(get({1}, Text::mime), "X: y\r\n\r\n");
    EXPECT_EQ(get({1}, Text::header), "NIL");
    EXPECT_EQ(get({2}, Text::all), "Subject: in\r\nFrom: a\r\n\r\ninner\r\n");
    EXPECT_EQ(get({2}, Text::header), "Subject: in\r\nFrom: a\r\n\r\n");
    EXPECT_EQ(get({2}, Text::text), "inner\r\n");
    EXPECT_EQ(get({2}, Text::mime), "Content-Type: message/rfc822\r\n\r\n");
    EXPECT_EQ(get({2}, Text::header_fields, {"from", "to"}), "From: a\r\n\r\n");
    EXPECT_EQ(get({2}, Text::header_fields_not, {"from"}), "Subject: in\r\n\r\n");
    EXPECT_EQ(get({2, 1}, Text::all), "inner\r\n");
    EXPECT_EQ(get({3}, Text::all), "NIL");
    EXPECT_EQ(get({}, Text::header_fields, {"none"}), "\r\n");
}

}  // namespace
}  // namespace postern::imapd
