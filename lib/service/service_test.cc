// Each style of daemon is run for real in a child process, with the test as its master and its client.

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/control.h"
#include "lib/ipc/messages/queue.h"
#include "lib/log/log.h"
#include "lib/service/child.h"
#include "lib/service/profiles.h"
#include "lib/service/scoreboard.h"
#include "lib/service/service.h"
#include "lib/service/snapshot.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"

namespace postern::service {
namespace {

using ipc::QueueNudge;

Deadline soon() { return Deadline::in(Millis{5000}); }
const QueueId kId = *QueueId::parse("4cQ1bbbBBB");

// Answers each nudge with the same nudge.
class EchoWorker : public Worker {
  public:
    void serve(ipc::Channel& channel) override {
        const auto question = channel.receive<QueueNudge>(soon());
        if (question) static_cast<void>(channel.send(*question, soon()).has_value());
    }
    void on_wakeup() override { log::info("", "woken"); }
};

class EchoForked : public Forked {
  public:
    void serve(ipc::Channel channel) override { EchoWorker().serve(channel); }
};

class EchoLoop : public LoopService {
  public:
    explicit EchoLoop(const LoopContext& context) : loop_(context.loop), ended_(context.session_ended) {}
    void on_connection(Fd socket) override {
        channel_ = std::make_unique<ipc::LoopChannel>(
            loop_, std::move(socket),
            ipc::LoopChannel::Handler{[this](ipc::Packet p) { static_cast<void>(channel_->send(*p.as<QueueNudge>()).has_value()); },
                                      [this](Error) { channel_.reset(); ended_(); }});
    }
    std::size_t session_limit() const override { return 1; }

  private:
    loop::Loop& loop_;
    std::function<void()> ended_;
    std::unique_ptr<ipc::LoopChannel> channel_;
};

// A daemon in a temporary queue_directory, born as master would let it be.
class Daemon {
  public:
    explicit Daemon(int (*run)(int, char**)) {
        char name[] = "/tmp/service_test_XXXXXX";
        folder_ = ::mkdtemp(name);
        EXPECT_TRUE(sys::replace_file(folder_ + "/main.cf", "queue_directory = " + folder_ + "\nmax_idle = 10s\n"));
        EXPECT_TRUE(sys::replace_file(folder_ + "/master.cf", ""));
        auto ends = *sys::packet_pair();
        board_ = std::make_unique<Scoreboard>(*Scoreboard::create());
        Fd listener = *sys::listen_unix(path(), 0600);
        pid_ = ::fork();
        if (pid_ == 0) live(run, ends.second.get(), listener.get());
        control_ = std::make_unique<ipc::Channel>(std::move(ends.first));
    }
    ~Daemon() {
        if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
        for (const char* file : {"main.cf", "master.cf", "socket", "log"}) ::unlink((folder_ + "/" + file).c_str());
        ::rmdir(folder_.c_str());
    }

    std::string path() const { return folder_ + "/socket"; }
    Scoreboard& board() { return *board_; }
    ipc::Channel& control() { return *control_; }
    bool ready() {
        auto status = control_->receive<ipc::Status>(soon());
        return status && status->event == ipc::StatusEvent::ready && status->generation == 7;
    }
    std::string ask() {
        auto answer = ipc::call<QueueNudge>(path(), QueueNudge{kId}, soon());
        return answer ? answer->file.str() : answer.error().what;
    }
    int wait_end() {
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        return status;
    }
    std::string log() const { return sys::read_file(folder_ + "/log", 1 << 20).value_or(""); }

