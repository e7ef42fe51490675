// An SMTP session with sendmail -bs: its lines go in, its answers and what it submits come out.
#include "commands/stand_alone.h"

#include "lib/base/strings.h"

namespace postern::commands {
namespace {

using testing::HasSubstr;

// What has been submitted, as maildrop files are checked (lib/queue/maildrop.h).
struct Submitted {
    std::vector<std::string> files;
    int aborted = 0;
    bool full = false;  // the disk
};

class FakeSubmission final : public Submission {
  public:
    explicit FakeSubmission(Submitted& to) : to_(to) {}
    ~FakeSubmission() override {
        if (!committed_) ++to_.aborted;
    }
    Result<void> write(std::string_view bytes) override {
        if (to_.full) return Error{Errc::no_space, "disk full"};
        bytes_ += bytes;
        return {};
    }
    Result<void> commit() override {
        committed_ = true;
        to_.files.push_back(bytes_);
        return {};
    }

  private:
    Submitted& to_;
    std::string bytes_;
    bool committed_ = false;
};

class StandAloneTest : public testing::Test {
  protected:
    // Feeds the input in portions of `portion` bytes; gives all that was said.
    std::string talk(std::string input, std::size_t portion = 1000) {
        std::string said;
        StandAloneDoors doors;
        doors.read = [&input, portion]() -> Result<std::string> {
            std::string part = input.substr(0, portion);
            input.erase(0, part.size());
            return part;
        };
        doors.write = [&said](std::string_view text) -> Result<void> {
            said += text;
            return {};
        };
        doors.open = [this]() -> Result<std::unique_ptr<Submission>> {
            if (cannot_open) return Error{Errc::temporary, "no room"};
            return std::unique_ptr<Submission>(std::make_unique<FakeSubmission>(submitted));
        };
        queue::MaildropEnvelope defaults;
        defaults.full_name = "Ann Other";
        defaults.recipients = {"not@used.test"};
        StandAlone session("mail.test", size_limit, defaults, std::move(doors));
        const auto done = session.run();
        EXPECT_TRUE(done) << done.error().what;
        return said;
    }
    // Envelope and text of a submitted file.
    static std::pair<queue::MaildropEnvelope, std::string> parsed(const std::string& file) {
        queue::MaildropParser parser;
        std::string text;
        EXPECT_TRUE(parser.feed(file, &text));
        EXPECT_TRUE(parser.complete());
        return {parser.envelope(), text};
    }
    Submitted submitted;
    std::uint64_t size_limit = 0;
    bool cannot_open = false;
};

const char* const kSession =
    "EHLO pine\r\nMAIL FROM:<ann@here.test> BODY=8BITMIME\r\nRCPT TO:<bob@x.test>\r\n"
    "RCPT TO:<eve@y.test>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n";

TEST_F(StandAloneTest, TakesAMessageHoweverItsBytesCome) {
    const std::string expected = talk(kSession);
    EXPECT_TRUE(expected.starts_with("220 mail.test ESMTP Postern\r\n")) << expected;
    EXPECT_THAT(expected, HasSubstr("354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Ok"));
    EXPECT_TRUE(expected.ends_with("221 2.0.0 Bye\r\n")) << expected;
    for (const std::size_t portion : {1U, 2U, 7U, 50U})
        EXPECT_EQ(talk(kSession, portion), expected) << portion;
    ASSERT_EQ(submitted.files.size(), 5U);
    for (const auto& file : submitted.files) {
        const auto [envelope, text] = parsed(file);
        EXPECT_EQ(envelope.sender, "ann@here.test");
        EXPECT_EQ(envelope.full_name, "Ann Other");
        EXPECT_EQ(envelope.recipients, (std::vector<std::string>{"bob@x.test", "eve@y.test"}));
        EXPECT_TRUE(envelope.body_8bit);
        EXPECT_EQ(text, "Subject: x\r\n\r\n.dot\r\n");
    }
}

// What a shell script writes.
TEST_F(StandAloneTest, LinesMayEndInLf) {
    const std::string session =
        "EHLO pine\nMAIL FROM:<ann@here.test>\nRCPT TO:<bob@x.test>\nDATA\nS: x\n\n..a\n.\nQUIT\n";
    const std::string expected = talk(session);
    EXPECT_TRUE(expected.ends_with("221 2.0.0 Bye\r\n")) << expected;
    for (const std::size_t portion : {1U, 3U}) EXPECT_EQ(talk(session, portion), expected);
    ASSERT_EQ(submitted.files.size(), 3U);
    for (const auto& file : submitted.files) EXPECT_EQ(parsed(file).second, "S: x\r\n\r\n.a\r\n");
}

TEST_F(StandAloneTest, TakesSeveralMessagesAndTheNullSender) {
    const std::string one = "MAIL FROM:<>\r\nRCPT TO:<bob@x.test>\r\nDATA\r\nn\r\n.\r\n";
    talk("HELO pine\r\n" + one + "MAIL FROM:<a@b.test>\r\nRSET\r\n" + one + "QUIT\r\n");
    ASSERT_EQ(submitted.files.size(), 2U);
    EXPECT_EQ(parsed(submitted.files[1]).first.sender, "");
}

TEST_F(StandAloneTest, AnEndInTheMiddleSubmitsNothing) {
    const std::string whole = kSession;
    for (std::size_t cut = 0; cut < whole.find("QUIT") - 1; ++cut) talk(whole.substr(0, cut));
    EXPECT_TRUE(submitted.files.empty());
    EXPECT_GT(submitted.aborted, 0);
}

TEST_F(StandAloneTest, SaysWhatIsWrong) {
    size_limit = 100;
    const auto said =
        talk(cat({"HELO p\r\nFROB\r\nSTARTTLS\r\nAUTH PLAIN AGEAYg==\r\nVRFY bob\r\n"
                  "MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@x.test>\r\nDATA\r\n",
                  std::string(200, 'x'), "\r\n.\r\nNOOP\r\n", std::string(3000, 'y')}));
    EXPECT_THAT(said, HasSubstr("500 5.5.2 Error: command not recognized\r\n"));
    EXPECT_THAT(said, HasSubstr("552 5.3.4 Error: message file too big\r\n250 2.0.0 Ok\r\n"));
    EXPECT_TRUE(said.ends_with("500 5.5.2 Error: line too long\r\n")) << said;
    EXPECT_TRUE(submitted.files.empty());
}

TEST_F(StandAloneTest, ManyErrorsEndTheSession) {
    std::string junk;
    for (int i = 0; i < 100; ++i) junk += "JUNK\r\n";
    EXPECT_THAT(talk(junk), testing::EndsWith("421 4.7.0 mail.test Error: too many errors\r\n"));
}

TEST_F(StandAloneTest, WhatCannotBeKeptIsTriedLater) {
    submitted.full = true;
    EXPECT_THAT(talk(kSession), HasSubstr("451 4.3.0 Error: queue file write error\r\n"));
    submitted.full = false;
    cannot_open = true;
    EXPECT_THAT(talk(kSession), HasSubstr("451 4.3.0 Error: queue file write error\r\n"));
    EXPECT_TRUE(submitted.files.empty());
}

}  // namespace
}  // namespace postern::commands
