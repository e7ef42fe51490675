#include "pipe/agent.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "lib/log/log.h"

#include "tests/support/temp_folder.h"

namespace postern::pipe {
namespace {

class AgentTest : public testing::Test {
  protected:
    AgentTest() {
        static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
        log::open_capture();
        options_.service = "filter";
        options_.delimiters = "+";
        options_.time_limit = Millis{20'000};
        options_.uid = geteuid();
        options_.gid = getegid();
        request_.queue_id = *QueueId::parse("3f4GhJkLmN");
        request_.sender = "s@far.test";
        request_.recipients = {{7, "u@here.test", "o@here.test", 0, ""}};
    }
    ipc::DeliverReport deliver(const std::string& script,
                               const std::string& message = "A: b\r\n\r\n.x\r\nFrom y\r\n") {
        options_.attributes.argv = {"/bin/sh", "-c", script, "name", "$recipient"};
        std::ofstream(folder_ / "queue") << "HEAD:" << message;
        request_.body_offset = 5;
        request_.body_size = message.size();
        const Fd file(::open((folder_ / "queue").c_str(), O_RDONLY | O_CLOEXEC));
        return Agent(options_).deliver(sys::RealFs::instance(), request_, file.get());
    }
    std::string got() {
        std::ifstream in(folder_ / "got");
        std::stringstream out;
        out << in.rdbuf();
        return out.str();
    }
    std::string catch_all() const { return "cat >" + (folder_ / "got"); }

    support::TempFolder folder_;
    Options options_;
    ipc::DeliverRequest request_;
};

TEST_F(AgentTest, PassesTheMessageAsItIs) {
    const auto report = deliver(catch_all() + "; echo $$1");
    ASSERT_EQ(report.recipients.size(), 1u);
    EXPECT_EQ(report.recipients[0].outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients[0].text, "delivered via filter service (u@here.test)");
    EXPECT_EQ(report.recipients[0].action, ipc::DsnAction::relayed);
    EXPECT_EQ(got(), "A: b\n\n.x\nFrom y\n");
    EXPECT_NE(log::take_captured().find(
                  "3f4GhJkLmN: to=<u@here.test>, orig_to=<o@here.test>, relay=filter, delay="),
              std::string::npos);
}

TEST_F(AgentTest, WritesWhatTheFlagsSay) {
    auto& f = options_.attributes.flags;
    f.blank_line = f.delivered = f.from_line = f.original = f.return_path = f.final = f.stuff_dots =
        f.quote_from = true;
    options_.attributes.eol = "\r\n";
    request_.sender.clear();
    EXPECT_EQ(deliver(catch_all()).recipients[0].action, ipc::DsnAction::delivered);
    const std::string text = got();
    EXPECT_TRUE(text.starts_with("From MAILER-DAEMON  ")) << text;
    EXPECT_EQ(text.substr(text.find("\r\n")),
              "\r\nReturn-Path: <MAILER-DAEMON>\r\nX-Original-To: o@here.test\r\nDelivered-To: "
              "u@here.test\r\nA: b\r\n\r\n"
              "..x\r\n>From y\r\n\r\n");
    options_.attributes.null_sender.clear();
    deliver(catch_all());
    EXPECT_NE(got().find("Return-Path: <>\r\n"), std::string::npos);
}

TEST_F(AgentTest, TellsOfAllRecipients) {
    request_.recipients.push_back({8, "v@here.test", "", 0, ""});
    const auto report = deliver("echo 4.2.2 full; exit 1");
    ASSERT_EQ(report.recipients.size(), 2u);
    for (const auto& one : report.recipients) {
        EXPECT_EQ(one.outcome, ipc::Outcome::defer);
        EXPECT_EQ(one.status + " " + one.text, "4.2.2 full");
    }
    options_.attributes.flags.delivered = true;
    EXPECT_EQ(deliver("true").recipients[0].status, "4.3.5");
    EXPECT_NE(log::take_captured().find("need filter_destination_recipient_limit = 1"),
              std::string::npos);
}

TEST_F(AgentTest, RefusesLargeMessagesAndLoops) {
    options_.attributes.size = 10;
    EXPECT_EQ(deliver("true").recipients[0].text,
              "message size 20 exceeds size limit 10 of service filter");
    options_.attributes.size = 0;
    options_.attributes.flags.delivered = true;
    EXPECT_EQ(deliver("true", "Delivered-To: U@here.test\r\n\r\n").recipients[0].status, "5.4.6");
}

TEST_F(AgentTest, ObeysTimeLimitAndDirectory) {
    options_.attributes.directory = folder_.path();
    deliver("pwd >got");
    EXPECT_EQ(got(), folder_.path() + "\n");
    options_.time_limit = Millis{200};
    EXPECT_EQ(deliver("sleep 60").recipients[0].text, "Command time limit exceeded: \"/bin/sh\"");
    EXPECT_EQ(deliver("exit 67").recipients[0].text, "user unknown");
}

TEST_F(AgentTest, AnswersQmgr) {
    options_.attributes.argv = {"/bin/sh", "-c", catch_all()};
    std::ofstream(folder_ / "queue") << "A: b\r\n";
    request_.body_size = 6;
    const Fd file(::open((folder_ / "queue").c_str(), O_RDONLY | O_CLOEXEC));
    auto pair = sys::packet_pair();
    ASSERT_TRUE(pair);
    ipc::Channel qmgr(std::move(pair->first)), ours(std::move(pair->second));
    const int descriptors[] = {file.get()};
    ASSERT_TRUE(qmgr.send(request_, Deadline::in(Millis{30'000}), {}, descriptors));
    EXPECT_EQ(Agent(options_).serve(ours), service::Worker::Conversation::over);
    const auto report = qmgr.receive<ipc::DeliverReport>(Deadline::in(Millis{30'000}));
    ASSERT_TRUE(report) << report.error().what;
    EXPECT_EQ(report->recipients[0].outcome, ipc::Outcome::accept);
    EXPECT_EQ(got(), "A: b\n");
}

}  // namespace
}  // namespace postern::pipe
