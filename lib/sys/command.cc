#include "lib/sys/command.h"

#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "lib/base/fd.h"
#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"

namespace postern::sys {
namespace {

constexpr int kCannotExecute = 127;         // as a shell says it
constexpr int kReadsAtATime = 32;           // two pipes full
constexpr rlim_t kUsualDescriptors = 1024;  // programs with select(2) trust in it

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> out;
    for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
    out.push_back(nullptr);
    return out;
}

void complain(const char* what) {
    const char* why = std::strerror(errno);
    for (const char* part : {what, ": ", why, "\n"}) {
        if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) return;
    }
}

// The new process from here on. Never returns.
[[noreturn]] void execute(const Command& command, int input, int output) {
    ::setpgid(0, 0);
    for (int signal = 1; signal < NSIG; ++signal) static_cast<void>(std::signal(signal, SIG_DFL));
    sigset_t none;
    sigemptyset(&none);
    static_cast<void>(::sigprocmask(SIG_SETMASK, &none, nullptr));
    // Above the standard ones first: in a process without them a pipe may have got one of their
    // numbers.
    input = ::fcntl(input, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    output = ::fcntl(output, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (::dup2(input, STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0 ||
        ::dup2(output, STDERR_FILENO) < 0)
        ::_exit(kCannotExecute);
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > kUsualDescriptors) {
        files.rlim_cur = kUsualDescriptors;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    if (!command.directory.empty() && ::chdir(command.directory.c_str()) != 0) {
        complain(command.directory.c_str());
        ::_exit(kCannotExecute);
    }
    auto argv = pointers(command.argv);
    auto environment = pointers(command.environment);
    ::execvpe(argv[0], argv.data(), environment.data());
    complain(argv[0]);
    ::_exit(kCannotExecute);
}

// The command while it runs: its pipes and its end.
class Running {
  public:
    Running(pid_t pid, Fd input, Fd output, Fd end, const Command& command)
        : pid_(pid),
          input_(std::move(input)),
          output_(std::move(output)),
          end_(std::move(end)),
          limit_(command.output_limit),
          deadline_(Deadline::in(command.time_limit)) {}
    ~Running() {
        if (!reaped_) kill_group();
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    Result<void> write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::write(input_.get(), bytes.data(), bytes.size());
            if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
            if (n >= 0 || errno == EINTR) continue;
            if (errno != EAGAIN)
                return Error{Errc::closed, "command: does not read its input", errno};
            TRY(wait(POLLOUT));
        }
        return {};
    }

    // Waits for the end, and says how it was.
    Result<CommandResult> finish() {
        input_.reset();
        while (!ended_) {
            auto waited = wait(0);
            if (!waited && waited.error().code == Errc::timeout) return killed();
            TRY(waited);
        }
        read_output();
        CommandResult result;
        TRY_ASSIGN(const int status, reap());
        if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
        if (WIFEXITED(status)) result.exit_status = WEXITSTATUS(status);
        result.output = std::move(kept_);
        return result;
    }

    // The command and all that it has started, unless that made a process group of its own.
    CommandResult killed() {
        kill_group();
        read_output();
        CommandResult result;
        result.timed_out = true;
        result.output = std::move(kept_);
        return result;
    }

  private:
    // Until the input can be written (if asked for), or something was read, or the command ended.
    Result<void> wait(short input_events) {
        pollfd all[] = {{output_.get(), POLLIN, 0},
                        {end_.get(), POLLIN, 0},
                        {input_events != 0 ? input_.get() : -1, input_events, 0}};
        const Millis left = deadline_.left();
        if (left == Millis{0}) return Error{Errc::timeout, "command: time limit exceeded"};
        const int n =
            ::poll(all, 3, static_cast<int>(std::min<std::int64_t>(left.count(), 1'000'000)));
        if (n < 0 && errno != EINTR) return system_error("wait for a command");
        if (n <= 0) return {};
        if (all[0].revents != 0) read_output();
        if (all[1].revents != 0) {
            ended_ = true;
            if (input_events != 0) return Error{Errc::closed, "command: ended before its input"};
        }
        return {};
    }

    // Not for ever: who writes faster than we read has us otherwise forget the time limit, and who
    // was left behind by the command writes on after its end.
    void read_output() {
        char bytes[4096];
        for (int turns = kReadsAtATime; output_ && turns > 0; --turns) {
            const ssize_t n = ::read(output_.get(), bytes, sizeof bytes);
            if (n < 0) return;
            if (n == 0) return output_.reset();
            const auto room = limit_ - std::min(limit_, kept_.size());
            kept_.append(bytes, std::min(room, static_cast<std::size_t>(n)));
        }
    }

    Result<int> reap() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0) {
            if (errno != EINTR) return system_error("wait for a command");
        }
        reaped_ = true;
        return status;
    }

    void kill_group() {
        ::kill(-pid_, SIGKILL);
        ::kill(pid_, SIGKILL);  // if it was not yet as far as to have a group
        static_cast<void>(reap().has_value());
    }

    pid_t pid_;
    Fd input_, output_, end_;
    std::size_t limit_;
    Deadline deadline_;
    std::string kept_;
    bool ended_ = false, reaped_ = false;
};

