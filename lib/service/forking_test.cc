// Services that fork: sessions, and the processes that wait for them.
#include <sys/syscall.h>

#include "lib/base/strings.h"
#include "lib/service/daemon_fixture.h"

namespace postern::service {
namespace {

TEST(Forking, DrainsWithItsLastSessionAndStopsThemOnOrder) {
    for (const bool stop : {false, true}) {
        Daemon daemon(run_echo_forking);
        ASSERT_TRUE(daemon.ready());
        auto session = *ipc::Channel::connect(daemon.path(), soon());
        const auto deadline = soon();
        while (daemon.board().sessions(0) == 0 && !deadline.passed()) ::poll(nullptr, 0, 1);
        ASSERT_TRUE(daemon.control().send(ipc::Control{stop ? ipc::Order::stop : ipc::Order::drain},
                                          soon()));
        if (!stop) {
            ASSERT_TRUE(session.send(QueueNudge{kId}, soon()));
            EXPECT_TRUE(session.receive<QueueNudge>(soon())) << "it is served to its end";
        } else {
            EXPECT_FALSE(session.receive<QueueNudge>(soon())) << "it is ended";
        }
        EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
    }
}

// When there are `wanted`; fewer after a while.
std::vector<pid_t> children_of(pid_t parent, std::size_t wanted) {
    const std::string pid = std::to_string(parent);
    std::vector<pid_t> children;
    for (const auto deadline = soon(); !deadline.passed(); ::poll(nullptr, 0, 1)) {
        children.clear();
        const auto text =
            sys::read_file(cat({"/proc/", pid, "/task/", pid, "/children"}), 4096).value_or("");
        for (const auto word : split_words(text)) children.push_back(*parse_number<pid_t>(word));
        if (children.size() == wanted) break;
    }
    return children;
}

// Whoever reaps them.
bool all_end(const std::vector<pid_t>& processes) {
    for (const pid_t pid : processes) {
        const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (process && !sys::wait_ready(process.get(), sys::Ready::read, soon())) return false;
    }
    return true;
}

TEST(ForkedAhead, OneOfThemServesAndIsReplaced) {
    Daemon daemon(run_echo_forking);
    ASSERT_TRUE(daemon.ready());
    const auto before = children_of(daemon.pid(), 2);
    ASSERT_EQ(before.size(), 2U);
    auto session = *ipc::Channel::connect(daemon.path(), soon());
    const auto during = children_of(daemon.pid(), 3);
    EXPECT_EQ(during.size(), 3U);
    EXPECT_EQ(daemon.board().sessions(0), 1U) << "those who wait are no sessions";
    ASSERT_TRUE(session.send(QueueNudge{kId}, soon()));
    EXPECT_TRUE(session.receive<QueueNudge>(soon()));
    const auto after = children_of(daemon.pid(), 2);
    EXPECT_EQ(after.size(), 2U);
    EXPECT_NE(after, before);
}

TEST(ForkedAhead, MoreConnectionsThanProcessesAreServed) {
    Daemon daemon(run_echo_forking);
    ASSERT_TRUE(daemon.ready());
    std::vector<ipc::Channel> sessions;
    for (int i = 0; i < 12; ++i) sessions.push_back(*ipc::Channel::connect(daemon.path(), soon()));
    for (auto& session : sessions) ASSERT_TRUE(session.send(QueueNudge{kId}, soon()));
    for (auto& session : sessions) EXPECT_TRUE(session.receive<QueueNudge>(soon()));
    EXPECT_EQ(daemon.board().served(0), 12U);
    EXPECT_EQ(children_of(daemon.pid(), 2).size(), 2U);
}

TEST(ForkedAhead, WhoDiesWaitingIsToldOfAndMissedByNobody) {
    Daemon daemon(run_echo_forking);
    ASSERT_TRUE(daemon.ready());
    const auto waiting = children_of(daemon.pid(), 2);
    for (const pid_t pid : waiting) ::kill(pid, SIGKILL);
    EXPECT_TRUE(all_end(waiting));
    EXPECT_EQ(daemon.ask(), kId.str());
    EXPECT_EQ(children_of(daemon.pid(), 2).size(), 2U);
    EXPECT_THAT(daemon.log(), testing::HasSubstr("killed by signal 9"));
    EXPECT_EQ(daemon.ask(), kId.str());
    EXPECT_EQ(daemon.board().served(0), 2U);
}

TEST(ForkedAhead, TheyEndWithTheirParent) {
    Daemon daemon(run_echo_forking);
    ASSERT_TRUE(daemon.ready());
    const auto waiting = children_of(daemon.pid(), 2);
    ASSERT_EQ(waiting.size(), 2U);
    ::kill(daemon.pid(), SIGKILL);
    EXPECT_TRUE(all_end(waiting));
}

TEST(ForkedAhead, TheyEndOnAReload) {
    Daemon daemon(run_echo_forking);
    ASSERT_TRUE(daemon.ready());
    const auto waiting = children_of(daemon.pid(), 2);
    ASSERT_EQ(waiting.size(), 2U);
    ASSERT_TRUE(daemon.control().send(ipc::Control{ipc::Order::drain}, soon()));
    EXPECT_EQ(daemon.wait_end(), 0) << daemon.log();
    EXPECT_TRUE(all_end(waiting));
}

}  // namespace
}  // namespace postern::service
