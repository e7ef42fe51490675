#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "lib/ipc/messages/auth.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/log/log.h"
#include "lib/mailbox/store.h"
#include "lib/queue/agent_report.h"
#include "lib/queue/message_text.h"

#include "local/dispatcher.h"
#include "local/mailbox_worker.h"

namespace postern::local {
namespace {

constexpr Millis kWait{20'000};
const uid_t kUid = geteuid() == 0 ? 54321 : geteuid();
const gid_t kGid = geteuid() == 0 ? 54321 : getegid();

std::string read_all(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

Target to(std::string mailbox, std::string address) {
    Target target;
    target.mailbox = std::move(mailbox);
    target.address = std::move(address);
    return target;
}

MailboxOptions mailbox_options() {
    MailboxOptions options;
    options.myhostname = "here.test";
    return options;
}

// A folder with a queue file and homes.
class Delivery : public testing::Test {
  protected:
    Delivery() {
        std::string pattern = "/tmp/postern-local-XXXXXX";
        root_ = mkdtemp(pattern.data());
        chmod(root_.c_str(), 0755);
        std::filesystem::create_directory(root_ + "/home");
        EXPECT_EQ(chown((root_ + "/home").c_str(), kUid, kGid), 0);
        log::open_capture();
    }
    ~Delivery() override { std::filesystem::remove_all(root_); }

    // The message begins at byte 5 of the file.
    Fd queue_file(const std::string& text) {
        std::ofstream(root_ + "/queue") << "HEAD:" << text;
        size_ = text.size();
        return Fd(::open((root_ + "/queue").c_str(), O_RDONLY | O_CLOEXEC));
    }
    ipc::DeliverRequest request(std::vector<std::string> recipients) {
        ipc::DeliverRequest r;
        r.queue_id = *QueueId::parse("3f4GhJkLmN");
        r.service = "local";
        r.sender = "s@far.test";
        r.body_offset = 5;
        r.body_size = size_;
        r.arrival = r.queue_active = SystemClock::instance().now();
        std::uint32_t index = 10;
        for (auto& address : recipients)
            r.recipients.push_back({index++, std::move(address), "", 0, ""});
        return r;
    }
    // The files in a Maildir's new/.
    std::vector<std::string> messages(const std::string& maildir) {
        std::vector<std::string> all;
        std::error_code none;
        for (const auto& entry : std::filesystem::directory_iterator(maildir + "/new", none))
            all.push_back(read_all(entry.path()));
        return all;
    }

    std::string root_;
    std::size_t size_ = 0;
};

TEST_F(Delivery, ConvertsLineEnds) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"a\r\nb\r\n", "a\nb\n"},
        {"a\rb\r\n", "a\rb\n"},
        {"a", "a\n"},
        {"a\r", "a\r\n"},
        {"\r\r\n", "\r\n"},
        {"", ""},
        {"a\nb\n", "a\nb\n"},
        {std::string(131'071, 'x') + "\r\ny\r\n", std::string(131'071, 'x') + "\ny\n"},
        {std::string(131'071, 'x') + "\ry\r\n", std::string(131'071, 'x') + "\ry\n"},
    };
    for (const auto& [in, expected] : cases) {
        const Fd file = queue_file(in);
        std::string out;
        ASSERT_TRUE(queue::copy_with_lf(sys::RealFs::instance(), {file.get(), 5, size_},
                                        [&](std::string_view bytes) -> Result<void> {
                                            out += bytes;
                                            return {};
                                        }));
        EXPECT_EQ(out, expected);
    }
    const Fd file = queue_file("short");
    EXPECT_FALSE(queue::copy_as_is(sys::RealFs::instance(), {file.get(), 5, size_ + 1},
                                   [](auto) { return Result<void>(); }));
}

TEST_F(Delivery, NoticesLoops) {
    const Fd file = queue_file(
        "From: x\r\nDelivered-To: a@here.test\r\nDELIVERED-TO:  B@here.test \r\n\r\nDelivered-To: "
        "c@here.test\r\n");
    const queue::MessageText text{file.get(), 5, size_};
    const auto seen = [&](std::string_view who) {
        return *queue::delivered_before(sys::RealFs::instance(), text, who);
    };
    EXPECT_TRUE(seen("A@here.test"));
    EXPECT_TRUE(seen("b@here.test"));
    EXPECT_FALSE(seen("c@here.test"));
}

TEST_F(Delivery, MergesReports) {
    ipc::DeliverReport all;
    queue::merge_report(all, queue::report_entry(1, Verdict::accept()));
    queue::merge_report(all, queue::report_entry(2, Verdict::reject("5.1.1", "no")));
    queue::merge_report(all, queue::report_entry(1, Verdict::defer("4.3.0", "later")));
    queue::merge_report(all, queue::report_entry(2, Verdict::accept()));
    ASSERT_EQ(all.recipients.size(), 2u);
    EXPECT_EQ(all.recipients[0].outcome, ipc::Outcome::defer);
    EXPECT_EQ(all.recipients[1].outcome, ipc::Outcome::reject);
}

TEST_F(Delivery, DeliversGroupsAndReportsEachJob) {
    std::vector<OpenJob> jobs;
    std::vector<ipc::Channel> answers;
    for (const auto* user : {"u1", "u2"}) {
        OpenJob job;
        job.file = queue_file("Delivered-To: old@here.test\r\nSubject: x\r\n\r\n.body\r\n");
        job.job.request = request({std::string(user) + "@here.test", "old@here.test"});
        job.job.targets = {to(root_ + "/" + user + "/", std::string(user) + "@here.test"),
                           to(root_ + "/old/", "old@here.test")};
        auto pair = sys::packet_pair();
        job.connection = std::move(pair->first);
        answers.emplace_back(std::move(pair->second));
        jobs.push_back(std::move(job));
    }
    jobs[1].job.targets[0].mailbox = "/proc/nothing/here/";
    MailboxWorker worker(sys::RealFs::instance(), mailbox_options(), nullptr);
    worker.deliver(jobs);
    auto first = answers[0].receive<ipc::DeliverReport>(Deadline::in(kWait));
    auto second = answers[1].receive<ipc::DeliverReport>(Deadline::in(kWait));
    ASSERT_TRUE(first && second);
    ASSERT_EQ(first->recipients.size(), 2u);
    EXPECT_EQ(first->recipients[0].index, 10u);
    EXPECT_EQ(first->recipients[0].outcome, ipc::Outcome::accept);
    EXPECT_EQ(first->recipients[0].text, "delivered to maildir");
    EXPECT_EQ(first->recipients[1].status, "5.4.6");
    EXPECT_EQ(first->recipients[1].text, "mail forwarding loop for old@here.test");
    EXPECT_EQ(second->recipients[0].outcome, ipc::Outcome::defer);
    ASSERT_EQ(messages(root_ + "/u1").size(), 1u);
    EXPECT_EQ(messages(root_ + "/u1")[0],
              "Return-Path: <s@far.test>\nX-Original-To: u1@here.test\nDelivered-To: u1@here.test\n"
              "Delivered-To: old@here.test\nSubject: x\n\n.body\n");
    const std::string logged = log::take_captured();
    EXPECT_NE(logged.find("3f4GhJkLmN: to=<u1@here.test>, relay=local, delay=0"), std::string::npos)
        << logged;
    EXPECT_NE(logged.find(", dsn=2.0.0, status=sent (delivered to maildir)"), std::string::npos);
    EXPECT_NE(logged.find(", dsn=5.4.6, status=bounced (mail forwarding loop for old@here.test)"),
              std::string::npos);
    EXPECT_NE(logged.find("status=deferred (maildir delivery failed: "), std::string::npos);
}

TEST_F(Delivery, PreparesForReadersBeforeItEnds) {
    auto store = mailbox::Store::open(root_ + "/home/u");
    ASSERT_TRUE(store) << store.error().what;
    const mailbox::Mailbox inbox = store->mailbox("INBOX").value();
    { const auto opened_before = inbox.open(mailbox::Access::read_write).value(); }
    std::vector<OpenJob> jobs(1);
    jobs[0].file = queue_file("Subject: x\r\n\r\nbody\r\n");
    jobs[0].job.request = request({"u@here.test"});
    jobs[0].job.targets = {to(root_ + "/home/u/", "u@here.test")};
    auto pair = sys::packet_pair();
    jobs[0].connection = std::move(pair->first);
    MailboxWorker worker(sys::RealFs::instance(), mailbox_options(), nullptr);
    worker.deliver(jobs);
    auto parent = sys::packet_pair();
    parent->second.reset();
    ipc::Channel channel(std::move(parent->first));
    worker.run(channel);
    const auto view = inbox.open(mailbox::Access::read_only).value();
    ASSERT_EQ(view->count(), 1U);
    ASSERT_TRUE(view->cached(1));
    EXPECT_EQ(view->cached(1)->header, "Return-Path: <s@far.test>\r\nX-Original-To: u@here.test\r\n"
                                       "Delivered-To: u@here.test\r\nSubject: x\r\n");
}

// Workers after a reload, and sessions, are processes of their own.
TEST_F(Delivery, TakesTurnsAtAQuota) {
    constexpr int kWorkers = 8, kRoom = 3;
    std::filesystem::create_directories(root_ + "/u1");
    int start[2];
    ASSERT_EQ(::pipe(start), 0);
    std::vector<pid_t> workers;
    for (int i = 0; i < kWorkers; ++i) {
        const pid_t pid = ::fork();
        if (pid != 0) {
            workers.push_back(pid);
            continue;
        }
        ::close(start[1]);
        char byte = 0;
        (void)!::read(start[0], &byte, 1);  // all at once, when the last one is there
        auto pair = sys::packet_pair();
        OpenJob job;
        job.file = queue_file("Subject: x\r\n\r\nbody\r\n");
        job.connection = std::move(pair->first);
        job.job.request = request({"u1@here.test"});
        job.job.targets = {to(root_ + "/u1/", "u1@here.test")};
        job.job.targets[0].quota_rule = "*:messages=" + std::to_string(kRoom);
        std::vector<OpenJob> jobs;
        jobs.push_back(std::move(job));
        MailboxWorker(sys::RealFs::instance(), mailbox_options(), nullptr).deliver(jobs);
        ::_exit(0);
    }
    ::close(start[1]);
    for (const pid_t pid : workers) {
        int status = 0;
        ::waitpid(pid, &status, 0);
        EXPECT_EQ(status, 0);
    }
    ::close(start[0]);
    EXPECT_EQ(messages(root_ + "/u1").size(), static_cast<std::size_t>(kRoom));
}

// Answers every connection to `path` with `serve` until destroyed.
class Server {
  public:
    Server(const std::string& path, std::function<void(ipc::Channel&)> serve)
        : serve_(std::move(serve)) {
        listener_ = *sys::listen_unix(path, 0666);
        auto pair = sys::packet_pair();
        stop_ = std::move(pair->first);
        thread_ = std::thread([this, other = std::move(pair->second)] { run(other.get()); });
    }
    ~Server() {
        stop_.reset();
        thread_.join();
    }

