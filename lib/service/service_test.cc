// Each style of daemon is run for real in a child process, with the test as its master and its
// client.

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <list>

#include "lib/base/strings.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/control.h"
#include "lib/ipc/messages/queue.h"
#include "lib/log/log.h"
#include "lib/service/accept.h"
#include "lib/service/child.h"
#include "lib/service/daemon_fixture.h"
#include "lib/service/profiles.h"
#include "lib/service/scoreboard.h"
#include "lib/service/service.h"
#include "lib/service/snapshot.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"

namespace postern::service {
namespace {

class EchoLoop : public LoopService {
  public:
    explicit EchoLoop(const LoopContext& context, std::size_t limit = 1)
        : loop_(context.loop), ended_(context.session_ended), limit_(limit) {}
    void on_connection(Fd socket) override {
        const auto here = channels_.emplace(channels_.end());
        *here = std::make_unique<ipc::LoopChannel>(
            loop_, std::move(socket),
            ipc::LoopChannel::Handler{
                [here](ipc::Packet p) {
                    if (p.as<QueueNudge>()->file == kStuck) get_stuck();
                    static_cast<void>((*here)->send(*p.as<QueueNudge>()).has_value());
                },
                [this, here](Error) {
                    channels_.erase(here);
                    ended_();
                }});
    }
    std::size_t session_limit() const override { return limit_; }

  private:
    loop::Loop& loop_;
    std::function<void()> ended_;
    std::size_t limit_;
    std::list<std::unique_ptr<ipc::LoopChannel>> channels_;
};

int run_echo_worker(int argc, char** argv) {
    return run_worker(argc, argv, [](const Context& c) -> Result<std::unique_ptr<Worker>> {
        if (c.service != "echo" || c.config.get(param::max_idle) != Seconds{20})
            return Error{Errc::invalid, "context"};
        return std::unique_ptr<Worker>(std::make_unique<EchoWorker>());
    });
}
int run_echo_loop(int argc, char** argv) {
    return run_loop(argc, argv, [](const LoopContext& c) -> Result<std::unique_ptr<LoopService>> {
        return std::unique_ptr<LoopService>(std::make_unique<EchoLoop>(c));
    });
}
int run_echo_pair_loop(int argc, char** argv) {
    return run_loop(argc, argv, [](const LoopContext& c) -> Result<std::unique_ptr<LoopService>> {
        return std::unique_ptr<LoopService>(std::make_unique<EchoLoop>(c, 2));
    });
}
int run_echo_worker_any(int argc, char** argv) {
    return run_worker(argc, argv, [](const Context&) -> Result<std::unique_ptr<Worker>> {
        return std::unique_ptr<Worker>(std::make_unique<EchoWorker>());
    });
}
int run_failing(int argc, char** argv) {
    return run_worker(argc, argv, [](const Context&) -> Result<std::unique_ptr<Worker>> {
        return Error{Errc::invalid, "table x: broken"};
    });
}

class EveryStyle : public testing::TestWithParam<int (*)(int, char**)> {};
INSTANTIATE_TEST_SUITE_P(Styles, EveryStyle,
                         testing::Values(&run_echo_worker, &run_echo_loop, &run_echo_forking));

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

// daemon_timeout: the kernel ends it, whatever it is doing.
TEST(Watchdog, EndsWhatIsStuckAndNothingElse) {
    for (auto* run : {&run_echo_worker_any, &run_echo_loop}) {
        Daemon daemon(run, 0, "daemon_timeout=1s");
        ASSERT_TRUE(daemon.ready()) << daemon.log();
        EXPECT_EQ(daemon.ask(), kId.str());
        auto channel = ipc::Channel::connect(daemon.path(), soon());
        ASSERT_TRUE(channel);
        ASSERT_TRUE(channel->send(QueueNudge{kStuck}, soon()));
        EXPECT_EQ(channel->receive<QueueNudge>(soon()).error().code, Errc::closed);
        const int status = daemon.wait_end();
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) << status;
    }
    Daemon quiet(run_echo_loop, 0, "daemon_timeout=1s");
    ASSERT_TRUE(quiet.ready());
    // Longer than the limit without anything to do: a message is waited for that does not come.
    EXPECT_FALSE(quiet.control().receive<ipc::Status>(Deadline::in(Millis{1500})));
    EXPECT_EQ(quiet.ask(), kId.str());
}

TEST(Worker, TellsWhenItTakesTheLastIdleSlot) {
    Daemon daemon(run_echo_worker);
    ASSERT_TRUE(daemon.ready());
    EXPECT_EQ(daemon.ask(), kId.str());
    auto status = daemon.control().receive<ipc::Status>(soon());
    ASSERT_TRUE(status);
    EXPECT_EQ(status->event, ipc::StatusEvent::all_busy);
}

TEST(Worker, TellsNobodyWhenMasterLooksOutAnyway) {
    Daemon daemon(run_echo_worker);
    ASSERT_TRUE(daemon.ready());
    daemon.board().set_watched(true);
    EXPECT_EQ(daemon.ask(), kId.str());
    EXPECT_FALSE(daemon.control().receive<ipc::Status>(Deadline::in(Millis(0))));
    daemon.board().set_watched(false);
    EXPECT_EQ(daemon.ask(), kId.str());
    EXPECT_TRUE(daemon.control().receive<ipc::Status>(soon()));
}

TEST(Worker, AnswersOnAKeptConnectionUntilSomebodyElseCalls) {
    Daemon daemon(run_echo_worker);
    ASSERT_TRUE(daemon.ready());
    auto first = ipc::Channel::connect(daemon.path(), soon());
    ASSERT_TRUE(first);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(first->send(QueueNudge{kId}, soon()));
        ASSERT_TRUE(first->receive<QueueNudge>(soon())) << i;
    }
    EXPECT_EQ(daemon.board().served(0), 1U) << "connections count, not questions";
    EXPECT_EQ(daemon.ask(), kId.str());
    EXPECT_EQ(first->receive<QueueNudge>(soon()).error().code, Errc::closed);
}