Fd handle_of(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool needs_shell(std::string_view line) {
    constexpr std::string_view kMagic = "$&*(){}[]|;'\"`<>?~#=%\\\n^!";
    constexpr std::string_view kBuiltIn[] = {
        ":",    ".",        "bg",     "break", "case",  "cd",   "continue", "eval",
        "exec", "exit",     "export", "fg",    "for",   "hash", "if",       "jobs",
        "read", "readonly", "return", "set",   "shift", "test", "times",    "trap",
        "type", "ulimit",   "umask",  "unset", "until", "wait", "while"};
    if (line.find_first_of(kMagic) != std::string_view::npos) return true;
    const auto words = split_words(line);
    return words.empty() ||
           std::find(std::begin(kBuiltIn), std::end(kBuiltIn), words.front()) != std::end(kBuiltIn);
}

}  // namespace

Result<CommandResult> run_command(const Command& command, const InputSource& input) {
    if (command.argv.empty()) return Error{Errc::invalid, "command: empty"};
    TRY_ASSIGN(Pipe in, make_pipe());
    TRY_ASSIGN(Pipe out, make_pipe());
    TRY(set_nonblocking(in.reading.get(),
                        false));  // the command's ends are as programs expect them
    TRY(set_nonblocking(out.writing.get(), false));
    const pid_t pid = ::fork();
    if (pid < 0) return system_error("fork");
    if (pid == 0) execute(command, in.reading.get(), out.writing.get());
    ::setpgid(pid, pid);  // both sides do it: whoever comes first
    in.reading.reset();
    out.writing.reset();
    Fd end = handle_of(pid);
    const int error = errno;
    const bool known = static_cast<bool>(end);
    Running running(pid, std::move(in.writing), std::move(out.reading), std::move(end), command);
    if (!known) return system_error("watch a command", error);
    auto fed = input([&](std::string_view bytes) { return running.write(bytes); });
    if (!fed && fed.error().code == Errc::timeout) return running.killed();
    if (!fed && fed.error().code != Errc::closed) return std::move(fed).error();
    return running.finish();
}

std::vector<std::string> command_words(std::string_view line, std::string_view shell) {
    std::vector<std::string> words;
    if (!shell.empty()) {
        for (const auto word : split_words(shell)) words.emplace_back(word);
        words.emplace_back(line);
        return words;
    }
    if (needs_shell(line)) return {_PATH_BSHELL, "-c", std::string(line)};
    for (const auto word : split_words(line)) words.emplace_back(word);
    return words;
}

std::vector<std::string> exported_environment(std::string_view names) {
    std::vector<std::string> out = {cat({"PATH=", _PATH_DEFPATH})};
    for (const auto word : split_words(names, ", \t\r\n")) {
        if (word.starts_with("PATH=")) {
            out.front() = word;
        } else if (word.find('=') != std::string_view::npos) {
            out.emplace_back(word);
        } else if (const char* value = ::getenv(std::string(word).c_str()); value != nullptr) {
            out.push_back(cat({word, "=", value}));
        }
    }
    return out;
}

}  // namespace postern::sys