  private:
    void run(int stop) {
        for (;;) {
            pollfd both[] = {{listener_.get(), POLLIN, 0}, {stop, POLLIN, 0}};
            poll(both, 2, -1);
            if (both[1].revents != 0) return;
            Fd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!connection) continue;
            ipc::Channel channel(std::move(connection));
            serve_(channel);
        }
    }
    std::function<void(ipc::Channel&)> serve_;
    Fd listener_, stop_;
    std::thread thread_;
};

class WholeProgram : public Delivery {
  protected:
    Options options() {
        Options o;
        o.myhostname = "here.test";
        o.completion = {"here.test", "here.test", true, false};
        o.classes.mydestination = "here.test";
        o.recipient_delimiter = "+";
        o.alias_maps = "inline:{postmaster=u1, far=x@far.test, {u2=u2, copy@far.test}}";
        return o;
    }
    // Serves one request in a fresh dispatcher; forked processes log to standard error.
    ipc::DeliverReport ask(const Options& o, const ipc::DeliverRequest& r,
                           const std::string& text) {
        auto request = r;
        const Fd file = queue_file(text);
        request.body_size = size_;
        auto pair = sys::packet_pair();
        ipc::Channel qmgr(std::move(pair->first)), connection(std::move(pair->second));
        const int descriptors[] = {file.get()};
        EXPECT_TRUE(qmgr.send(request, Deadline::in(kWait), {}, descriptors));
        Dispatcher dispatcher(o, {"", geteuid(), getegid(), getegid()},
                              {root_ + "/auth", root_ + "/cleanup", root_});
        dispatcher.serve(connection);
        connection.release();
        auto report = qmgr.receive<ipc::DeliverReport>(Deadline::in(kWait));
        EXPECT_TRUE(report) << report.error().what;
        return report ? *report : ipc::DeliverReport{};
    }
    void answer_auth(ipc::Channel& channel) {
        auto question = channel.receive<ipc::UserRequest>(Deadline::in(kWait));
        if (!question) return;
        ipc::UserAnswer answer;
        const bool known = question->user == "u1" || question->user == "u2";
        answer.outcome = known ? ipc::UserOutcome::known : ipc::UserOutcome::unknown;
        if (known) {
            answer.user = question->user;
            answer.uid = kUid;
            answer.gid = kGid;
            answer.home = root_ + "/home/" + question->user;
            answer.mailbox = answer.home + "/Maildir";
            answer.quota_rule = quota_rule_;
        }
        (void)channel.send(answer, Deadline::in(kWait)).has_value();
    }
    void answer_cleanup(ipc::Channel& channel) {
        auto packet = channel.receive_packet(Deadline::in(kWait));
        if (!packet) return;
        auto open = packet->as<ipc::SubmitOpen>();
        if (!open || packet->descriptor_count() != 1) return;
        submitted_sender_ = open->sender;
        for (const auto& one : open->recipients) {
            submitted_to_ += one.address + " ";
            submitted_notify_ = one.notify;
        }
        Fd content = packet->take_descriptor();
        (void)channel.send(ipc::SubmitOpened{}, Deadline::in(kWait)).has_value();
        char bytes[4096];
        for (ssize_t n = 0;
             (void)sys::wait_ready(content.get(), sys::Ready::read, Deadline::in(kWait))
                 .has_value(),
                     (n = read(content.get(), bytes, sizeof bytes)) > 0;) {
            submitted_.append(bytes, static_cast<std::size_t>(n));
        }
        auto end = channel.receive<ipc::SubmitEnd>(Deadline::in(kWait));
        ipc::SubmitResult result;
        const bool complete = end && end->size == submitted_.size();
        result.outcome = complete ? ipc::Outcome::accept : ipc::Outcome::defer;
        result.queue_id = *QueueId::parse("4NWqRsTvWx");
        (void)channel.send(result, Deadline::in(kWait)).has_value();
    }