TEST(Worker, WhoAsksWithoutAPauseDoesNotShutOutWhoCalls) {
    Daemon daemon(run_echo_worker);
    ASSERT_TRUE(daemon.ready());
    auto first = ipc::Channel::connect(daemon.path(), soon());
    ASSERT_TRUE(first->send(QueueNudge{kId}, soon()));
    ASSERT_TRUE(first->receive<QueueNudge>(soon()));
    daemon.pause(true);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(first->send(QueueNudge{kId}, soon()));
    auto second = ipc::Channel::connect(daemon.path(), soon());
    ASSERT_TRUE(second->send(QueueNudge{kId}, soon()));
    daemon.pause(false);
    EXPECT_TRUE(second->receive<QueueNudge>(soon()));
    int answers = 0;
    while (first->receive<QueueNudge>(soon())) ++answers;
    EXPECT_LE(answers, 1) << "its turn, then the other's";
}

TEST(Worker, GoesOnWhenThePeerOfAKeptConnectionHangsUp) {
    Daemon daemon(run_echo_worker);
    ASSERT_TRUE(daemon.ready());
    for (int i = 0; i < 3; ++i) {
        auto peer = ipc::Channel::connect(daemon.path(), soon());
        ASSERT_TRUE(peer->send(QueueNudge{kId}, soon()));
        ASSERT_TRUE(peer->receive<QueueNudge>(soon()));
    }
    EXPECT_EQ(daemon.ask(), kId.str());
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
    EXPECT_EQ(
        parse({"x", "-n", "smtp", "-t", "inet", "-o", "a=b=c", "-v"})->overrides.front().second,
        "b=c");
    EXPECT_FALSE(parse({"x"}));
    EXPECT_FALSE(parse({"x", "-n", "smtp", "-o", "nonsense"}));
    EXPECT_FALSE(parse({"x", "-n", "smtp", "-Q"}));
}

