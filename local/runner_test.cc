#include "local/runner.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "lib/log/log.h"

#include "tests/support/temp_folder.h"

namespace postern::local {
namespace {

constexpr Millis kRunnerWait{20'000};

// Stands for the forwarding worker or the mailbox worker: answers each job with one outcome.
template <class Job>
class FakeWorker {
  public:
    explicit FakeWorker(ipc::Outcome outcome) : outcome_(outcome) {
        auto pair = sys::packet_pair();
        theirs = std::make_unique<ipc::Channel>(std::move(pair->first));
        thread_ = std::thread([this, mine = std::move(pair->second)]() mutable {
            ipc::Channel channel(std::move(mine));
            while (answer(channel)) continue;
        });
    }
    ~FakeWorker() { stop(); }
    void stop() {
        theirs.reset();
        if (thread_.joinable()) thread_.join();
    }
    std::unique_ptr<ipc::Channel> theirs;
    std::vector<Job> jobs;  // after stop()

  private:
    bool answer(ipc::Channel& channel) {
        auto packet = channel.receive_packet(Deadline::in(kRunnerWait));
        if (!packet) return false;
        auto job = packet->as<Job>();
        if (!job || packet->descriptor_count() != 2) return false;
        packet->take_descriptor(0);
        ipc::Channel connection(packet->take_descriptor(1));
        ipc::DeliverReport report;
        report.recipients.emplace_back();
        report.recipients[0].index = job->request.recipients[0].index;
        report.recipients[0].outcome = outcome_;
        jobs.push_back(std::move(*job));
        return connection.send(report, Deadline::in(kRunnerWait)).has_value();
    }
    ipc::Outcome outcome_;
    std::thread thread_;
};

class RunnerTest : public testing::Test {
  protected:
    RunnerTest() {
        static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
        log::open_capture();
        options_.myhostname = options_.myorigin = "here.test";
        options_.delimiters = "+";
        options_.forward_path = "$home/.forward${recipient_delimiter}${extension}, $home/.forward";
        options_.forward_filter = options_.command_filter = options_.directory_filter =
            "+@./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
        options_.commands_from = options_.files_from = {Origin::alias, Origin::forward};
        options_.time_limit = kRunnerWait;
        options_.environment = "LANG=C";
    }
    // Delivers to u1 with this .forward file; what the runner reported.
    ipc::RecipientReport deliver(const std::string& forward,
                                 const std::string& address = "u1@here.test") {
        if (!forward.empty()) std::ofstream(folder_ / ".forward") << forward;
        RunnerJob job;
        Target target;
        target.address = address;
        target.user = "u1";
        target.home = folder_.path();
        target.mailbox = folder_ / "Maildir/";
        target.command = mailbox_command_;
        job.targets = {target};
        return run(std::move(job), address);
    }
    ipc::RecipientReport run(RunnerJob job, const std::string& address) {
        const std::string head = head_ + "Subject: x\r\n\r\nhello\r\n";
        std::ofstream(folder_ / "queue") << head;
        const Fd file(::open((folder_ / "queue").c_str(), O_RDONLY | O_CLOEXEC));
        job.request.queue_id = *QueueId::parse("3f4GhJkLmN");
        job.request.sender = "s@far.test";
        job.request.body_size = head.size();
        job.request.recipients = {{7, address, "orig@here.test", 0, ""}};
        FakeWorker<ForwardJob> forwarding(forward_outcome_);
        FakeWorker<MailboxJob> mailboxes(mailbox_outcome_);
        Runner runner(sys::RealFs::instance(), options_, *forwarding.theirs,
                      mailboxes.theirs.get());
        auto report = runner.perform(job, file.get());
        forwarding.stop();
        mailboxes.stop();
        forwards_ = std::move(forwarding.jobs);
        to_mailbox_ = mailboxes.jobs.size();
        EXPECT_EQ(report.recipients.size(), 1u);
        EXPECT_EQ(report.recipients[0].index, 7u);
        return report.recipients[0];
    }
    std::string contents(const std::string& name) {
        std::ifstream in(folder_ / name);
        std::stringstream out;
        out << in.rdbuf();
        return out.str();
    }

    support::TempFolder folder_;
    RunnerOptions options_;
    std::string mailbox_command_, head_;
    ipc::Outcome forward_outcome_ = ipc::Outcome::accept, mailbox_outcome_ = ipc::Outcome::accept;
    std::vector<ForwardJob> forwards_;
    std::size_t to_mailbox_ = 0;
};

TEST_F(RunnerTest, ForwardsAndKeepsACopy) {
    const auto report = deliver("\\u1, a@far.test\nb@far.test\n", "u1+x@here.test");
    EXPECT_EQ(report.outcome, ipc::Outcome::accept);
    EXPECT_EQ(to_mailbox_, 1u);
    ASSERT_EQ(forwards_.size(), 1u);
    EXPECT_EQ(forwards_[0].forwards, (std::vector<std::string>{"a@far.test", "b@far.test"}));
    EXPECT_EQ(forwards_[0].request.sender, "s@far.test");
    EXPECT_EQ(forwards_[0].request.recipients[0].address, "u1+x@here.test");
    EXPECT_EQ(forwards_[0].request.recipients[0].original, "orig@here.test");
}

TEST_F(RunnerTest, RunsACommandWithTheMessage) {
    const auto report = deliver("\"|cat >" + (folder_ / "got") + "; env >" + (folder_ / "env") +
                                "; pwd >>" + (folder_ / "env") + "\"\n");
    EXPECT_EQ(report.outcome, ipc::Outcome::accept);
    EXPECT_TRUE(report.text.starts_with("delivered to command: cat >")) << report.text;
    const std::string got = contents("got");
    EXPECT_TRUE(got.starts_with("From s@far.test  ")) << got;
    EXPECT_NE(got.find("\nReturn-Path: <s@far.test>\nX-Original-To: orig@here.test\nDelivered-To: "
                       "u1@here.test\n"
                       "Subject: x\n\nhello\n"),
              std::string::npos)
        << got;
    for (const auto* line :
         {"\nHOME=", "LOGNAME=u1\n", "USER=u1\n", "SHELL=/bin/sh\n", "RECIPIENT=u1@here.test\n",
          "SENDER=s@far.test\n", "LOCAL=u1\n", "DOMAIN=here.test\n", "LANG=C\n",
          "PATH=/usr/bin:/bin\n", "ORIGINAL_RECIPIENT=orig@here.test\n"}) {
        EXPECT_NE(("\n" + contents("env")).find(line), std::string::npos)
            << line << contents("env");
    }
    EXPECT_NE(
        log::take_captured().find("to=<u1@here.test>, orig_to=<orig@here.test>, relay=local, "),
        std::string::npos);
}

TEST_F(RunnerTest, TellsHowACommandFailed) {
    EXPECT_EQ(deliver("\"|exit 75\"").status, "4.3.0");
    EXPECT_EQ(deliver("\"|echo go away; exit 77\"").text,
              "permission denied. Command output: go away");
    options_.time_limit = Millis{200};
    const auto report = deliver("\"|sleep 60\"");
    EXPECT_EQ(report.outcome, ipc::Outcome::reject);
    EXPECT_EQ(report.text, "Command time limit exceeded: \"sleep 60\"");
}

TEST_F(RunnerTest, DoesNotForwardWhatItWillDoAgain) {
    EXPECT_EQ(deliver("\"|exit 75\"\na@far.test\n").outcome, ipc::Outcome::defer);
    EXPECT_TRUE(forwards_.empty());
    // A command that failed for good does not keep up the others.
    EXPECT_EQ(deliver("\"|exit 1\"\na@far.test\n").outcome, ipc::Outcome::reject);
    EXPECT_EQ(forwards_.size(), 1u);
    mailbox_outcome_ = ipc::Outcome::defer;
    EXPECT_EQ(deliver("\\u1\na@far.test\n").outcome, ipc::Outcome::defer);
    EXPECT_TRUE(forwards_.empty());
    mailbox_outcome_ = ipc::Outcome::accept;
    forward_outcome_ = ipc::Outcome::defer;
    EXPECT_EQ(deliver("a@far.test\n").outcome, ipc::Outcome::defer);
}

TEST_F(RunnerTest, WritesFiles) {
    EXPECT_EQ(deliver(folder_ / "box").text, "delivered to file: " + (folder_ / "box"));
    EXPECT_TRUE(contents("box").ends_with("Delivered-To: u1@here.test\nSubject: x\n\nhello\n\n"));
    EXPECT_EQ(deliver(folder_ / "dir/").text, "delivered to maildir");
    EXPECT_EQ(deliver("/nonexistent/box").status, "5.2.0");
    // A folder of a Maildir++ that has a sum counts there.
    std::ofstream(folder_ / "dir/maildirsize") << "1000000S,5C\n0 0\n";
    EXPECT_EQ(deliver(folder_ / "dir/.News/").text, "delivered to maildir");
    EXPECT_TRUE(contents("dir/maildirsize").ends_with(" 1\n")) << contents("dir/maildirsize");
}

TEST_F(RunnerTest, DoesWhatIsAllowedOnly) {
    options_.commands_from = {Origin::alias};
    options_.files_from = {};
    EXPECT_EQ(deliver("|cat").text, "mail to command is restricted");
    EXPECT_EQ(deliver(folder_ / "box").text, "mail to file is restricted");
    EXPECT_EQ(contents("box"), "");
    options_.commands_from = {Origin::forward};
    std::ofstream(folder_ / "list") << "|cat\n";
    EXPECT_EQ(deliver(":include:" + (folder_ / "list")).status, "5.7.1");
}

TEST_F(RunnerTest, FallsBackToTheMailbox) {
    EXPECT_EQ(deliver("# nothing\n").outcome, ipc::Outcome::accept);
    EXPECT_EQ(to_mailbox_, 1u);
    unlink((folder_ / ".forward").c_str());
    EXPECT_EQ(deliver("").outcome, ipc::Outcome::accept);
    EXPECT_EQ(to_mailbox_, 1u);
    mailbox_command_ = "cat >" + (folder_ / "got");
    EXPECT_EQ(deliver("").text, "delivered to command: " + mailbox_command_);
    EXPECT_EQ(to_mailbox_, 0u);
    EXPECT_NE(contents("got").find("hello"), std::string::npos);
}

TEST_F(RunnerTest, StopsLoopsAndWaitsForWhatItCannotRead) {
    head_ = "Delivered-To: u1@here.test\r\n";
    EXPECT_EQ(deliver("a@far.test\n").text, "mail forwarding loop for u1@here.test");
    EXPECT_TRUE(forwards_.empty());
    head_.clear();
    EXPECT_EQ(deliver(":include:/nonexistent/list\n").outcome, ipc::Outcome::defer);
}

TEST_F(RunnerTest, CarriesOutAnAliasesOrders) {
    RunnerJob job;
    Target target;
    target.address = "list@here.test";
    job.targets = {target};
    job.orders = {{"|cat >" + (folder_ / "got"), Origin::alias, 0, 0},
                  {folder_ / "box", Origin::alias, 0, 0}};
    job.forwards = {"a@far.test"};
    EXPECT_EQ(run(job, "list@here.test").outcome, ipc::Outcome::accept);
    EXPECT_NE(contents("got").find("Delivered-To: list@here.test\n"), std::string::npos);
    EXPECT_NE(contents("box").find("hello\n\n"), std::string::npos);
    ASSERT_EQ(forwards_.size(), 1u);
    EXPECT_EQ(forwards_[0].request.recipients[0].address, "list@here.test");
}

TEST_F(RunnerTest, RunsInTheWantedFolder) {
    options_.directory = "$home";
    EXPECT_EQ(deliver("\"|pwd >" + (folder_ / "where") + "\"").outcome, ipc::Outcome::accept);
    EXPECT_EQ(contents("where"), folder_.path() + "\n");
    options_.directory = "$extension";
    EXPECT_EQ(deliver("|cat").status, "4.3.5");
}

}  // namespace
}  // namespace postern::local
