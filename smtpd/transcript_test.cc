#include "smtpd/transcript.h"

namespace postern::smtpd {
namespace {

TEST(Transcript, ClassesOfReplies) {
    const struct {
        std::string reply;
        bool by_rule;
        Classes classes;
    } cases[] = {
        {"250 2.1.0 Ok\r\n", false, 0},
        {"354 End data with <CR><LF>.<CR><LF>\r\n", false, 0},
        {"221 2.0.0 Bye\r\n", false, 0},
        {"", false, 0},
        {"554", false, 0},
        {"554 5.7.1 <a@b>: Relay access denied\r\n", true, kPolicy},
        {"550 5.1.1 <a@b>: Recipient address rejected\r\n", true, kPolicy},
        {"500 5.5.2 Error: command not recognized\r\n", false, kProtocol},
        {"501 Syntax: HELO hostname\r\n", false, kProtocol},
        {"452 4.3.1 Insufficient system storage\r\n", true, kResource},
        {"451 4.3.0 Error: queue file write error\r\n", true, kResource},
        {"451 4.3.5 Server configuration problem\r\n", true, kSoftware},
        {"552 5.3.4 Error: message file too big\r\n", true, kData},
        {"553 5.6.7 Must declare SMTPUTF8 to send unicode address\r\n", false, kData},
        {"550 5.5.2 mail.test Error: bare <LF> received\r\n", true, kData},
    };
    for (const auto& c : cases) EXPECT_EQ(class_of_reply(c.reply, c.by_rule), c.classes) << c.reply;
}

TEST(Transcript, NamesOfClasses) {
    EXPECT_EQ(classes_in({"resource", "Software"}), kResource | kSoftware);
    EXPECT_EQ(classes_in({"bounce", "2bounce", "delay"}), 0);
    EXPECT_EQ(classes_in({"policy", "protocol", "data"}), kPolicy | kProtocol | kData);
}

TEST(Transcript, Letter) {
    Transcript t(kProtocol);
    t.out("220 mail.test ESMTP\r\n", false);
    t.in("EHLO x\x01");
    t.out("250-mail.test\r\n250 SIZE\r\n", false);
    t.in("AUTH PLAIN AGFubgBzZWNyZXQ=");
    t.in_secret();
    EXPECT_FALSE(t.is_wanted());
    t.out("554 5.7.1 <x>: Relay access denied\r\n", true);
    EXPECT_FALSE(t.is_wanted()) << "another class";
    t.out("500 5.5.2 Error: command not recognized\r\n", false);
    EXPECT_TRUE(t.is_wanted());
    t.aborted("lost connection after EHLO");
    EXPECT_EQ(
        t.letter("Postern", "postmaster", "unknown[192.0.2.1]"),
        "From: MAILER-DAEMON (Mail Delivery System)\r\nTo: postmaster\r\n"
        "Subject: Postern SMTP server: errors from unknown[192.0.2.1]\r\n"
        "Auto-Submitted: auto-generated\r\n\r\n"
        "Transcript of session follows.\r\n\r\n"
        " Out: 220 mail.test ESMTP\r\n In:  EHLO x?\r\n Out: 250-mail.test\r\n Out: 250 SIZE\r\n"
        " In:  AUTH PLAIN [not shown]\r\n In:  [not shown]\r\n"
        " Out: 554 5.7.1 <x>: Relay access denied\r\n"
        " Out: 500 5.5.2 Error: command not recognized\r\n\r\n"
        "\r\nSession aborted, reason: lost connection after EHLO\r\n"
        "\r\nFor other details, see the local mail logfile\r\n");
}

TEST(Transcript, IsBounded) {
    Transcript t(kPolicy), nothing(0);
    for (int i = 0; i < 10000; ++i) {
        t.in(std::string(5000, 'x'));
        nothing.in("x");
    }
    t.out("554 5.7.1 last\r\n", true);
    nothing.out("554 5.7.1 last\r\n", true);
    const auto letter = t.letter("P", "p", "c");
    EXPECT_LT(letter.size(), 20000u);
    EXPECT_NE(letter.find("(what came before is left out)"), std::string::npos);
    EXPECT_NE(letter.find(" Out: 554 5.7.1 last\r\n"), std::string::npos);
    EXPECT_FALSE(nothing.is_wanted());
    EXPECT_LT(nothing.letter("P", "p", "c").size(), 400u);
}

// smtpd_history_flush_threshold: what has been told is not told again.
TEST(Transcript, BeginsAnew) {
    Transcript t(kProtocol);
    t.in("FOO");
    t.out("500 5.5.2 Error: command not recognized\r\n", false);
    EXPECT_EQ(t.lines(), 2u);
    EXPECT_TRUE(t.is_wanted());
    t.clear();
    EXPECT_EQ(t.lines(), 0u);
    EXPECT_FALSE(t.is_wanted());
    t.in("QUIT");
    EXPECT_EQ(t.letter("Postern", "p@x.test", "c").find("FOO"), std::string::npos);
}

}  // namespace
}  // namespace postern::smtpd