TEST(Profiles, NetworkAndRootNeverMeet) {
    for (const auto& profile : profiles()) {
        const bool network = has(profile.promises, sys::Promise::inet_accepted) ||
                             has(profile.promises, sys::Promise::inet_connect);
        EXPECT_FALSE(network && profile.account == Account::root) << profile.program;
        // cleanup calls milters, which the administrator names; nobody calls it over the network.
        const bool strangers = has(profile.promises, sys::Promise::inet_accepted) ||
                               (network && profile.program != "cleanup");
        // postscreen keeps what clients have passed, below data_directory and nowhere else.
        const bool writes =
            std::any_of(profile.paths.begin(), profile.paths.end(), [&](const ProfilePath& path) {
                return path.access == sys::PathRule::Access::write &&
                       !(profile.program == "postscreen" && path.anchor == Anchor::data);
            });
        const bool may_write = has(profile.promises, sys::Promise::write_files) &&
                               (writes || profile.program != "postscreen");
        EXPECT_FALSE(strangers && may_write) << profile.program;
        EXPECT_EQ(profile.restricts_itself, profile.account == Account::root) << profile.program;
    }
    EXPECT_EQ(find_profile("no-such"), nullptr);
}

// --- Out of descriptors ---

void take_all_descriptors() {
    while (::dup(0) >= 0) continue;
}
int run_greedy_worker(int argc, char** argv) {
    return run_worker(argc, argv, [](const Context&) -> Result<std::unique_ptr<Worker>> {
        class Greedy : public EchoWorker {
            void on_wakeup() override { take_all_descriptors(); }
        };
        return std::unique_ptr<Worker>(std::make_unique<Greedy>());
    });
}
int run_greedy_loop(int argc, char** argv) {
    return run_loop(argc, argv, [](const LoopContext& c) -> Result<std::unique_ptr<LoopService>> {
        class Greedy : public EchoLoop {
          public:
            using EchoLoop::EchoLoop;
            void on_wakeup() override { take_all_descriptors(); }
        };
        return std::unique_ptr<LoopService>(std::make_unique<Greedy>(c));
    });
}
class WithoutDescriptors : public testing::TestWithParam<int (*)(int, char**)> {};
INSTANTIATE_TEST_SUITE_P(Styles, WithoutDescriptors,
                         testing::Values(&run_greedy_worker, &run_greedy_loop));

TEST_P(WithoutDescriptors, NeitherSpinsNorFloodsTheLogAndStillObeys) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "UBSan's check of member calls opens a pipe itself, and takes a failure for a "
                    "bad object";
#endif
    Daemon daemon(GetParam(), 70);
    ASSERT_TRUE(daemon.ready()) << daemon.log();
    ASSERT_TRUE(daemon.control().send(ipc::Control{ipc::Order::wakeup}, soon()));
    std::vector<Fd> clients;
    const auto failures = [&] {
        const std::string log = daemon.log();
        std::size_t count = 0;
        for (auto at = log.find("Too many open files"); at != std::string::npos;
             at = log.find("Too many open files", at + 1))
            ++count;
        return count;
    };
    const auto begin = SystemClock::instance().steady();
    const auto deadline = soon();
    while (failures() == 0 && !deadline.passed()) {
        auto client = sys::try_connect_unix(daemon.path());
        if (client) clients.push_back(*std::move(client));
        static_cast<void>(daemon.control().receive_packet(Deadline::in(Millis{20})).has_value());
    }
    // For a while there is a client, and no descriptor for it.
    const auto while_out = Deadline::in(Millis{200});
    while (!while_out.passed())
        static_cast<void>(daemon.control().receive_packet(while_out).has_value());
    const auto count = static_cast<std::int64_t>(failures());
    const auto pauses = (SystemClock::instance().steady() - begin) / kAcceptPause;
    EXPECT_GE(count, 1) << daemon.log();
    EXPECT_LE(count, 2 + pauses);
    ASSERT_TRUE(daemon.control().send(ipc::Control{ipc::Order::drain}, soon()));
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
}

class ManyLoop : public LoopService {
  public:
    explicit ManyLoop(const LoopContext& context)
        : loop_(context.loop), ended_(context.session_ended) {}
    void on_connection(Fd socket) override {
        auto& place = channels_.emplace_back();
        place = std::make_unique<ipc::LoopChannel>(
            loop_, std::move(socket),
            ipc::LoopChannel::Handler{[&place](const ipc::Packet& p) {
                                          static_cast<void>(
                                              place->send(*p.as<QueueNudge>()).has_value());
                                      },
                                      [this, &place](const Error&) {
                                          place.reset();
                                          ended_();
                                      }});
    }

