// SEQPACKET sockets: sizes, descriptors, hostile and dead peers, and running out of descriptors.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>

#include "lib/sys/file.h"
#include "lib/sys/fs.h"
#include "lib/sys/socket.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"
#include "tests/support/processes.h"
#include "tests/support/temp_folder.h"

namespace postern::sys {
namespace {

using namespace std::string_literals;
using support::in_child;
using support::open_descriptors;
using support::TempFolder;

// --- Packets ---

TEST(Packets, KeepTheirBoundariesAtEveryEdge) {
    auto [a, b] = *packet_pair();
    for (std::size_t size : {1U, 2U, 99U, 100U}) {
        ASSERT_TRUE(send_packet(a.get(), std::string(size, 'x')));
        ASSERT_TRUE(send_packet(a.get(), "next"));
        EXPECT_EQ(receive_packet(b.get(), 100, 0)->bytes.size(), size);
        EXPECT_EQ(receive_packet(b.get(), 100, 0)->bytes, "next");
    }
    ASSERT_TRUE(send_packet(a.get(), std::string(101, 'x')));
    ASSERT_TRUE(send_packet(a.get(), "next"));
    EXPECT_EQ(receive_packet(b.get(), 100, 0).error().code, Errc::invalid);
    EXPECT_EQ(receive_packet(b.get(), 100, 0)->bytes, "next") << "the next one is whole again";
    ASSERT_TRUE(send_packet(a.get(), "a\0b"s));
    EXPECT_EQ(receive_packet(b.get(), 100, 0)->bytes, "a\0b"s);
}

TEST(Packets, AnEmptyOneIsAnEnd) {
    auto [a, b] = *packet_pair();
    ASSERT_EQ(::send(a.get(), "", 0, 0), 0);
    EXPECT_EQ(receive_packet(b.get(), 100, 0).error().code, Errc::closed);
}

TEST(Packets, ThatArrivedBeforeTheEndAreRead) {
    auto [a, b] = *packet_pair();
    ASSERT_TRUE(send_packet(a.get(), "last words"));
    a.reset();
    EXPECT_EQ(receive_packet(b.get(), 100, 0)->bytes, "last words");
    EXPECT_EQ(receive_packet(b.get(), 100, 0).error().code, Errc::closed);
    EXPECT_EQ(send_packet(b.get(), "x").error().code, Errc::closed) << "and no SIGPIPE";
}

TEST(Packets, AFullSocketSaysSoAndLosesNothing) {
    auto [a, b] = *packet_pair();
    int sent = 0;
    Result<void> last;
    while ((last = send_packet(a.get(), std::string(60'000, 'x')))) ++sent;
    EXPECT_TRUE(would_block(last.error()));
    EXPECT_GT(sent, 0);
    EXPECT_EQ(wait_ready(a.get(), Ready::write, Deadline::in(Millis{5})).error().code,
              Errc::timeout);
    for (; sent > 0; --sent) EXPECT_EQ(receive_packet(b.get(), 65536, 0)->bytes.size(), 60'000U);
    EXPECT_TRUE(would_block(receive_packet(b.get(), 65536, 0).error()));
    EXPECT_TRUE(wait_ready(a.get(), Ready::write, Deadline::in(Millis{30'000})));
}

TEST(Packets, OnWhatIsNoSocketAreErrors) {
    const Fd null(::open("/dev/null", O_RDWR));
    EXPECT_FALSE(send_packet(null.get(), "x"));
    EXPECT_FALSE(receive_packet(null.get(), 10, 0));
    EXPECT_FALSE(receive_packet(-1, 10, 0));
    EXPECT_FALSE(peer_credentials(null.get()));
}

// --- Descriptors ---

TEST(Descriptors, ArriveOpenAndSecret) {
    auto [a, b] = *packet_pair();
    auto pipe = *make_pipe();
    const int fds[] = {pipe.writing.get(), pipe.reading.get()};
    ASSERT_TRUE(send_packet(a.get(), "x", fds));
    pipe.reading.reset();  // the packet holds them
    auto got = receive_packet(b.get(), 10, 2);
    ASSERT_TRUE(got);
    ASSERT_EQ(got->descriptors.size(), 2U);
    for (const auto& fd : got->descriptors) EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    ASSERT_TRUE(write_all(got->descriptors[0].get(), "hi", Deadline::in(Millis{30'000})));
    char bytes[4];
    EXPECT_EQ(::read(got->descriptors[1].get(), bytes, sizeof bytes), 2);
}

TEST(Descriptors, ThatAreRefusedAreClosed) {
    auto [a, b] = *packet_pair();
    const Fd null(::open("/dev/null", O_RDONLY));
    for (std::size_t allowed : {0U, 1U, 3U}) {
        for (std::size_t count = 0; count <= 16; ++count) {
            const std::vector<int> fds(count, null.get());
            const auto before = open_descriptors();
            ASSERT_TRUE(send_packet(a.get(), "x", fds));
            {
                const auto got = receive_packet(b.get(), 10, allowed);
                ASSERT_EQ(got.has_value(), count <= allowed) << count;
                if (got) {
                    EXPECT_EQ(got->descriptors.size(), count);
                }
            }
            EXPECT_EQ(open_descriptors(), before) << count;
        }
    }
}

// A stranger may send more than our buffer for them holds.
TEST(Descriptors, MoreThanTheBufferAreRefusedWithoutALeak) {
    auto [a, b] = *packet_pair();
    const Fd null(::open("/dev/null", O_RDONLY));
    std::vector<int> fds(100, null.get());
    std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
    char byte = 'x';
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
    ASSERT_EQ(::sendmsg(a.get(), &message, 0), 1);
    const auto before = open_descriptors();
    EXPECT_EQ(receive_packet(b.get(), 10, 16).error().code, Errc::invalid);
    EXPECT_EQ(open_descriptors(), before);
}

TEST(Descriptors, WithoutRoomForThemThePacketIsRefused) {
    EXPECT_EQ(in_child([] {
                  auto ends = *packet_pair();
                  const Fd null(::open("/dev/null", O_RDONLY));
                  const int fds[] = {null.get(), null.get()};
                  if (!send_packet(ends.first.get(), "x", fds)) return 1;
                  const auto next = static_cast<rlim_t>(::dup(0));
                  ::close(static_cast<int>(next));
                  const rlimit one_more{next + 1, next + 1};
                  ::setrlimit(RLIMIT_NOFILE, &one_more);
                  {
                      const auto got = receive_packet(ends.second.get(), 10, 4);
                      if (got || got.error().code != Errc::invalid) return 2;
                  }
                  const Fd again(::dup(0));  // the one that came was closed
                  return again ? 0 : 3;
              }),
              0);
}

TEST(DescriptorsDeathTest, MoreThanAnyMessageHasIsABug) {
    auto [a, b] = *packet_pair();
    const std::vector<int> fds(17, 0);
    EXPECT_DEATH((void)send_packet(a.get(), "x", fds), "check failed");
}

// --- Listening and connecting ---

TEST(ListenUnix, ReplacesASocketAndNothingElse) {
    TempFolder folder;
    const std::string path = folder / "s";
    Fd first = *listen_unix(path, 0600);
    EXPECT_EQ(RealFs::instance().info(path)->mode, 0600U);
    Fd second = *listen_unix(path, 0666);
    EXPECT_EQ(RealFs::instance().info(path)->mode, 0666U);
    EXPECT_TRUE(try_connect_unix(path));
    ASSERT_TRUE(replace_file(folder / "file", "precious"));
    const auto refused = listen_unix(folder / "file", 0600);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what, "socket " + (folder / "file") + ": there is something else");
    EXPECT_EQ(*read_file(folder / "file", 100), "precious");
    EXPECT_FALSE(listen_unix(folder.path(), 0600));
    EXPECT_EQ(listen_unix(folder / "no/s", 0600).error().code, Errc::not_found);
}

TEST(UnixPaths, ThatNameSomethingElseAreRefused) {
    TempFolder folder;
    const std::string longest = folder / std::string(107 - folder.path().size() - 1, 'x');
    ASSERT_EQ(longest.size(), 107U);
    const Fd listener = *listen_unix(longest, 0600);
    EXPECT_TRUE(try_connect_unix(longest));
    for (const std::string& bad :
         {longest + "x", ""s, longest.substr(0, 50) + "\0"s, "\0abstract"s}) {
        EXPECT_EQ(try_connect_unix(bad).error().code, Errc::invalid) << bad.size();
        EXPECT_EQ(listen_unix(bad, 0600).error().code, Errc::invalid) << bad.size();
        EXPECT_FALSE(SocketAddress::unix_path(bad)) << bad.size();
    }
}

TEST(ConnectUnix, KnowsAbsentFromDeadFromBusy) {
    TempFolder folder;
    const std::string path = folder / "s";
    EXPECT_EQ(connect_unix(path, Deadline::in(Millis{1000})).error().code, Errc::not_found);
    Fd listener = *listen_unix(path, 0600, 1);
    std::vector<Fd> waiting;
    for (;;) {
        auto one = try_connect_unix(path);
        if (!one) {
            EXPECT_TRUE(would_block(one.error()));
            break;
        }
        waiting.push_back(*std::move(one));
        ASSERT_LT(waiting.size(), 100U);
    }
    const auto busy = connect_unix(path, Deadline::in(Millis{20}));
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().code, Errc::timeout);
    EXPECT_EQ(busy.error().what, "connect to " + path + ": service is busy");
    listener.reset();
    EXPECT_EQ(connect_unix(path, Deadline::in(Millis{1000})).error().code, Errc::temporary)
        << "a dead socket file";
}

TEST(ConnectUnix, GetsInWhenTheBacklogMoves) {
    TempFolder folder;
    const std::string path = folder / "s";
    const Fd listener = *listen_unix(path, 0600, 1);
    std::vector<Fd> waiting;
    while (auto one = try_connect_unix(path)) waiting.push_back(*std::move(one));
    const pid_t child = ::fork();
    if (child == 0) ::_exit(connect_unix(path, Deadline::in(Millis{10'000})) ? 0 : 1);
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        ASSERT_TRUE(wait_ready(listener.get(), Ready::read, Deadline::in(Millis{30'000})));
        ASSERT_TRUE(*accept_from(listener.get()));
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST(PeerCredentials, AreOfWhoConnected) {
    TempFolder folder;
    const Fd listener = *listen_unix(folder / "s", 0600);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto fd = connect_unix(folder / "s", Deadline::in(Millis{30'000}));
        ::_exit(fd ? 0 : 1);
    }
    ASSERT_TRUE(wait_ready(listener.get(), Ready::read, Deadline::in(Millis{30'000})));
    const auto accepted = *accept_from(listener.get());
    ASSERT_TRUE(accepted);
    ::waitpid(child, nullptr, 0);  // known after its end too
    const auto peer = peer_credentials(accepted->fd.get());
    ASSERT_TRUE(peer);
    EXPECT_EQ(peer->pid, child);
    EXPECT_EQ(peer->uid, ::geteuid());
    EXPECT_TRUE(accepted->peer.is_unix());
    EXPECT_EQ(accepted->peer.path(), "");
}

// --- Waiting ---

TEST(WaitReady, LastsAsLongAsItsDeadlineWhateverInterrupts) {
    auto [a, b] = *packet_pair();
    struct sigaction action {
    }, before{};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, &before);
    const itimerval often{{0, 700}, {0, 700}}, never{};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    const auto start = SystemClock::instance().steady();
    const auto waited = wait_ready(a.get(), Ready::read, Deadline::in(Millis{40}));
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    EXPECT_EQ(waited.error().code, Errc::timeout);
    EXPECT_GE(SystemClock::instance().steady() - start, Millis{40});
}

TEST(WaitReady, AHangUpIsReady) {
    auto [a, b] = *packet_pair();
    EXPECT_TRUE(wait_ready(a.get(), Ready::write, Deadline::in(Millis{0})));
    b.reset();
    EXPECT_TRUE(wait_ready(a.get(), Ready::read, Deadline::in(Millis{0})));
    EXPECT_TRUE(wait_ready(a.get(), Ready::read, Deadline::in(std::chrono::hours(24 * 365))));
}

// --- Running out ---

TEST(Exhaustion, OfDescriptorsIsNoSpaceEverywhere) {
    TempFolder folder;
    EXPECT_EQ(in_child([&] {
                  const Fd listener = *listen_unix(folder / "s", 0600);
                  const auto tcp = SocketAddress::parse("127.0.0.1:0").value();
                  const Fd inet = *listen_on(tcp);
                  const auto at = local_address(inet.get());
                  auto waiting = *try_connect_unix(folder / "s");
                  const auto next = static_cast<rlim_t>(::dup(0));
                  ::close(static_cast<int>(next));
                  const rlimit none{next, next};
                  ::setrlimit(RLIMIT_NOFILE, &none);
                  const auto full = [](const auto& result) {
                      return !result && result.error().code == Errc::no_space;
                  };
                  if (!full(try_connect_unix(folder / "s"))) return 1;
                  if (!full(connect_unix(folder / "s", Deadline::in(Millis{30'000})))) return 2;
                  if (!full(listen_unix(folder / "t", 0600))) return 3;
                  if (!full(packet_pair())) return 4;
                  if (!full(stream_pair())) return 5;
                  if (!full(start_connect(at))) return 6;
                  if (!full(listen_on(tcp))) return 7;
                  if (!full(accept_from(listener.get()))) return 8;
                  if (!full(RealFs::instance().open("/dev/null", O_RDONLY, 0))) return 9;
                  if (!full(lock_file(folder / "l", Deadline::in(Millis{0})))) return 10;
                  waiting.reset();
                  return accept_from(listener.get()) ? 0 : 11;  // and works again
              }),
              0);
}

// --- Users ---

TEST(BecomeUser, RefusesTheIdsThatMeanUnchanged) {
    constexpr auto kUnchanged = static_cast<uid_t>(-1);
    EXPECT_EQ(become_user(kUnchanged, 12345).error().code, Errc::invalid);
    EXPECT_EQ(become_user(12345, kUnchanged).error().code, Errc::invalid);
}

TEST(BecomeUser, OrdinaryUsersStayThemselves) {
    const int status = in_child([] {
        if (is_root() && !become_user(12345, 12346)) return 1;
        if (!become_user(::getuid(), ::getgid())) return 2;
        const auto other = become_user(::getuid() + 1, ::getgid());
        return !other && other.error().code == Errc::denied ? 0 : 3;
    });
    EXPECT_EQ(status, 0);
}

TEST(BecomeUser, SeesARootThatIsOnlySaved) {
    if (!is_root()) GTEST_SKIP() << "needs root";
    EXPECT_EQ(in_child([] {
                  // Real and effective are the user's already, but the saved uid would lead back to
                  // root.
                  if (::setresgid(12346, 12346, 12346) != 0 || ::setresuid(12345, 12345, 0) != 0)
                      return 1;
                  const auto done = become_user(12345, 12346);
                  if (done) return ::setuid(0) == 0 || ::seteuid(0) == 0 ? 2 : 0;
                  return done.error().code == Errc::denied ? 0 : 3;
              }),
              0);
}

TEST(BecomeUser, TakesTheGroupsAlong) {
    if (!is_root()) GTEST_SKIP() << "needs root";
    EXPECT_EQ(in_child([] {
                  if (!become_user(12345, 12346)) return 1;
                  gid_t groups[64];
                  const int count = ::getgroups(64, groups);
                  return count == 1 && groups[0] == 12346 ? 0 : 2;
              }),
              0);
    EXPECT_EQ(in_child([] {
                  const auto nobody = find_user("nobody");
                  if (!nobody.found() || !become_user(nobody->uid, nobody->gid, "nobody")) return 1;
                  return ::setgid(0) == 0 ? 2 : 0;
              }),
              0);
}

TEST(FindUser, SaysWhoIsThere) {
    const auto root = find_user("root");
    ASSERT_TRUE(root.found());
    EXPECT_EQ(root->gid, 0U);
    EXPECT_EQ(find_group("root").value(), 0U);
    for (const std::string& none : {""s, "no such user"s, std::string(5000, 'x'), "root:"s}) {
        EXPECT_TRUE(find_user(none).not_found()) << none.size();
        EXPECT_TRUE(find_group(none).not_found()) << none.size();
    }
    EXPECT_TRUE(find_user(static_cast<uid_t>(4'000'000'123U)).not_found());
}

}  // namespace
}  // namespace postern::sys
