#include "cleanup/message_filter.h"

#include <cstring>

#include "lib/base/strings.h"

#include "cleanup/envelope.h"
#include "cleanup/header_addresses.h"
#include "lib/queue/received.h"

namespace postern::cleanup {
namespace {

Options options_for_tests() {
    Options o;
    o.myhostname = "mail.example.test";
    o.completion.myorigin = "example.test";
    o.completion.mydomain = "example.test";
    return o;
}

struct Filtered {
    std::string text;
    std::string message_id;
    bool dots = false;
    std::string refusal;
};

// The whole text in portions of `portion` bytes.
Filtered filter(const std::string& text, const FilterTask& task,
                const Options& options = options_for_tests(), std::size_t portion = 1U << 20) {
    MessageFilter f(options, task);
    Filtered out;
    for (std::size_t at = 0; at < text.size(); at += portion)
        f.feed(std::string_view(text).substr(at, portion), out.text);
    f.finish(out.text);
    out.message_id = f.message_id();
    out.dots = f.has_dot_lines();
    if (f.refusal()) out.refusal = f.refusal()->status;
    return out;
}

const table::Completion kCompletion{"example.test", "example.test"};
const FilterTask kLocal{.received = "Received: x\r\n",
                        .local = true,
                        .completion = &kCompletion,
                        .date = "DATE",
                        .message_id = "<ID>",
                        .from = "me@here"};
const FilterTask kRemote{.received = "Received: x\r\n",
                         .local = false,
                         .date = "DATE",
                         .message_id = "<ID>",
                         .from = "me@here"};

TEST(MessageFilter, FindsUtf8InHeaders) {
    const struct {
        const char* text;
        bool found;
    } cases[] = {
        {"Subject: plain\r\n\r\nbody\r\n", false},
        {"Subject: h\xc3\xbc\r\n\r\nbody\r\n", true},
        {"Subject: folded\r\n h\xc3\xbc\r\n\r\nbody\r\n", true},
        {"Subject: latin1 \xfc\r\n\r\nbody\r\n", false},  // was always sent; no SMTPUTF8 mends it
        {"Subject: plain\r\n\r\nb\xc3\xb6"
         "dy\r\n",
         false},
        {"Bcc: \xc3\xbc@x.test\r\nSubject: s\r\n\r\n", false},  // goes away
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; "
         "name=\"\xc3\xbc\"\r\n\r\nx\r\n--b--\r\n",
         true},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\nSubject: \xc3\xbc\r\n--b\r\n\r\n"
         "Subject: \xc3\xbc\r\n--b--\r\n",
         false},
        {"Content-Type: message/rfc822\r\n\r\nSubject: \xc3\xbc\r\n\r\nx\r\n", true},
    };
    for (const auto& c : cases) {
        for (const std::size_t portion : {std::size_t{1}, std::size_t{1000}}) {
            for (const bool wanted : {true, false}) {
                FilterTask task = kRemote;
                task.find_utf8 = wanted;
                const Options options = options_for_tests();
                MessageFilter f(options, task);
                std::string out;
                for (std::size_t at = 0; at < std::strlen(c.text); at += portion)
                    f.feed(std::string_view(c.text).substr(at, portion), out);
                f.finish(out);
                EXPECT_EQ(f.effects().utf8_header, wanted && c.found) << c.text;
                if (!std::string_view(c.text).starts_with("Bcc")) {
                    EXPECT_EQ(out, cat({kRemote.received, c.text}));
                }
            }
        }
    }
    EXPECT_FALSE(has_utf8_field("Received: \xc3\xbc\r\nSubject: s\r\n\r\n\xc3\xbc"));
    EXPECT_TRUE(has_utf8_field("Received: \xc3\xbc\r\nSubject: \xc3\xbc\r\n\r\n"));
    EXPECT_TRUE(has_utf8_field("Subject: \xc3\xbc\r\n"));
}