  private:
    loop::Loop& loop_;
    std::function<void()> ended_;
    std::list<std::unique_ptr<ipc::LoopChannel>> channels_;
};
int run_many_loop(int argc, char** argv) {
    return run_loop(argc, argv, [](const LoopContext& c) -> Result<std::unique_ptr<LoopService>> {
        return std::unique_ptr<LoopService>(std::make_unique<ManyLoop>(c));
    });
}

TEST(LoopService, TakesNoMoreSessionsThanItHasDescriptorsFor) {
    Daemon daemon(run_many_loop, 40 + 3 * 6);
    ASSERT_TRUE(daemon.ready()) << daemon.log();
    std::vector<ipc::Channel> held;
    for (int i = 0; i < 3; ++i) {
        held.push_back(*ipc::Channel::connect(daemon.path(), soon()));
        ASSERT_TRUE(held.back().send(QueueNudge{kId}, soon()));
        ASSERT_TRUE(held.back().receive<QueueNudge>(soon())) << i;
    }
    EXPECT_EQ(daemon.control().receive<ipc::Status>(soon())->event, ipc::StatusEvent::all_busy);
    auto fourth = *ipc::Channel::connect(daemon.path(), soon());
    ASSERT_TRUE(fourth.send(QueueNudge{kId}, soon()));
    EXPECT_EQ(fourth.receive<QueueNudge>(Deadline::in(Millis{30})).error().code, Errc::timeout);
    held.pop_back();
    EXPECT_TRUE(fourth.receive<QueueNudge>(soon()));
}

// Each connection brings a second session, which stays when the connection is gone.
class GrowingLoop : public LoopService {
  public:
    explicit GrowingLoop(LoopContext context) : context_(std::move(context)) {}
    void on_connection(Fd) override {
        context_.session_began();
        context_.session_ended();
    }
    std::size_t session_limit() const override { return 2; }

  private:
    LoopContext context_;
};
int run_growing_loop(int argc, char** argv) {
    return run_loop(argc, argv, [](const LoopContext& c) -> Result<std::unique_ptr<LoopService>> {
        return std::unique_ptr<LoopService>(std::make_unique<GrowingLoop>(c));
    });
}

TEST(LoopService, SessionsThatCameAnotherWayCount) {
    Daemon daemon(run_growing_loop);
    ASSERT_TRUE(daemon.ready()) << daemon.log();
    std::vector<ipc::Channel> held;
    for (int i = 0; i < 2; ++i) held.push_back(*ipc::Channel::connect(daemon.path(), soon()));
    EXPECT_EQ(daemon.control().receive<ipc::Status>(soon())->event, ipc::StatusEvent::all_busy);
}

// --- Lives ---

TEST_P(EveryStyle, EndsAtNonsenseFromMaster) {
    Daemon daemon(GetParam());
    ASSERT_TRUE(daemon.ready());
    ASSERT_TRUE(sys::send_packet(daemon.control().fd(), "nonsense"));
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
}

TEST_P(EveryStyle, SurvivesWhatStrangersDoAtItsSocket) {
    Daemon daemon(GetParam());
    ASSERT_TRUE(daemon.ready());
    for (int i = 0; i < 20; ++i) {
        auto client = ipc::Channel::connect(daemon.path(), soon());
        ASSERT_TRUE(client);
        if (i % 3 == 1) {
            ASSERT_TRUE(sys::send_packet(client->fd(), "nonsense"));
        }
        if (i % 3 == 2) {
            const int fds[] = {client->fd(), client->fd()};
            static_cast<void>(sys::send_packet(client->fd(), "x", fds).has_value());
        }
    }
    EXPECT_EQ(daemon.ask(), kId.str()) << daemon.log();
}

TEST(Worker, EndsAfterItsShare) {
    Daemon daemon(run_echo_worker_any, 0, "max_use=1");  // a hundred connections
    ASSERT_TRUE(daemon.ready());
    for (int i = 0; i < 100; ++i) ASSERT_EQ(daemon.ask(), kId.str()) << i;
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
    EXPECT_EQ(daemon.board().served(0), 100U);
}