    std::string quota_rule_;
    std::string submitted_, submitted_to_, submitted_sender_;
    int submitted_notify_ = -1;
};

TEST_F(WholeProgram, TellsWhetherThereIsRoom) {
    Server auth(root_ + "/auth", [this](auto& channel) { answer_auth(channel); });
    quota_rule_ = "*:bytes=100";
    const auto outcome = [&](const std::string& recipient, std::uint64_t size) {
        auto pair = sys::packet_pair();
        ipc::Channel policy(std::move(pair->first)), connection(std::move(pair->second));
        EXPECT_TRUE(policy.send(ipc::QuotaQuestion{recipient, size}, Deadline::in(kWait)));
        Dispatcher dispatcher(options(), {"", geteuid(), getegid(), getegid()},
                              {root_ + "/auth", root_ + "/cleanup", root_, geteuid()});
        dispatcher.serve(connection);
        connection.release();
        auto answer = policy.receive<ipc::QuotaAnswer>(Deadline::in(kWait));
        EXPECT_TRUE(answer) << answer.error().what;
        return answer ? answer->outcome : ipc::Outcome::defer;
    };
    std::filesystem::create_directories(root_ + "/home/u1");
    EXPECT_EQ(outcome("u1@here.test", 50), ipc::Outcome::accept);
    EXPECT_EQ(outcome("u1@here.test", 101), ipc::Outcome::reject);
    EXPECT_EQ(outcome("Postmaster@here.test", 101), ipc::Outcome::reject) << "an alias of one";
    EXPECT_EQ(outcome("u2@here.test", 101), ipc::Outcome::accept) << "he has a copy sent on";
    EXPECT_EQ(outcome("far@here.test", 101), ipc::Outcome::accept);
    EXPECT_EQ(outcome("unknown@here.test", 101), ipc::Outcome::accept);
}