TEST(MessageFilter, ChangesHeadersAsPostfixDoes) {
    const struct {
        const char* name;
        const FilterTask& task;
        const char* in;
        const char* out;
    } cases[] = {
        {"remote mail is left alone", kRemote, "A: b\r\n\r\ntext\r\n",
         "Received: x\r\nA: b\r\n\r\ntext\r\n"},
        {"local mail gets what is missing", kLocal, "A: b\r\n\r\ntext\r\n",
         "Received: x\r\nA: b\r\nMessage-Id: <ID>\r\nDate: DATE\r\nFrom: me@here\r\n\r\ntext\r\n"},
        {"nothing missing", kLocal, "DATE: d\r\nmessage-id:<1>\r\nfrom: root\r\n\r\n",
         "Received: x\r\nDATE: d\r\nmessage-id:<1>\r\nfrom: root@example.test\r\n\r\n"},
        {"resent", kLocal,
         "Date: d\r\nFrom: a@b.c\r\nMessage-Id: <1>\r\nResent-From: x@y.z\r\n\r\n",
         "Received: x\r\nDate: d\r\nFrom: a@b.c\r\nMessage-Id: <1>\r\nResent-From: "
         "x@y.z\r\nResent-Message-Id: "
         "<ID>\r\nResent-Date: DATE\r\n\r\n"},
        {"dropped fields", kRemote,
         "Bcc: a\r\n b\r\nReturn-Path: <x>\r\nContent-Length: 3\r\nTo: a\r\n\r\n",
         "Received: x\r\nTo: a\r\n\r\n"},
        {"no header", kRemote, "\r\nbody\r\n", "Received: x\r\n\r\nbody\r\n"},
        {"no empty line", kRemote, "To: a\r\nnot a field\r\n",
         "Received: x\r\nTo: a\r\n\r\nnot a field\r\n"},
        {"header only", kRemote, "To: a\r\n", "Received: x\r\nTo: a\r\n\r\n"},
        {"nothing", kRemote, "", "Received: x\r\n\r\n"},
        {"last line not ended", kRemote, "To: a\r\n\r\nbody",
         "Received: x\r\nTo: a\r\n\r\nbody\r\n"},
        {"header not ended", kRemote, "To: a", "Received: x\r\nTo: a\r\n\r\n"},
        {"space before the colon", kRemote, "To : a\r\n\r\n", "Received: x\r\nTo : a\r\n\r\n"},
    };
    for (const auto& c : cases)
        for (const std::size_t portion : {1000U, 1U, 3U}) {
            const Filtered got = filter(c.in, c.task, options_for_tests(), portion);
            EXPECT_EQ(got.text, c.out) << c.name << " in portions of " << portion;
            EXPECT_EQ(got.refusal, "") << c.name;
        }
}

TEST(MessageFilter, FindsTheMessageId) {
    EXPECT_EQ(filter("Message-ID:\r\n <a@b>\r\n\r\n", kRemote).message_id, "<a@b>");
    EXPECT_EQ(filter("Subject: x\r\n\r\nMessage-ID: <a@b>\r\n", kRemote).message_id, "");
    EXPECT_EQ(filter("\r\n", kLocal).message_id, "<ID>");
}

TEST(MessageFilter, SeesDotLines) {
    const struct {
        const char* text;
        bool dots;
    } cases[] = {{"A: b\r\n\r\na.b\r\nc.\r\n", false}, {"A: b\r\n\r\n.\r\n", true},
                 {"A: b\r\n\r\nx\r\n.y\r\n", true},    {"A: b\r\n\r\nx\r\n..", true},
                 {".a: b\r\n\r\nx\r\n", true},         {".\r\n", true}};
    for (const auto& c : cases)
        for (const std::size_t portion : {1000U, 1U, 2U, 3U})
            EXPECT_EQ(filter(c.text, kRemote, options_for_tests(), portion).dots, c.dots)
                << c.text << portion;
}

// cleanup_replace_stray_cr_lf = no
TEST(MessageFilter, RefusesBareLineFeeds) {
    Options strict = options_for_tests();
    strict.characters.replace_stray = false;
    for (const char* text :
         {"A: b\n\r\n", "A: b\r\n\r\nx\ny\r\n", "A: b\r\n\r\nx\r\n.\n", "A: b\r\n\r\n\n"})
        for (const std::size_t portion : {1000U, 1U})
            EXPECT_EQ(filter(text, kRemote, strict, portion).refusal, "5.5.2") << text;
}

TEST(MessageFilter, RefusesLoopsAndHugeMessages) {
    std::string hops;
    for (int i = 0; i < 50; ++i) hops += "Received: from a\r\n";
    EXPECT_EQ(filter(hops + "\r\n", kRemote).refusal, "");
    EXPECT_EQ(filter(hops + "received : from a\r\n\r\n", kRemote).refusal, "5.4.6");
    Options small = options_for_tests();
    small.message_size_limit = 20;
    EXPECT_EQ(filter("A: b\r\n\r\n123456789012\r\n", kRemote, small, 5).refusal, "5.3.4");
    EXPECT_EQ(filter("A: b\r\n\r\n1234567890\r\n", kRemote, small, 5).refusal, "");
}

