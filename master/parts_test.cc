// Master's parts that touch the system: sockets, the birth of a process, the service manager, the
// log.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "lib/config/config.h"
#include "lib/service/child.h"
#include "lib/service/key_files.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"
#include "lib/sys/socket.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"
#include "tests/support/temp_folder.h"

#include "master/endpoints.h"
#include "master/log_file.h"
#include "master/notify.h"
#include "master/process.h"

namespace postern::master {
namespace {

using support::TempFolder;

Deadline soon() { return Deadline::in(Millis{10'000}); }

config::Config configured(const std::string& text) { return config::Config::parse(text).value(); }

config::MasterEntry entry(const std::string& line) {
    return config::MasterFile::parse(line + "\n").value().entries().front();
}

// --- Endpoints ---

TEST(EndpointPlan, IsEqualWhenTheSocketsAre) {
    const struct {
        const char *line, *main_cf, *plan;
    } cases[] = {
        {"policy unix - - n - - policy", "", "private/policy"},
        {"cleanup unix n - n - - cleanup", "", "public/cleanup"},
        {"smtp inet n - n - - smtpd", "inet_interfaces = all\ninet_protocols = ipv4",
         "0.0.0.0,:::smtp ipv4"},
        {"smtp inet n - n - - smtpd", "inet_interfaces = loopback-only\ninet_protocols = ipv4",
         "127.0.0.1,::1:smtp ipv4"},
        {"10.0.0.1:25 inet n - n - - smtpd", "inet_interfaces = all\ninet_protocols = ipv4",
         "10.0.0.1:25 ipv4"},
        {"[::1]:25 inet n - n - - smtpd", "inet_protocols = ipv4, ipv6", "::1:25 ipv4,ipv6"},
    };
    for (const auto& c : cases)
        EXPECT_EQ(endpoint_plan(entry(c.line), configured(c.main_cf)), c.plan) << c.line;
}

TEST(Endpoints, AreBoundAndNamedAsBound) {
    const auto config = configured("inet_protocols = ipv4\ninet_interfaces = 127.0.0.1");
    for (const char* line : {"0 inet n - n - - smtpd", "127.0.0.1:0 inet n - n - - smtpd"}) {
        const auto endpoints = open_endpoints(entry(line), config).value();
        ASSERT_EQ(endpoints.size(), 1U) << line;
        EXPECT_EQ(endpoints[0].name, sys::local_address(endpoints[0].socket.get()).str());
        EXPECT_FALSE(endpoints[0].name.ends_with(":0"));
        EXPECT_NE(::fcntl(endpoints[0].socket.get(), F_GETFD) & FD_CLOEXEC, 0);
        EXPECT_TRUE(sys::start_connect(*sys::SocketAddress::parse(endpoints[0].name)));
    }
}

TEST(Endpoints, OneAddressIsBoundOnce) {
    const auto config =
        configured("inet_protocols = ipv4\ninet_interfaces = 127.0.0.1, 127.0.0.1, [127.0.0.2]");
    EXPECT_EQ(open_endpoints(entry("0 inet n - n - - smtpd"), config)->size(), 2U);
}

TEST(Endpoints, AddressesThatThisHostLacksAreSkippedUnlessAllAre) {
    const auto config =
        configured("inet_protocols = ipv4\ninet_interfaces = 127.0.0.1, 192.0.2.77");
    EXPECT_EQ(open_endpoints(entry("0 inet n - n - - smtpd"), config)->size(), 1U);
    const auto none = open_endpoints(entry("192.0.2.77:0 inet n - n - - smtpd"), config);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().sys, EADDRNOTAVAIL);
}

TEST(Endpoints, ErrorsNameTheServiceAndTheFault) {
    const auto config = configured("inet_protocols = ipv4\ninet_interfaces = 127.0.0.1");
    const auto taken = open_endpoints(entry("127.0.0.1:0 inet n - n - - smtpd"), config).value();
    const std::string address = taken[0].name;
    const struct {
        std::string line, error;
        int number;
    } cases[] = {
        {address + " inet n - n - - smtpd",
         "service " + address + "/inet: bind " + address + ": Address already in use", EADDRINUSE},
        {"127.0.0.1:nosuchport inet n - n - - smtpd",
         "service 127.0.0.1:nosuchport/inet: port nosuchport: neither a port number", 0},
        {"[::1]:0 inet n - n - - smtpd",
         "service [::1]:0/inet: inet_interfaces and inet_protocols leave no address", 0},
        {"no.such.host.invalid:25 inet n - n - - smtpd",
         "service no.such.host.invalid:25/inet: host no.such.host.invalid: ", 0},
        {"x unix - - n - - policy", "service x/unix: bind private/x: No such file or directory",
         ENOENT},
    };
    for (const auto& c : cases) {
        const auto opened = open_endpoints(entry(c.line), config);
        ASSERT_FALSE(opened) << c.line;
        EXPECT_TRUE(opened.error().what.starts_with(c.error)) << opened.error().what;
        EXPECT_EQ(opened.error().sys, c.number) << c.line;
    }
}

TEST(Endpoints, CanBeHadAgainAtTheSamePort) {
    const auto config = configured("inet_protocols = ipv4\ninet_interfaces = 127.0.0.1");
    auto first = open_endpoints(entry("127.0.0.1:0 inet n - n - - smtpd"), config).value();
    const std::string name = first[0].name;
    EXPECT_EQ(open_again({name}).error().sys, EADDRINUSE);
    const Fd copy(::dup(first[0].socket.get()));  // a daemon's, which has not closed it yet
    ::shutdown(first[0].socket.get(), SHUT_RDWR);
    first.clear();
    const auto again = open_again({name});
    ASSERT_TRUE(again) << again.error().what << ": shutting down frees the port";
    EXPECT_EQ((*again)[0].name, name);
    EXPECT_FALSE(open_again({"private/policy"}));
    EXPECT_TRUE(open_again({})->empty());
}

TEST(Endpoints, UnixSocketsAreMadeInTheQueueDirectory) {
    TempFolder folder;
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    std::filesystem::create_directory("private");
    const auto opened = open_endpoints(entry("x unix - - n - - policy"), configured(""));
    std::filesystem::current_path(before);
    ASSERT_TRUE(opened);
    EXPECT_EQ((*opened)[0].name, "private/x");
    EXPECT_EQ(sys::RealFs::instance().info(folder / "private/x")->mode,
              sys::is_root() ? 0666U : 0600U);
    EXPECT_TRUE(sys::try_connect_unix(folder / "private/x"));
}

// --- Birth of a process ---

struct Born {
    int status = -1;
    std::string said;
};

// Starts /bin/sh with the script as the daemon; what it writes to its first listening socket comes
// back.
Born bear(const std::string& script, const std::function<void(Birth&)>& change = {}) {
    auto pipe = *sys::make_pipe();
    auto control = *sys::packet_pair();
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    Birth birth;
    birth.path = "/bin/sh";
    birth.arguments = {"sh", "-c", script, "name"};
    birth.environment = {"PATH=/usr/bin:/bin", "MARK=x y"};
    birth.control = control.second.get();
    birth.scoreboard = birth.life = birth.config = null.get();
    birth.listeners = {pipe.writing.get()};
    if (change) change(birth);
    const auto pid = start_process(birth);
    pipe.writing.reset();
    control.second.reset();
    Born born;
    if (!pid) return born;
    EXPECT_EQ(::getpgid(*pid), *pid) << "known to us as soon as start_process() is back";
    char bytes[4096];
    static_cast<void>(sys::set_nonblocking(pipe.reading.get(), false));
    for (ssize_t n = 0; (n = ::read(pipe.reading.get(), bytes, sizeof bytes)) > 0;)
        born.said.append(bytes, static_cast<std::size_t>(n));
    ::waitpid(*pid, &born.status, 0);
    return born;
}

TEST(StartProcess, GivesTheDescriptorsTheNumbersOfTheContract) {
    const Fd not_ours(::fcntl(0, F_DUPFD, 200));  // whoever started master left it open
    TempFolder folder;
    const Fd log(::open((folder / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const auto born = bear("", [&](Birth& b) {
        b.path = "/bin/ls";
        b.arguments = {"ls", "/proc/self/fd"};
        b.log = log.get();
    });
    EXPECT_EQ(born.status, 0);
    EXPECT_EQ(sys::read_file(folder / "log", 1000).value(), "0\n1\n10\n2\n3\n4\n5\n6\n7\n8\n9\n")
        << "and 10, where ls reads the folder";
    EXPECT_EQ(service::kFirstListener, 9);
}

TEST(StartProcess, HasTheGivenEnvironmentArgumentsAndStandardFiles) {
    const auto born = bear(
        "x=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 /proc/$$/fd/5); "
        "echo $x $0 $MARK $HOME >&9; exit 3");
    EXPECT_EQ(WEXITSTATUS(born.status), 3);
    EXPECT_EQ(born.said, "/dev/null /dev/null /dev/null /dev/null name x y\n");
}

TEST(StartProcess, LastWordsGoToTheLogFile) {
    TempFolder folder;
    const Fd log(::open((folder / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    bear("echo out; echo err >&2; echo log >&5", [&](Birth& b) { b.log = log.get(); });
    EXPECT_EQ(sys::read_file(folder / "log", 100).value(), "out\nerr\nlog\n");
}

TEST(StartProcess, KeysFollowTheListeners) {
    const Fd keys = service::KeyFiles::seal({}).value();
    const Fd second(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto born =
        bear("readlink /proc/$$/fd/10 >&9; readlink /proc/$$/fd/11 >&9", [&](Birth& b) {
            b.listeners.push_back(second.get());
            b.keys = keys.get();
        });
    EXPECT_EQ(born.said, "/dev/null\n/memfd:keys (deleted)\n");
}

// Where master itself has low numbers free, its own helpers must not take those of the contract.
TEST(StartProcess, WorksFromWhateverNumbers) {
    const pid_t child = ::fork();
    if (child == 0) {
        const int out = ::fcntl(1, F_DUPFD_CLOEXEC, 100);
        const int in = ::open("/dev/zero", O_RDONLY);
        const int held = ::fcntl(in, F_DUPFD_CLOEXEC, 101);
        ::close_range(3, 99, 0);
        Birth birth;
        birth.path = "/bin/sh";
        birth.arguments = {"sh", "-c",
                           "test $(readlink /proc/$$/fd/0) = /dev/null && test $(readlink "
                           "/proc/$$/fd/1) = /dev/null && "
                           "test $(readlink /proc/$$/fd/3) = /dev/zero && test $(readlink "
                           "/proc/$$/fd/6) = /dev/zero"};
        birth.environment = {"PATH=/usr/bin:/bin"};
        birth.control = birth.scoreboard = birth.life = birth.config = held;
        birth.listeners = {out, out, out};
        const auto pid = start_process(birth);
        int status = -1;
        if (pid) ::waitpid(*pid, &status, 0);
        ::_exit(status == 0 ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST(StartProcess, ResetsSignals) {
    static_cast<void>(std::signal(SIGTERM, SIG_IGN));
    sigset_t all;
    sigfillset(&all);
    sigset_t before;
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const auto born =
        bear("grep -E 'SigBlk|SigIgn' /proc/self/status >&9; kill -TERM $$; echo survived >&9");
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    static_cast<void>(std::signal(SIGTERM, SIG_DFL));
    EXPECT_TRUE(WIFSIGNALED(born.status));
    EXPECT_THAT(born.said, testing::HasSubstr("SigBlk:\t0000000000000000\n"));
    // Signals 32 and 33 are the C library's own: a program that inherits them ignored cannot change
    // it.
    constexpr unsigned long kStandardSignals = 0x7fffffff;
    const auto ignored = born.said.find("SigIgn:\t");
    ASSERT_NE(ignored, std::string::npos) << born.said;
    EXPECT_EQ(std::stoul(born.said.substr(ignored + 8), nullptr, 16) & kStandardSignals,
              1UL << (SIGPIPE - 1))
        << born.said;
}

TEST(StartProcess, CannotGainPrivileges) {
    EXPECT_EQ(bear("grep NoNewPrivs /proc/self/status >&9").said, "NoNewPrivs:\t1\n");
}

TEST(StartProcess, ReportsWhatCannotBeExecuted) {
    TempFolder folder;
    const Fd log(::open((folder / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const auto born = bear("", [&](Birth& b) {
        b.path = folder / "nothing";
        b.log = log.get();
    });
    EXPECT_EQ(WEXITSTATUS(born.status), 127);
    EXPECT_EQ(sys::read_file(folder / "log", 1000).value(),
              (folder / "nothing") + ": No such file or directory\n");
}

TEST(StartProcess, BecomesTheUserWithItsTwoGroups) {
    if (!sys::is_root()) GTEST_SKIP() << "needs root";
    const auto born = bear("grep -E '^(Uid|Gid|Groups):' /proc/self/status >&9", [](Birth& b) {
        b.identity = {"x", 12345, 12346, 12347};
    });
    EXPECT_EQ(born.said,
              "Uid:\t12345\t12345\t12345\t12345\nGid:\t12346\t12346\t12346\t12346\nGroups:\t12346 "
              "12347 \n");
}

TEST(DaemonArguments, CarryNameTypeAndOverrides) {
    const auto line = entry("127.0.0.1:25 inet n - n - - smtpd -v -o a=b -o { c = d e }");
    EXPECT_EQ(daemon_arguments(line, false),
              (std::vector<std::string>{"smtpd", "-n", "127.0.0.1:25", "-t", "inet", "-v", "-o",
                                        "a=b", "-o", "c=d e"}));
    const auto plain = daemon_arguments(entry("policy unix - - n - - policy"), true);
    EXPECT_EQ(plain, (std::vector<std::string>{"policy", "-n", "policy", "-t", "unix", "-v"}));
}

// --- The service manager ---

TEST(Notify, SpeaksToAPathOrAnAbstractName) {
    TempFolder folder;
    const std::string abstract = "@postern-notify-" + std::to_string(::getpid());
    for (const std::string& name : {folder / "notify", abstract}) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        if (name[0] == '@') address.sun_path[0] = '\0';
        const Fd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address),
                         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
                  0)
            << name;
        ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
        notify_manager("READY=1");
        char bytes[100];
        ASSERT_TRUE(sys::wait_ready(manager.get(), sys::Ready::read, soon()));
        EXPECT_EQ(std::string(bytes, static_cast<std::size_t>(
                                         ::recv(manager.get(), bytes, sizeof bytes, 0))),
                  "READY=1");
    }
    ::unsetenv("NOTIFY_SOCKET");
}

TEST(Notify, NobodyThereIsNoTrouble) {
    TempFolder folder;
    for (const std::string& name :
         {std::string(), folder / "none", std::string("relative"), "/" + std::string(200, 'x')}) {
        ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
        notify_manager("READY=1");
    }
    ::unsetenv("NOTIFY_SOCKET");
    notify_manager("READY=1");
}

// --- The log file ---

TEST(LogFile, IsAppendedToOrLeftToSyslog) {
    TempFolder folder;
    EXPECT_FALSE(static_cast<bool>(open_log_file(configured("maillog_file =")).value()));
    const auto at = [&](const std::string& path) {
        return open_log_file(configured("maillog_file_prefixes = /\nmaillog_file = " + path));
    };
    for (const char* word : {"one", "two"}) {
        const Fd file = at(folder / "maillog").value();
        ASSERT_EQ(::write(file.get(), word, 3), 3);
    }
    EXPECT_EQ(sys::read_file(folder / "maillog", 100).value(), "onetwo");
    const auto none = at(folder / "no/maillog");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().what,
              "maillog_file: open " + (folder / "no/maillog") + ": No such file or directory");
    const Fd out = at("/dev/stdout").value();
    EXPECT_TRUE(out.get() > 2);
}

}  // namespace
}  // namespace postern::master