TEST(Worker, EndsWhenNobodyComesForLongWhateverSignalsDo) {
    Daemon daemon(run_echo_worker_any, 0, "max_idle=1s");
    ASSERT_TRUE(daemon.ready());
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
}

TEST(LoopService, EndsWhenNobodyComesForLong) {
    Daemon daemon(run_echo_loop, 0, "max_idle=1s");
    ASSERT_TRUE(daemon.ready());
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
}

TEST(LoopService, DrainsWithItsLastSession) {
    Daemon daemon(run_echo_loop);
    ASSERT_TRUE(daemon.ready());
    auto session = *ipc::Channel::connect(daemon.path(), soon());
    ASSERT_TRUE(session.send(QueueNudge{kId}, soon()));
    ASSERT_TRUE(session.receive<QueueNudge>(soon()));
    ASSERT_TRUE(daemon.control().send(ipc::Control{ipc::Order::drain}, soon()));
    // It listens no more, but the session goes on.
    auto status = daemon.control().receive<ipc::Status>(soon());
    while (status && status->event != ipc::StatusEvent::all_busy)
        status = daemon.control().receive<ipc::Status>(soon());
    ASSERT_TRUE(session.send(QueueNudge{kId}, soon()));
    EXPECT_TRUE(session.receive<QueueNudge>(soon()));
    static_cast<void>(session.release());
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
}

// A session at a daemon that has had its share of clients with it.
ipc::Channel last_client(Daemon& daemon) {
    for (int i = 0; i < 99; ++i) EXPECT_EQ(daemon.ask(), kId.str()) << i;
    auto session = *ipc::Channel::connect(daemon.path(), soon());
    EXPECT_TRUE(session.send(QueueNudge{kId}, soon()));
    EXPECT_TRUE(session.receive<QueueNudge>(soon()));
    return session;
}

TEST(LoopService, ThatHasServedItsShareSaysSoAndKeepsItsSessions) {
    Daemon daemon(run_echo_loop, 0, "max_use=1", {"inet", "smtpd"});
    ASSERT_TRUE(daemon.ready()) << daemon.log();
    auto session = last_client(daemon);
    auto status = daemon.control().receive<ipc::Status>(soon());
    while (status && status->event == ipc::StatusEvent::all_busy)
        status = daemon.control().receive<ipc::Status>(soon());
    ASSERT_TRUE(status);
    EXPECT_EQ(status->event, ipc::StatusEvent::retired);
    ASSERT_TRUE(session.send(QueueNudge{kId}, soon()));
    EXPECT_TRUE(session.receive<QueueNudge>(soon()));
    static_cast<void>(session.release());
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
}

TEST(LoopService, ThatHasToBeTheOnlyOneServesUntilNobodyIsLeft) {
    Daemon daemon(run_echo_pair_loop, 0, "max_use=1", {"inet", "postscreen"});
    ASSERT_TRUE(daemon.ready()) << daemon.log();
    auto session = last_client(daemon);
    EXPECT_EQ(daemon.ask(), kId.str()) << "another client does not wait for that session's end";
    static_cast<void>(session.release());
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
}

TEST(Callers, WhoIsNotOnTheListIsRefused) {
    if (!sys::is_root()) GTEST_SKIP() << "needs root";
    Daemon daemon(run_echo_worker);
    ASSERT_TRUE(daemon.ready());
    ASSERT_EQ(::chmod(daemon.path().c_str(), 0666), 0);
    ASSERT_EQ(::chmod(daemon.path().substr(0, daemon.path().rfind('/')).c_str(), 0711), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        if (!sys::become_user(12345, 12345)) ::_exit(1);
        const auto answer = ipc::call<QueueNudge>(daemon.path(), QueueNudge{kId}, soon());
        ::_exit(!answer && answer.error().code == Errc::closed ? 0 : 2);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_THAT(daemon.log(), testing::HasSubstr("connection from uid 12345 refused"));
    EXPECT_EQ(daemon.ask(), kId.str());
}

}  // namespace
}  // namespace postern::service