TEST_F(WholeProgram, WhoMayOnlyAskHasNothingDelivered) {
    auto pair = sys::packet_pair();
    ipc::Channel policy(std::move(pair->first)), connection(std::move(pair->second));
    const Fd file = queue_file("Subject: x\r\n\r\nhello\r\n");
    const int descriptors[] = {file.get()};
    ASSERT_TRUE(policy.send(request({"u1@here.test"}), Deadline::in(kWait), {}, descriptors));
    Dispatcher dispatcher(options(), {"", geteuid(), getegid(), getegid()},
                          {root_ + "/auth", root_ + "/cleanup", root_, geteuid()});
    dispatcher.serve(connection);
    connection.release();
    EXPECT_EQ(policy.receive<ipc::DeliverReport>(Deadline::in(kWait)).error().code, Errc::closed);
    EXPECT_TRUE(messages(root_ + "/home/u1/Maildir").empty());
}

// Each attempt would deliver to the mailbox again.
TEST_F(WholeProgram, NothingIsDeliveredForARecipientThatIsDeferred) {
    Server auth(root_ + "/auth", [this](auto& channel) { answer_auth(channel); });
    auto o = options();
    o.alias_maps = "inline:{{u1=u1, |true}}";
    o.default_privs = "no-such-user";
    const auto report =
        ask(o, request({"u1@here.test", "u2@here.test"}), "Subject: x\r\n\r\nhello\r\n");
    ASSERT_EQ(report.recipients.size(), 2u);
    for (const auto& one : report.recipients) {
        EXPECT_EQ(one.outcome, one.index == 10 ? ipc::Outcome::defer : ipc::Outcome::accept);
        EXPECT_EQ(one.text == "mail system configuration error", one.index == 10) << one.text;
    }
    EXPECT_FALSE(std::filesystem::exists(root_ + "/home/u1"));
    EXPECT_EQ(messages(root_ + "/home/u2/Maildir").size(), 1u);
}

