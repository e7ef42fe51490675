#include "lib/sys/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "lib/base/fd.h"

namespace postern::sys {
namespace {

constexpr Millis kLong{20'000};

Command shell(std::string line, Millis limit = kLong) {
    Command command;
    command.argv = {"/bin/sh", "-c", std::move(line)};
    command.environment = {"PATH=/usr/bin:/bin"};
    command.time_limit = limit;
    return command;
}

InputSource text(std::string bytes) {
    return [bytes = std::move(bytes)](const WriteInput& write) { return write(bytes); };
}

class RunCommand : public testing::Test {
  protected:
    RunCommand() { static_cast<void>(std::signal(SIGPIPE, SIG_IGN)); }  // as every daemon does
};

TEST_F(RunCommand, PassesInputAndTellsHowItEnded) {
    const struct {
        std::string line, input;
        int status, signal;
        std::string output;
    } cases[] = {
        {"cat", "hello\n", 0, 0, "hello\n"},
        {"cat >/dev/null; echo no >&2; exit 75", "x", 75, 0, "no\n"},
        {"kill -9 $$", "", 0, SIGKILL, ""},
        {"exit 3", std::string(1 << 20, 'x'), 3, 0, ""},
        {"wc -c | tr -d ' '", std::string(1 << 20, 'x'), 0, 0, "1048576\n"},
        {"exec </dev/null; exit 4", std::string(1 << 20, 'x'), 4, 0, ""},
        {"yes | head -c 100000; exit 5", "", 5, 0, "y\ny\ny\ny\ny\ny\ny\ny\n"},
    };
    for (const auto& c : cases) {
        auto command = shell(c.line);
        command.output_limit = 16;
        const auto result = run_command(command, text(c.input));
        ASSERT_TRUE(result) << c.line << result.error().what;
        EXPECT_FALSE(result->timed_out) << c.line;
        EXPECT_EQ(result->exit_status, c.status) << c.line;
        EXPECT_EQ(result->signal, c.signal) << c.line;
        EXPECT_EQ(result->output, c.output) << c.line;
    }
}

TEST_F(RunCommand, EndsTheWholeGroupAtTheLimit) {
    const std::string fifo = testing::TempDir() + "/command-test-group";
    std::filesystem::remove(fifo);
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    const Fd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const std::string line = "exec 9>" + fifo + "; echo began >&9; echo began; sleep 60 & wait";
    for (const bool reads : {true, false}) {
        const auto result =
            run_command(shell(line, Millis{300}), text(reads ? "" : std::string(1 << 20, 'x')));
        ASSERT_TRUE(result);
        EXPECT_TRUE(result->timed_out);
        EXPECT_EQ(result->output, "began\n");
        // The fifo ends when nobody holds it any more, the grandchild included.
        char bytes[16];
        ssize_t n = 0;
        do {
            pollfd one{reader.get(), POLLIN, 0};
            ASSERT_EQ(poll(&one, 1, 20'000), 1);
        } while ((n = read(reader.get(), bytes, sizeof bytes)) > 0);
        EXPECT_EQ(n, 0);
    }
}

TEST_F(RunCommand, DoesNotWaitForWhatTheCommandLeavesBehind) {
    const auto result = run_command(shell("sleep 30 & echo done"), text(""));
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->timed_out);
    EXPECT_EQ(result->output, "done\n");
}

// Who writes without end keeps neither our reader nor our clock busy for ever.
TEST_F(RunCommand, EndsInTimeWhateverIsWritten) {
    const auto endless = run_command(shell("cat /dev/zero", Millis{300}), text(""));
    ASSERT_TRUE(endless);
    EXPECT_TRUE(endless->timed_out);
    // Left behind in a group of its own, and writing on.
    const auto left = run_command(shell("setsid cat /dev/zero & exit 3"), text(""));
    ASSERT_TRUE(left);
    EXPECT_FALSE(left->timed_out);
    EXPECT_EQ(left->exit_status, 3);
}

TEST_F(RunCommand, WorksWithoutStandardDescriptors) {
    const pid_t child = fork();
    if (child == 0) {
        close_range(0, ~0U, 0);
        const auto result = run_command(shell("cat; echo ok"), text("in\n"));
        _exit(result && result->output == "in\nok\n" ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST_F(RunCommand, HasOnlyTheGivenEnvironmentDirectoryAndDescriptors) {
    setenv("COMMAND_TEST_SECRET", "x", 1);
    auto command =
        shell("pwd; env | grep -c SECRET; ls /proc/self/fd | wc -l | tr -d ' '; echo $NAME");
    command.directory = "/usr";
    command.environment.push_back("NAME=value");
    const auto result = run_command(command, text(""));
    ASSERT_TRUE(result);
    EXPECT_EQ(result->output, "/usr\n0\n4\nvalue\n");  // ls has the folder itself open
    command.directory = "/nonexistent";
    const auto nowhere = run_command(command, text(""));
    ASSERT_TRUE(nowhere);
    EXPECT_EQ(nowhere->exit_status, 127);
    EXPECT_EQ(nowhere->output, "/nonexistent: No such file or directory\n");
}

TEST_F(RunCommand, CannotBeRun) {
    auto command = shell("");
    command.argv = {"/nonexistent/program"};
    const auto result = run_command(command, text(""));
    ASSERT_TRUE(result);
    EXPECT_EQ(result->exit_status, 127);
    EXPECT_EQ(result->output, "/nonexistent/program: No such file or directory\n");
    command.argv.clear();
    EXPECT_FALSE(run_command(command, text("")));
}

TEST_F(RunCommand, FailsWhenTheInputFails) {
    const auto result = run_command(shell("cat"), [](const WriteInput& write) -> Result<void> {
        TRY(write("half"));
        return Error{Errc::corrupt, "no more"};
    });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().what, "no more");
}

TEST(CommandWords, UseAShellWhereItIsNeeded) {
    const struct {
        std::string line, shell, expected;
    } cases[] = {
        {"/usr/bin/procmail -a x", "", "[/usr/bin/procmail][-a][x]"},
        {"exit 75", "", "[/bin/sh][-c][exit 75]"},
        {"cat >>$HOME/x", "", "[/bin/sh][-c][cat >>$HOME/x]"},
        {"prog x", "/usr/bin/smrsh -c", "[/usr/bin/smrsh][-c][prog x]"},
        {"", "", "[/bin/sh][-c][]"},
    };
    for (const auto& c : cases) {
        std::string shown;
        for (const auto& word : command_words(c.line, c.shell)) shown += "[" + word + "]";
        EXPECT_EQ(shown, c.expected);
    }
}

TEST(ExportedEnvironment, TakesWhatIsNamed) {
    setenv("COMMAND_TEST_ONE", "1", 1);
    unsetenv("COMMAND_TEST_TWO");
    EXPECT_EQ(exported_environment("COMMAND_TEST_ONE, COMMAND_TEST_TWO THREE=3"),
              (std::vector<std::string>{"PATH=/usr/bin:/bin", "COMMAND_TEST_ONE=1", "THREE=3"}));
    EXPECT_EQ(exported_environment("PATH=/opt/bin"), (std::vector<std::string>{"PATH=/opt/bin"}));
}

}  // namespace
}  // namespace postern::sys
