// A daemon of lib/service in a process of its own, with the test as its master and its client.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/ipc/messages/control.h"
#include "lib/ipc/messages/queue.h"
#include "lib/log/log.h"
#include "lib/service/child.h"
#include "lib/service/scoreboard.h"
#include "lib/service/service.h"
#include "lib/service/snapshot.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"

namespace postern::service {

using ipc::QueueNudge;

inline Deadline soon() { return Deadline::in(Millis{30'000}); }
inline const QueueId kId = *QueueId::parse("4cQ1bbbBBB");
inline const QueueId kStuck = *QueueId::parse("4cQ1bbbCCC");  // who is asked this never answers

inline void get_stuck() {
    for (;;) ::pause();
}

// Answers each nudge with the same nudge.
class EchoWorker : public Worker {
  public:
    Conversation serve(ipc::Channel& channel) override {
        const auto question = channel.receive<QueueNudge>(soon());
        if (question && question->file == kStuck) get_stuck();
        if (!question || !channel.send(*question, soon())) return Conversation::over;
        return Conversation::goes_on;
    }
    void on_wakeup() override { log::info("", "woken"); }
};

class EchoForked : public Forked {
  public:
    void serve(ipc::Channel channel) override { static_cast<void>(EchoWorker().serve(channel)); }
};

// A daemon in a temporary queue_directory, born as master would let it be.
class Daemon {
  public:
    struct Entry {  // of master.cf
        std::string type, program;
    };
    explicit Daemon(int (*run)(int, char**), rlim_t descriptors = 0,
                    const std::string& option = "max_idle=20s", Entry entry = {"unix", "error"})
        : descriptors_(descriptors), option_(option), entry_(std::move(entry)) {
        char name[] = "/tmp/service_test_XXXXXX";
        folder_ = ::mkdtemp(name);
        EXPECT_TRUE(sys::replace_file(folder_ + "/main.cf",
                                      "queue_directory = " + folder_ + "\nmax_idle = 10s\n"));
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
        std::filesystem::remove_all(folder_);
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
    pid_t pid() const { return pid_; }
    void pause(bool on) { ::kill(pid_, on ? SIGSTOP : SIGCONT); }
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
        const int records =
            ::open((folder_ + "/records").c_str(), O_WRONLY | O_APPEND | O_CREAT, 0600);
        const int sources[] = {control, board_->fd(), log, log, config.get(), records, listener};
        int moved[7];
        for (int i = 0; i < 7; ++i) moved[i] = ::fcntl(sources[i], F_DUPFD, 50);
        for (int i = 0; i < 7; ++i) ::dup2(moved[i], kControlFd + i);
        if (sys::is_root()) {
            // Root would need the daemons' users; anybody else plays them all.
            constexpr uid_t kSomebody = 65534;
            if (::chown(folder_.c_str(), kSomebody, kSomebody) != 0 ||
                !sys::become_user(kSomebody, kSomebody))
                ::_exit(99);
        }
        ::setenv(kChildVariable, "7 0 1 1 1", 1);
        std::vector<std::string> words = {entry_.program, "-n", "echo", "-t",
                                          entry_.type,    "-o", option_};
        if (descriptors_ != 0) {
            const rlimit limit{descriptors_, descriptors_};
            ::setrlimit(RLIMIT_NOFILE, &limit);
        }
        std::vector<char*> argv;
        for (auto& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        ::_exit(run(static_cast<int>(words.size()), argv.data()));
    }

    rlim_t descriptors_;
    std::string option_;
    Entry entry_;
    std::string folder_;
    std::unique_ptr<Scoreboard> board_;
    std::unique_ptr<ipc::Channel> control_;
    pid_t pid_ = -1;
};

inline int run_echo_forking(int argc, char** argv) {
    return run_forking(argc, argv, [](const Context&) -> Result<std::unique_ptr<Forked>> {
        return std::unique_ptr<Forked>(std::make_unique<EchoForked>());
    });
}

}  // namespace postern::service