TEST_F(WholeProgram, DeliversToMailUsers) {
    Server auth(root_ + "/auth", [this](auto& channel) { answer_auth(channel); });
    const auto report =
        ask(options(), request({"Postmaster@here.test"}), "Subject: x\r\n\r\nhello\r\n");
    ASSERT_EQ(report.recipients.size(), 1u);
    EXPECT_EQ(report.recipients[0].text, "delivered to maildir");
    const auto found = messages(root_ + "/home/u1/Maildir");
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0],
              "Return-Path: <s@far.test>\nX-Original-To: Postmaster@here.test\nDelivered-To: "
              "Postmaster@here.test\nSubject: x\n\nhello\n");
    auto followed = options();
    followed.runner.frozen_delivered_to = false;
    ask(followed, request({"Postmaster@here.test"}), "Subject: x\r\n\r\nhello\r\n");
    const auto all = messages(root_ + "/home/u1/Maildir");
    EXPECT_THAT(all, testing::Contains(testing::HasSubstr("\nDelivered-To: u1@here.test\n")));
    // Where an alias leads, and what Delivered-To calls it: both would be a loop.
    for (const std::string seen : {"u1@here.test", "Postmaster@here.test"}) {
        const auto loop = ask(options(), request({"Postmaster@here.test"}),
                              "Delivered-To: " + seen + "\r\n\r\nhello\r\n");
        EXPECT_EQ(loop.recipients.at(0).status, "5.4.6") << seen;
    }
    struct stat st {};
    ASSERT_EQ(stat((root_ + "/home/u1/Maildir/new").c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, kUid);
}

