// Notifications against golden files (bounce/testdata; UPDATE_GOLDEN=1 rewrites them), and the
// helpers.
#include "bounce/dsn.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace postern::bounce {
namespace {

std::string golden_path(const std::string& name) {
    return std::string(POSTERN_TESTDATA) + "/" + name;
}

void expect_golden(const std::string& name, std::string text) {
    std::erase(text, '\r');
    if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(golden_path(name)) << text;
    std::ostringstream expected;
    expected << std::ifstream(golden_path(name)).rdbuf();
    EXPECT_EQ(text, expected.str()) << name;
}

// As options.cc fills a template.
queue::BounceTemplate text_of(queue::BounceTemplate text) {
    text.body = queue::insert_times(text.body, Seconds{4 * 3600}, Seconds{5 * 86400});
    const std::string name = "$myhostname";
    text.body.replace(text.body.find(name), name.size(), "mail.example.test");
    return text;
}

constexpr std::string_view kReturned = "From: a\r\nSubject: b\r\n\r\nText.\r\n";

std::string whole(const Dsn& dsn) {
    DsnText text = make_dsn(dsn);
    return text.before + std::string(kReturned) + text.after;
}

Dsn sample() {
    Dsn dsn;
    dsn.queue_id = "C242A208186";
    dsn.myhostname = "mail.example.test";
    dsn.from_domain = "example.test";
    dsn.mail_name = "Postfix";
    dsn.to = "sender@client.test";
    dsn.sender = "sender@client.test";
    dsn.arrival = WallTime{Seconds{1795290600}};
    dsn.now = WallTime{Seconds{1795290719}};
    queue::BounceRecord remote;
    remote.address = "u1@b.test";
    remote.original = "alias@example.test";
    remote.action = "failed";
    remote.status = "5.1.1";
    remote.text =
        "host mx.b.test[192.0.2.1] said: 550 5.1.1 <u1@b.test>: Recipient address rejected: User "
        "unknown in local recipient table (in reply to RCPT TO command)";
    remote.remote_mta = "mx.b.test";
    remote.diagnostic_type = "smtp";
    queue::BounceRecord local;
    local.address = "nobody@example.test";
    local.original = "nobody@example.test";
    local.orcpt = "rfc822;Nobody@example.test";
    local.status = "5.1.1";
    local.text = "unknown user: \"nobody\"";
    local.diagnostic_type = "x-unix";
    dsn.text = text_of(queue::BounceTemplates::built_in().failure);
    dsn.recipients = {remote, local};
    return dsn;
}

TEST(Dsn, Failure) { expect_golden("failure.txt", whole(sample())); }

TEST(Dsn, Delay) {
    Dsn dsn = sample();
    dsn.kind = Dsn::Kind::delay;
    dsn.text = text_of(queue::BounceTemplates::built_in().delay);
    dsn.retry_until = dsn.arrival + Seconds{5 * 86400};
    dsn.headers_only = true;
    dsn.envid = "QQ314159";
    for (auto& record : dsn.recipients) record.action = "delayed", record.status = "4.4.1";
    expect_golden("delay.txt", whole(dsn));
}

TEST(Dsn, Success) {
    Dsn dsn = sample();
    dsn.kind = Dsn::Kind::success;
    dsn.text = text_of(queue::BounceTemplates::built_in().success);
    dsn.headers_only = true;
    for (auto& record : dsn.recipients)
        record.action = "relayed", record.status = "2.0.0", record.text = "250 Ok";
    expect_golden("success.txt", whole(dsn));
}

TEST(Dsn, VerifyReport) {
    Dsn dsn = sample();
    dsn.kind = Dsn::Kind::verify;
    dsn.text = text_of(queue::BounceTemplates::built_in().verify);
    dsn.headers_only = true;
    dsn.recipients[1].action = "delayed";
    const std::string text = whole(dsn);
    for (const std::string_view part :
         {"Subject: Mail Delivery Status Report\r\n", "Action: failed\r\n", "Action: delayed\r\n",
          "Content-Description: Message Headers\r\n"})
        EXPECT_NE(text.find(part), std::string::npos) << part << text;
}

TEST(Dsn, TemplatesOfOnesOwn) {
    Dsn dsn = sample();
    dsn.text = {"iso-8859-1", "Robot", "Zurueck", "Kopie", "Sch\xf6n.\n\n  Ende\n"};
    std::string text = whole(dsn);
    for (const std::string_view part :
         {"From: Robot@example.test\r\n", "Subject: Zurueck\r\n",
          "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
          "Sch\xf6n.\r\n\r\n  Ende\r\n\r\n<u1@b.test>",
          "boundary=\"C242A208186.1795290719/mail.example.test\"\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"})
        EXPECT_NE(text.find(part), std::string::npos) << part << text;
    dsn.to_postmaster = true;
    EXPECT_NE(whole(dsn).find("Subject: Kopie\r\n"), std::string::npos);
    for (const std::string from : {"robot@other.test", "Robot <robot@other.test>", "(x)"}) {
        dsn.text.from = from;
        EXPECT_NE(whole(dsn).find("From: " + from + "\r\n"), std::string::npos) << from;
    }
}

// RFC 3461 6.3: ORCPT as it was given, decoded; none that nobody gave but where the address
// changed.
TEST(Dsn, OriginalRecipients) {
    const struct {
        std::string original, orcpt, field;
    } cases[] = {
        {"", "", ""},
        {"alias@x.test", "", "Original-Recipient: rfc822;alias@x.test\r\n"},
        {"alias@x.test", "rfc822;o+2Bo@y.test", "Original-Recipient: rfc822;o+o@y.test\r\n"},
        {"", "x400;+2FS=x", "Original-Recipient: x400;+2FS=x\r\n"},
    };
    for (const auto& c : cases) {
        Dsn dsn = sample();
        dsn.recipients.resize(1);
        dsn.recipients[0].original = c.original;
        dsn.recipients[0].orcpt = c.orcpt;
        const std::string text = whole(dsn);
        EXPECT_EQ(text.find("Original-Recipient:") == text.npos, c.field.empty()) << c.orcpt;
        EXPECT_NE(text.find(c.field), std::string::npos) << text;
    }
}

TEST(Dsn, Utf8AndEightBit) {
    Dsn dsn = sample();
    dsn.utf8 = true;
    dsn.recipients[0].address = "ü@b.test";
    std::string text = whole(dsn);
    EXPECT_NE(text.find("report-type=global-delivery-status"), std::string::npos);
    EXPECT_NE(text.find("Final-Recipient: utf-8; ü@b.test\r\n"), std::string::npos);
    EXPECT_NE(text.find("Content-Type: message/global\r\n"), std::string::npos);
    EXPECT_NE(text.find("Final-Recipient: rfc822; "), std::string::npos) << "one by one";
    EXPECT_NE(text.find("\r\n<ü@b.test>"), std::string::npos);
    dsn.recipients[0].address = "a@b.test";
    dsn.utf8 = false;
    dsn.eight_bit = true;
    EXPECT_NE(
        whole(dsn).find("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n"),
        std::string::npos);
}

// RFC 6533 3: a report about mail without SMTPUTF8 has UTF-8 for people only.
TEST(Dsn, AddressesInUtf8WithoutSmtputf8) {
    Dsn dsn = sample();
    dsn.sender = "ä@x.test";
    dsn.recipients[0].address = "ü+@b.test";
    dsn.recipients[0].orcpt = "rfc822;+C3+BC@c.test";
    dsn.recipients[0].text = "host x said: 550 nö (in reply to RCPT TO command)";
    const std::string text = whole(dsn);
    const auto has = [&](std::string_view part) { return text.find(part) != text.npos; };
    EXPECT_TRUE(has("report-type=delivery-status;"));
    EXPECT_TRUE(
        has("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"));
    EXPECT_TRUE(has("<ü+@b.test>")) << text;
    EXPECT_TRUE(has("550 nö"));
    const auto status = text.find("Content-Type: message/delivery-status\r\n\r\n");
    ASSERT_NE(status, text.npos) << text;
    const std::string part = text.substr(status, text.find("\r\n--", status) - status);
    EXPECT_NE(part.find("-Sender: utf-8; \\x{E4}@x.test\r\n"), part.npos) << part;
    EXPECT_NE(part.find("Final-Recipient: utf-8; \\x{FC}\\x{2B}@b.test\r\n"), part.npos) << part;
    EXPECT_NE(part.find("Original-Recipient: utf-8;\\x{FC}@c.test\r\n"), part.npos) << part;
    EXPECT_TRUE(std::all_of(part.begin(), part.end(), [](char c) { return (c & 0x80) == 0; }));
    EXPECT_TRUE(is_8bit(dsn));
    dsn.recipients[0].address = "\xfc@b.test";  // nobody's UTF-8
    EXPECT_NE(whole(dsn).find("Final-Recipient: rfc822; ?@b.test\r\n"), std::string::npos);
}

TEST(Dsn, OriginalRecipientsInUtf8) {
    Dsn dsn = sample();
    dsn.utf8 = true;
    const struct {
        const char *orcpt, *shown;
    } cases[] = {
        {"utf-8;\\x{FC}\\x{2B}@c.test", "utf-8;ü+@c.test"}, {"utf-8;ü@c.test", "utf-8;ü@c.test"},
        {"rfc822;+C3+BC@c.test", "utf-8;ü@c.test"},  // as Postfix sends it
        {"utf-8;plain@c.test", "utf-8;plain@c.test"},       {"x400;+2Fc+3Dx", "x400;/c=x"},
    };
    for (const auto& c : cases) {
        dsn.recipients[0].orcpt = c.orcpt;
        EXPECT_NE(whole(dsn).find(cat({"Original-Recipient: ", c.shown, "\r\n"})),
                  std::string::npos)
            << c.orcpt;
    }
}

TEST(Dsn, EveryLineEndsInCrLfAndIsShort) {
    Dsn dsn = sample();
    dsn.recipients[0].text.assign(1500, 'y');
    for (int i = 0; i < 300; ++i) dsn.recipients[1].text += " word" + std::to_string(i);
    std::string text = whole(dsn);
    std::size_t start = 0;
    while (start < text.size()) {
        auto end = text.find('\n', start);
        ASSERT_NE(end, std::string::npos);
        ASSERT_EQ(text[end - 1], '\r');
        EXPECT_LE(end - start, 1600U);  // a single long word is not broken
        start = end + 1;
    }
}

TEST(WrapText, Cases) {
    struct {
        std::string in, out;
    } cases[] = {
        {"", "\r\n"},
        {"short text", "short text\r\n"},
        {"a  b\r\nc", "a b c\r\n"},
        {std::string(80, 'x'), std::string(80, 'x') + "\r\n"},
        {std::string(40, 'x') + " " + std::string(40, 'y'),
         std::string(40, 'x') + "\r\n    " + std::string(40, 'y') + "\r\n"},
    };
    for (auto& c : cases) EXPECT_EQ(wrap_text(c.in), c.out);
}

TEST(DiagnosticWords, Cases) {
    EXPECT_EQ(diagnostic_words("host a[1] said: 550 no (in reply to RCPT TO command)"), "550 no");
    EXPECT_EQ(diagnostic_words("host a[1] said: 550 no"), "550 no");
    EXPECT_EQ(diagnostic_words("connect to a: refused"), "connect to a: refused");
}

TEST(MailDate, Form) {
    EXPECT_EQ(mail_date(WallTime{Seconds{1795290719}}), "Sat, 21 Nov 2026 19:51:59 +0000 (UTC)");
    EXPECT_EQ(mail_date(WallTime{Seconds{1793577600}}), "Mon,  2 Nov 2026 00:00:00 +0000 (UTC)");
}

}  // namespace
}  // namespace postern::bounce