  private:
    [[noreturn]] void live(int (*run)(int, char**), int control, int listener) {
        const int log = ::open((folder_ + "/log").c_str(), O_WRONLY | O_APPEND | O_CREAT, 0600);
        const Fd config = *seal_snapshot(*config::Snapshot::read(folder_));
        const int sources[] = {control, board_->fd(), log, log, config.get(), listener};
        int moved[6];
        for (int i = 0; i < 6; ++i) moved[i] = ::fcntl(sources[i], F_DUPFD, 50);
        for (int i = 0; i < 6; ++i) ::dup2(moved[i], kControlFd + i);
        if (sys::is_root()) {
            // Root would need the daemons' users; anybody else plays them all.
            constexpr uid_t kSomebody = 65534;
            if (::chown(folder_.c_str(), kSomebody, kSomebody) != 0 || !sys::become_user(kSomebody, kSomebody)) ::_exit(99);
        }
        ::setenv(kChildVariable, "7 0 1 1", 1);
        std::vector<std::string> words = {"error", "-n", "echo", "-t", "unix", "-o", "max_idle=20s"};
        std::vector<char*> argv;
        for (auto& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        ::_exit(run(static_cast<int>(words.size()), argv.data()));
    }

    std::string folder_;
    std::unique_ptr<Scoreboard> board_;
    std::unique_ptr<ipc::Channel> control_;
    pid_t pid_ = -1;
};

int run_echo_worker(int argc, char** argv) {
    return run_worker(argc, argv, [](const Context& c) -> Result<std::unique_ptr<Worker>> {
        if (c.service != "echo" || c.config.get(param::max_idle) != Seconds{20}) return Error{Errc::invalid, "context"};
        return std::unique_ptr<Worker>(std::make_unique<EchoWorker>());
    });
}
int run_echo_loop(int argc, char** argv) {
    return run_loop(argc, argv, [](const LoopContext& c) -> Result<std::unique_ptr<LoopService>> { return std::unique_ptr<LoopService>(std::make_unique<EchoLoop>(c)); });
}
int run_echo_forking(int argc, char** argv) {
    return run_forking(argc, argv, [](const Context&) -> Result<std::unique_ptr<Forked>> { return std::unique_ptr<Forked>(std::make_unique<EchoForked>()); });
}
int run_failing(int argc, char** argv) {
    return run_worker(argc, argv, [](const Context&) -> Result<std::unique_ptr<Worker>> { return Error{Errc::invalid, "table x: broken"}; });
}

class EveryStyle : public testing::TestWithParam<int (*)(int, char**)> {};
INSTANTIATE_TEST_SUITE_P(Styles, EveryStyle, testing::Values(&run_echo_worker, &run_echo_loop, &run_echo_forking));

TEST_P(EveryStyle, ServesAndEndsWhenToldTo) {
    Daemon daemon(GetParam());
    ASSERT_TRUE(daemon.ready()) << daemon.log();
    EXPECT_EQ(daemon.ask(), kId.str());
    EXPECT_EQ(daemon.ask(), kId.str());
    EXPECT_EQ(daemon.board().served(0), 2U);
    ASSERT_TRUE(daemon.control().send(ipc::Control{ipc::Order::drain}, soon()));
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
}

TEST_P(EveryStyle, EndsWithItsMaster) {
    Daemon daemon(GetParam());
    ASSERT_TRUE(daemon.ready());
    static_cast<void>(daemon.control().release());
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
}

TEST(Worker, TellsWhenItTakesTheLastIdleSlot) {
    Daemon daemon(run_echo_worker);
    ASSERT_TRUE(daemon.ready());
    EXPECT_EQ(daemon.ask(), kId.str());
    auto status = daemon.control().receive<ipc::Status>(soon());
    ASSERT_TRUE(status);
    EXPECT_EQ(status->event, ipc::StatusEvent::all_busy);
}

TEST(Worker, IsWokenUp) {
    Daemon daemon(run_echo_worker);
    ASSERT_TRUE(daemon.ready());
    ASSERT_TRUE(daemon.control().send(ipc::Control{ipc::Order::wakeup}, soon()));
    EXPECT_TRUE(daemon.control().receive<ipc::Status>(soon()));  // it is at it
    EXPECT_EQ(daemon.ask(), kId.str());                          // and has done with it
    EXPECT_NE(daemon.log().find("woken"), std::string::npos);
}

TEST(LoopService, StopsAcceptingAtItsLimit) {
    Daemon daemon(run_echo_loop);
    ASSERT_TRUE(daemon.ready());
    auto first = ipc::Channel::connect(daemon.path(), soon());
    ASSERT_TRUE(first);
    ASSERT_TRUE(first->send(QueueNudge{kId}, soon()));
    ASSERT_TRUE(first->receive<QueueNudge>(soon()));
    EXPECT_EQ(daemon.control().receive<ipc::Status>(soon())->event, ipc::StatusEvent::all_busy);
    EXPECT_EQ(daemon.board().sessions(0), 1U);
    auto second = ipc::Channel::connect(daemon.path(), soon());
    ASSERT_TRUE(second);
    ASSERT_TRUE(second->send(QueueNudge{kId}, soon()));
    EXPECT_EQ(second->receive<QueueNudge>(Deadline::in(Millis{30})).error().code, Errc::timeout);
    static_cast<void>(first->release());
    EXPECT_TRUE(second->receive<QueueNudge>(soon()));
}

TEST(Start, FailsWithAReason) {
    Daemon daemon(run_failing);
    EXPECT_NE(daemon.wait_end(), 0);
    EXPECT_NE(daemon.log().find("fatal: table x: broken"), std::string::npos) << daemon.log();
}

TEST(Arguments, AreChecked) {
    const auto parse = [](std::vector<std::string> words) {
        std::vector<char*> argv;
        for (auto& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        return parse_arguments(static_cast<int>(words.size()), argv.data());
    };
    EXPECT_EQ(parse({"x", "-n", "smtp", "-t", "inet", "-o", "a=b=c", "-v"})->overrides.front().second, "b=c");
    EXPECT_FALSE(parse({"x"}));
    EXPECT_FALSE(parse({"x", "-n", "smtp", "-o", "nonsense"}));
    EXPECT_FALSE(parse({"x", "-n", "smtp", "-Q"}));
}

TEST(Profiles, NetworkAndRootNeverMeet) {
    for (const auto& profile : profiles()) {
        const bool network = has(profile.promises, sys::Promise::inet_accepted) || has(profile.promises, sys::Promise::inet_connect);
        EXPECT_FALSE(network && profile.account == Account::root) << profile.program;
        EXPECT_FALSE(network && has(profile.promises, sys::Promise::write_files)) << profile.program;
        EXPECT_EQ(profile.restricts_itself, profile.account == Account::root) << profile.program;
    }
    EXPECT_EQ(find_profile("no-such"), nullptr);
}

TEST(Scoreboard, KnowsWhoIsIdle) {
    auto board = *Scoreboard::create();
    EXPECT_FALSE(board.any_idle());
    board.set_state(3, Scoreboard::State::idle);
    EXPECT_TRUE(board.any_idle());
    board.set_state(3, Scoreboard::State::busy);
    EXPECT_FALSE(board.any_idle());
    board.set_sessions(3, 9);
    board.clear(3);
    EXPECT_EQ(board.sessions(3), 0U);
}

}  // namespace
}  // namespace postern::service