TEST_F(WholeProgram, PassesUsersToAnotherAgent) {
    Server auth(root_ + "/auth", [this](auto& channel) { answer_auth(channel); });
    ipc::DeliverRequest seen;
    Server agent(root_ + "/lmtp", [&](ipc::Channel& channel) {
        auto packet = channel.receive_packet(Deadline::in(kWait));
        if (!packet || packet->descriptor_count() != 1) return;
        seen = *packet->as<ipc::DeliverRequest>();
        ipc::DeliverReport report;
        report.recipients.push_back(
            queue::report_entry(seen.recipients[0].index, Verdict::accept("2.1.5", "taken")));
        (void)channel.send(report, Deadline::in(kWait)).has_value();
    });
    auto o = options();
    o.mailbox_transport = "lmtp:unix:lda";
    const auto report = ask(o, request({"postmaster@here.test"}), "Subject: x\r\n\r\nhello\r\n");
    ASSERT_EQ(report.recipients.size(), 1u);
    EXPECT_EQ(report.recipients[0].text, "taken");
    EXPECT_EQ(seen.service, "lmtp");
    EXPECT_EQ(seen.next_hop, "unix:lda");
    EXPECT_EQ(seen.recipients[0].address, "u1@here.test");
    EXPECT_EQ(seen.recipients[0].original, "postmaster@here.test");
    // Nobody there, and names that lead elsewhere: the mail waits.
    o.mailbox_transport = "nobody:";
    EXPECT_EQ(ask(o, request({"u1@here.test"}), "\r\n").recipients[0].outcome, ipc::Outcome::defer);
    for (const auto* bad : {"../auth:", "local:", ":x", "a/b"}) {
        o.mailbox_transport = bad;
        EXPECT_EQ(ask(o, request({"u1@here.test"}), "\r\n").recipients[0].status, "4.3.5") << bad;
    }
}

TEST_F(WholeProgram, KnowsWhereUnknownUsersGo) {
    Server auth(root_ + "/auth", [this](auto& channel) { answer_auth(channel); });
    auto o = options();
    o.luser_relay = "catch@far.test";
    o.runner.forward_filter = "abcdefghijklmnopqrstuvwxyz@.";
    {
        Server cleanup(root_ + "/cleanup", [this](auto& channel) { answer_cleanup(channel); });
        const auto report = ask(o, request({"no-such@here.test"}), "Subject: x\r\n\r\nhello\r\n");
        ASSERT_EQ(report.recipients.size(), 1u);
        EXPECT_EQ(report.recipients[0].outcome, ipc::Outcome::accept);
    }
    EXPECT_EQ(submitted_to_, "catch@far.test ");
    o.fallback_transport = "nobody:";
    EXPECT_EQ(ask(o, request({"no-such@here.test"}), "\r\n").recipients[0].outcome,
              ipc::Outcome::defer);
}

TEST_F(WholeProgram, BouncesUnknownUsersAndDefersWithoutAuth) {
    {
        Server auth(root_ + "/auth", [this](auto& channel) { answer_auth(channel); });
        const auto report = ask(options(), request({"NoSuchUser@here.test"}), "\r\n");
        ASSERT_EQ(report.recipients.size(), 1u);
        EXPECT_EQ(report.recipients[0].status, "5.1.1");
        EXPECT_EQ(report.recipients[0].text, "unknown user: \"nosuchuser\"");
    }
    const auto report = ask(options(), request({"u1@here.test"}), "\r\n");
    ASSERT_EQ(report.recipients.size(), 1u);
    EXPECT_EQ(report.recipients[0].outcome, ipc::Outcome::defer);
}

TEST_F(WholeProgram, JoinsMailboxAndForwarding) {
    Server auth(root_ + "/auth", [this](auto& channel) { answer_auth(channel); });
    ipc::DeliverReport report;
    {
        Server cleanup(root_ + "/cleanup", [this](auto& channel) { answer_cleanup(channel); });
        report = ask(options(), request({"u2@here.test", "nobody-here@here.test"}),
                     "Subject: x\r\n\r\nhello\r\n");
    }
    ASSERT_EQ(report.recipients.size(), 2u);
    for (const auto& one : report.recipients) {
        EXPECT_EQ(one.outcome, one.index == 10 ? ipc::Outcome::accept : ipc::Outcome::reject)
            << one.text;
    }
    EXPECT_EQ(messages(root_ + "/home/u2/Maildir").size(), 1u);
    EXPECT_EQ(submitted_to_, "copy@far.test ");
    EXPECT_EQ(submitted_sender_, "s@far.test");
    EXPECT_EQ(submitted_, "Delivered-To: u2@here.test\r\nSubject: x\r\n\r\nhello\r\n");
}