TEST(MessageFilter, CutsAnEndlessHeaderField) {
    Options o = options_for_tests();
    o.content.header_size = 100;
    const std::string line(60, 'x');
    const Filtered folded = filter("A: " + line + "\r\n " + line + "\r\n\r\nbody\r\n", kRemote, o);
    EXPECT_EQ(folded.text, "Received: x\r\nA: " + line + "\r\n\r\nbody\r\n");
    const Filtered longer =
        filter("A: " + std::string(10'000, 'x') + "\r\nB: c\r\n\r\nbody\r\n", kRemote, o, 50);
    EXPECT_LT(longer.text.size(), 200U);
    EXPECT_TRUE(longer.text.ends_with("\r\nB: c\r\n\r\nbody\r\n")) << longer.text;
}

TEST(HeaderAddresses, AreCompleted) {
    const struct {
        const char* in;
        const char* out;
    } cases[] = {
        {" root\r\n", " root@example.test\r\n"},
        {" a@b.c, root,\r\n\tUser Name <u1>, \"x, y\" <z>\r\n",
         " a@b.c, root@example.test,\r\n\tUser Name <u1@example.test>, \"x, y\" "
         "<z@example.test>\r\n"},
        {" Group: a, b@c;\r\n", " Group: a@example.test, b@c;\r\n"},
        {" root (the, <boss>)\r\n", " root@example.test (the, <boss>)\r\n"},
        {" <>\r\n", " <>\r\n"},
        {" two words\r\n", " two@example.test, words@example.test\r\n"},
        {" a @ b.c\r\n", " a @ b.c\r\n"},
        {" \"quoted local\"\r\n", " \"quoted local\"@example.test\r\n"},
        {" undisclosed-recipients:;\r\n", " undisclosed-recipients:;\r\n"},
        {" <open", " <open@example.test"},
        {" \"open\r\n", " \"open\r\n"},
        {" (open", " (open"},
        {" \"open\\", " \"open\\"},
        {" a%b.c, d!e, \"f%g\"\r\n", " a@b.c, e@d, \"f%g\"@example.test\r\n"},
        {" <@r.test:u>, u@\r\n", " <u@example.test>, u@\r\n"},
        {"", ""},
    };
    for (const auto& c : cases)
        EXPECT_EQ(complete_addresses(c.in, options_for_tests().completion, 1000), c.out) << c.in;
}

TEST(HeaderAddresses, WhatNeedsRewrite) {
    Options o = options_for_tests();
    for (const char* address : {"", "a@b.c", "a+x@host", "a@[192.0.2.1]", "a%b@c.d"})
        EXPECT_TRUE(is_complete(address, o.completion)) << address;
    for (const char* address : {"a", "@b", "a@", "a%b", "a!b", "@a:b@c.d", "a@b."})
        EXPECT_FALSE(is_complete(address, o.completion)) << address;
    o.completion.dot_mydomain = true;
    EXPECT_FALSE(is_complete("a@host", o.completion));
}

TEST(Received, LooksAsPostfixWritesIt) {
    const Options o = options_for_tests();
    const QueueId id = QueueId::parse("772CE2083D1").value();
    ipc::SubmitOpen open;
    open.helo = "vm";
    open.client_name = "unknown";
    open.client_address = "127.0.0.1";
    open.protocol = "SMTP";
    EXPECT_EQ(
        queue::received_field(open, {o.myhostname, o.mail_name}, id, "u1@example.test", "DATE"),
        "Received: from vm (unknown [127.0.0.1])\r\n\tby mail.example.test (Postfix) with "
        "SMTP id 772CE2083D1\r\n"
        "\tfor <u1@example.test>; DATE\r\n");
    open.client_address = "::1";
    open.helo = "evil\r\nX: y";
    {
        ipc::SubmitOpen secured = open;
        secured.tls_protocol = "TLSv1.3";
        secured.tls_cipher = "TLS_X";
        secured.tls_bits = 256;
        secured.tls_peer = "Client CN \"a(b\", Issuer \"c\" (verified OK)";
        EXPECT_THAT(queue::received_field(secured, {o.myhostname, o.mail_name}, id, "", "DATE"),
                    testing::HasSubstr("\t(using TLSv1.3 with cipher TLS_X (256/256 bits))\r\n"
                                       "\t(Client CN \"a\\(b\", Issuer \"c\" (verified OK))\r\n"));
        secured.tls_peer = "No client certificate requested";
        EXPECT_THAT(queue::received_field(secured, {o.myhostname, o.mail_name}, id, "", "DATE"),
                    testing::HasSubstr("\t(No client certificate requested)\r\n"));
    }
    ipc::SubmitOpen hidden = open;
    hidden.hide_client = hidden.name_login = true;
    hidden.tls_protocol = "TLSv1.3";
    EXPECT_EQ(queue::received_field(hidden, {o.myhostname, o.mail_name}, id, "x@y", "DATE"),
              cat({"Received: by mail.example.test (Postfix) id ", id.str(),
                   "\r\n\tfor <x@y>; DATE\r\n"}));
    EXPECT_EQ(queue::received_field(open, {o.myhostname, o.mail_name}, id, "", "DATE"),
              "Received: from evil??X: y (unknown [IPv6:::1])\r\n\tby mail.example.test (Postfix) "
              "with SMTP id 772CE2083D1; "
              "DATE\r\n");
    open.origin = ipc::Origin::local;
    open.local_uid = 1000;
    EXPECT_EQ(
        queue::received_field(open, {o.myhostname, o.mail_name}, id, "x@y", "DATE"),
        "Received: by mail.example.test (Postfix, from userid 1000)\r\n\tid 772CE2083D1; DATE\r\n");
    open.origin = ipc::Origin::internal;
    EXPECT_EQ(queue::received_field(open, {o.myhostname, o.mail_name}, id, "x@y", "DATE"),
              "Received: by mail.example.test (Postfix)\r\n\tid 772CE2083D1; DATE\r\n");
}

TEST(Received, NamesWhoLoggedInWhereToldTo) {
    ipc::SubmitOpen open;
    open.helo = "vm";
    open.client_name = "unknown";
    open.client_address = "127.0.0.1";
    open.protocol = "ESMTPSA";
    open.tls_protocol = "TLSv1.3";
    open.tls_cipher = "X";
    open.tls_bits = 256;
    open.sasl_username = "bob)(\\";
    const QueueId id = QueueId::parse("772CE2083D1").value();
    EXPECT_EQ(
        queue::received_field(open, {"mail.example.test", "Postfix"}, id, "", "D").find("bob"),
        std::string::npos);
    open.name_login = true;
    EXPECT_THAT(
        queue::received_field(open, {"mail.example.test", "Postfix"}, id, "", "D"),
        testing::HasSubstr("\t(using TLSv1.3 with cipher X (256/256 bits))\r\n"
                           "\t(Authenticated sender: bob\\)\\(\\\\)\r\n\tby mail.example.test "));
}

TEST(Received, Dates) {
    const WallTime t(Seconds(1795290704));
    EXPECT_EQ(queue::compact_date(t), "20261121195144");
    EXPECT_TRUE(queue::mail_date(t).ends_with(")")) << queue::mail_date(t);
}

TEST(Envelope, AuthorOfALocalMessage) {
    ipc::SubmitOpen open;
    open.sender = "root";
    EXPECT_EQ(author(open, options_for_tests()), "root@example.test");
    open.full_name = "Charlie Root";
    EXPECT_EQ(author(open, options_for_tests()), "Charlie Root <root@example.test>");
    open.full_name = "C. \"R\" Root\r\n";
    EXPECT_EQ(author(open, options_for_tests()), "\"C. \\\"R\\\" Root??\" <root@example.test>");
    Options obsolete = options_for_tests();
    obsolete.obsolete_from = true;
    open.full_name = "C. (R) Root";
    EXPECT_EQ(author(open, obsolete), "root@example.test (C. \\(R\\) Root)");
    open.full_name = "J\xc3\xbcrgen (R)";
    EXPECT_EQ(author(open, options_for_tests()),
              "=?utf-8?Q?J=C3=BCrgen_=28R=29?= <root@example.test>");
    EXPECT_EQ(author(open, obsolete), "root@example.test (=?utf-8?Q?J=C3=BCrgen_=28R=29?=)");
    Options plain = options_for_tests();
    plain.name_charset.clear();
    EXPECT_EQ(author(open, plain), "\"J\xc3\xbcrgen (R)\" <root@example.test>");
}

TEST(Envelope, RecipientsKeepWhatTheClientSaid) {
    ipc::SubmitRecipient submitted{
        .address = "root", .original = "", .notify = ipc::kNotifyNever, .orcpt = "rfc822;root"};
    const queue::Recipient r = recipient_of(submitted, "admin@example.test");
    EXPECT_EQ(r.address, "admin@example.test");
    EXPECT_EQ(r.original, "root");
    EXPECT_EQ(r.notify, queue::kNotifyNever);
    EXPECT_NE(identity(r), identity(recipient_of(submitted, "other@example.test")));
    EXPECT_EQ(recipient_of({.address = "a@b"}, "a@b").original, "");
}

}  // namespace
}  // namespace postern::cleanup