// RFC 3461 5.2.7.2
TEST_F(WholeProgram, TellsOfSuccessWhereAnAliasForwards) {
    for (const auto& [asked, passed] :
         {std::pair{ipc::kNotifySuccess, ipc::kNotifyNever},
          std::pair<std::uint8_t, std::uint8_t>{6, ipc::kNotifyFailure},
          std::pair<std::uint8_t, std::uint8_t>{0, 0}}) {
        Server cleanup(root_ + "/cleanup", [this](auto& channel) { answer_cleanup(channel); });
        auto r = request({"far@here.test"});
        r.recipients[0].notify = asked;
        submitted_.clear();
        const auto report = ask(options(), r, "Subject: x\r\n\r\nhello\r\n");
        ASSERT_EQ(report.recipients.size(), 1u);
        EXPECT_EQ(report.recipients[0].action, ipc::DsnAction::expanded);
        EXPECT_EQ(submitted_notify_, passed);
    }
}

TEST_F(WholeProgram, ForwardsEvenWhenTheOwnMailboxDoesNotExist) {
    Server auth(root_ + "/auth", [this](auto& channel) { answer_auth(channel); });
    auto o = options();
    o.alias_maps = "inline:{{nobody-here=nobody-here, copy@far.test}}";
    ipc::DeliverReport report;
    {
        Server cleanup(root_ + "/cleanup", [this](auto& channel) { answer_cleanup(channel); });
        report = ask(o, request({"nobody-here@here.test"}), "Subject: x\r\n\r\nhello\r\n");
    }
    ASSERT_EQ(report.recipients.size(), 1u);
    EXPECT_EQ(report.recipients[0].status, "5.1.1");
    EXPECT_EQ(submitted_to_, "copy@far.test ");
}

TEST_F(WholeProgram, DefersWhenCleanupIsAway) {
    Server auth(root_ + "/auth", [this](auto& channel) { answer_auth(channel); });
    const auto report = ask(options(), request({"u2@here.test"}), "Subject: x\r\n\r\nhello\r\n");
    ASSERT_EQ(report.recipients.size(), 1u);
    EXPECT_EQ(report.recipients[0].outcome, ipc::Outcome::defer);
}

TEST_F(WholeProgram, DeliversToVirtualMailboxes) {
    auto o = options();
    o.is_virtual = true;
    o.virtual_mailbox_base = root_ + "/home";
    o.virtual_mailbox_maps =
        "inline:{v1@vm.test=vm/v1/, v2@vm.test=vm/v2/, evil@vm.test=../../x/, mbox@vm.test=mbox}";
    o.virtual_uid_maps = "static:" + std::to_string(kUid);
    o.virtual_gid_maps = "static:" + std::to_string(kGid);
    const auto report =
        ask(o, request({"v1@vm.test", "v2@vm.test", "evil@vm.test", "mbox@vm.test", "no@vm.test"}),
            "A: b\r\n\r\nx\r\n");
    ASSERT_EQ(report.recipients.size(), 5u);
    std::map<std::uint32_t, std::string> status;
    for (const auto& one : report.recipients) status[one.index] = one.status;
    EXPECT_EQ(status,
              (std::map<std::uint32_t, std::string>{
                  {10, "2.0.0"}, {11, "2.0.0"}, {12, "4.3.5"}, {13, "2.0.0"}, {14, "5.1.1"}}));
    EXPECT_TRUE(read_all(root_ + "/home/mbox").starts_with("From s@far.test  "));
    EXPECT_EQ(messages(root_ + "/home/vm/v1").size(), 1u);
    EXPECT_EQ(messages(root_ + "/home/vm/v2").size(), 1u);
}

}  // namespace
}  // namespace postern::local
