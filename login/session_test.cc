#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "lib/base/strings.h"
#include "lib/ipc/channel.h"
#include "lib/log/log.h"
#include "lib/net/stream.h"
#include "lib/sasl/server_exchange.h"
#include "lib/sys/unix_socket.h"
#include "lib/tls/certificate.h"
#include "tests/support/temp_folder.h"

#include "login/login_service.h"

namespace postern::login {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Deadline soon() { return Deadline::in(Seconds{20}); }

// A service that answers on a socket in a thread of its own.
class FakeService {
  public:
    FakeService(const std::string& path, std::function<void(ipc::Channel)> serve)
        : listener_(sys::listen_unix(path, 0700).value()),
          thread_([this, serve = std::move(serve)] { run(serve); }) {}
    ~FakeService() {
        done_ = true;
        thread_.join();
    }

  private:
    void run(const std::function<void(ipc::Channel)>& serve) {
        std::vector<std::thread> conversations;
        while (!done_) {
            pollfd ready{listener_.get(), POLLIN, 0};
            if (::poll(&ready, 1, 20) <= 0) continue;
            Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!socket) continue;
            conversations.emplace_back(
                [&serve, fd = std::move(socket)]() mutable { serve(ipc::Channel(std::move(fd))); });
        }
        for (auto& each : conversations) each.join();
    }

    Fd listener_;
    std::atomic<bool> done_ = false;
    std::thread thread_;
};

// auth knows u1 with password "secret"; the worker says hello with what it was told and echoes
// lines.
class LoginTest : public testing::Test {
  protected:
    LoginTest() { log::open_capture(); }
    ~LoginTest() override {
        stop_ = true;
        if (loop_thread_.joinable()) loop_thread_.join();
    }

    void start(std::function<void(Options&)> change = {}, bool with_worker = true) {
        Options options;
        options.auth_path = folder_ / "auth";
        options.worker_path = folder_ / "worker";
        if (change) change(options);
        auth_ = std::make_unique<FakeService>(options.auth_path,
                                              [this](ipc::Channel c) { be_auth(std::move(c)); });
        if (with_worker)
            worker_ = std::make_unique<FakeService>(
                options.worker_path, [this](ipc::Channel c) { be_worker(std::move(c)); });
        loop_thread_ = std::thread(
            [this, o = std::make_shared<Options>(std::move(options))] { run(std::move(*o)); });
    }
    static void with_tls(Options& options) {
        const auto pair = tls::make_self_signed("mail.example.test").value();
        tls::ServerOptions server;
        server.certificate_pem = pair.certificate_pem;
        server.key_pem = pair.key_pem;
        options.tls.emplace(tls::ServerContext::make(server).value());
    }

    // A client whose other end the service has got.
    net::Stream connect() {
        auto ends = sys::stream_pair().value();
        {
            const std::lock_guard lock(mutex_);
            incoming_.push_back(std::move(ends.second));
        }
        return net::Stream(std::move(ends.first));
    }
    static std::string line(net::Stream& client) {
        auto text = client.read_line(100'000, soon());
        return text ? *text : "ERROR " + text.error().what;
    }
    static void say(net::Stream& client, const std::string& text) {
        ASSERT_TRUE(client.write(text, soon()));
    }
    static void start_tls(net::Stream& client) {
        static const auto context = tls::ClientContext::make({}).value();
        const auto done = client.start_tls_client(context, "", soon());
        ASSERT_TRUE(done) << done.error().what;
    }

    void be_auth(ipc::Channel channel) {
        const auto request = channel.receive<ipc::AuthRequest>(soon());
        if (!request) return;
        ipc::AuthAnswer answer;
        const bool good = request->response == sasl::make_plain("u1", "secret");
        answer.outcome = good ? ipc::AuthOutcome::success : ipc::AuthOutcome::failure;
        if (request->response == sasl::make_plain("broken", "x"))
            answer.outcome = ipc::AuthOutcome::temporary;
        if (good) answer.user = "u1";
        if (good) answer.token = std::string(ipc::kAuthTokenSize, 't');
        (void)channel.send(answer, soon()).has_value();
    }
    void be_worker(ipc::Channel channel) {
        auto packet = channel.receive_packet(soon());
        if (!packet) return;
        const auto handoff = packet->as<ipc::Handoff>();
        if (!handoff || packet->descriptor_count() != 1) return;
        if (refusals_.fetch_sub(1) > 0) {
            (void)channel.send(ipc::HandoffAnswer{false, "auth refused the token"}, soon())
                .has_value();
            return;
        }
        net::Stream client(packet->take_descriptor());
        (void)channel.send(ipc::HandoffAnswer{true, ""}, soon()).has_value();
        if (!handoff->state.empty())
            (void)client
                .write(cat({"awake: ", handoff->token, " ", handoff->state, "\r\n"}), soon())
                .has_value();
        else
            (void)client
                .write(cat({handoff->tag, " OK secured=", handoff->secured ? "yes" : "no",
                            " pending=", handoff->pending.substr(0, 20), "\r\n"}),
                       soon())
                .has_value();
        std::string carried = handoff->pending;
        for (;;) {
            auto text = client.read_line(100'000, soon());
            if (!text) {
                (void)client.write("BYE\r\n", soon()).has_value();
                return;
            }
            if (*text == "sleep") {
                if (sleep(channel, client)) return;
                continue;
            }
            if (*text == "big")
                (void)client.write(std::string(3'000'000, 'b') + "\r\n", soon()).has_value();
            (void)client.write("echo " + carried + *text + "\r\n", soon()).has_value();
            carried.clear();
            if (*text == "quit") return;
        }
    }
    // The worker gives the client back, with the read end of a pipe as the watch of the folder.
    bool sleep(ipc::Channel& channel, net::Stream& client) {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        const Fd watch(ends[0]);
        folder_changes_ = Fd(ends[1]);
        const Fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
        const int descriptors[] = {client.fd(), watch_a_file_ ? file.get() : watch.get()};
        const ipc::Hibernate message{"resume token", "sealed", silence_.count(), 120'000};
        if (!channel.send(message, soon(), "", descriptors)) return false;
        const auto answer = channel.receive<ipc::HibernateAnswer>(soon());
        if (!answer || !answer->ok) return false;
        ++asleep_;
        return true;
    }
    void wait_asleep(int count) {
        const auto deadline = soon();
        while (asleep_ < count && !deadline.passed()) std::this_thread::yield();
        EXPECT_EQ(asleep_, count);
    }
    void run(Options options) {
        loop::Loop loop;
        LoginService service(
            loop, std::move(options), [this] { ++ended_; }, [this] { ++began_; });
        while (!stop_) {
            std::vector<Fd> incoming;
            {
                const std::lock_guard lock(mutex_);
                incoming.swap(incoming_);
            }
            for (auto& fd : incoming) service.on_connection(std::move(fd));
            if (drain_.exchange(false)) service.drain();
            if (stop_service_.exchange(false)) service.stop();
            loop.run_for(Millis{5});
            sessions_ = service.sessions();
            busy_ = service.busy();
        }
    }
    void wait_until_all_ended() {
        const auto deadline = soon();
        while (sessions_ > 0 && !deadline.passed()) std::this_thread::yield();
        EXPECT_EQ(sessions_, 0U);
    }

    support::TempFolder folder_;
    std::mutex mutex_;
    std::vector<Fd> incoming_;
    std::atomic<bool> busy_ = true;
    std::atomic<bool> stop_ = false, drain_ = false, stop_service_ = false;
    Millis silence_{60'000};
    Fd folder_changes_;
    bool watch_a_file_ = false;
    std::atomic<int> asleep_ = 0;
    std::atomic<int> refusals_ = 0;  // hand-offs that the worker will not take
    std::atomic<int> ended_ = 0;
    std::atomic<int> began_ = 0;  // without those by connections
    std::atomic<std::size_t> sessions_ = 0;
    std::unique_ptr<FakeService> auth_, worker_;
    std::thread loop_thread_;
};

TEST_F(LoginTest, AWholePlainLogin) {
    start();
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK [CAPABILITY"));
    say(client, "a LOGIN u1 wrong\r\n");
    EXPECT_THAT(line(client), StartsWith("a NO [AUTHENTICATIONFAILED]"));
    say(client, "b LOGIN broken x\r\n");
    EXPECT_THAT(line(client), StartsWith("b NO [UNAVAILABLE]"));
    say(client, "c LOGIN u1 secret\r\n");
    EXPECT_EQ(line(client), "c OK secured=yes pending=");
    wait_until_all_ended();
    say(client, "x\r\n");
    EXPECT_EQ(line(client), "echo x");
}

TEST_F(LoginTest, WhatWasPipelinedGoesAlong) {
    start();
    auto client = connect();
    say(client, "c LOGIN u1 secret\r\nd SEL");
    EXPECT_THAT(line(client), StartsWith("* OK"));
    EXPECT_EQ(line(client), "c OK secured=yes pending=d SEL");
    say(client, "ECT\r\n");
    EXPECT_EQ(line(client), "echo d SELECT");
}

TEST_F(LoginTest, MuchPipelinedInputIsRelayed) {
    start();
    auto client = connect();
    const std::string much(60'000, 'm');
    say(client, "c LOGIN u1 secret\r\n" + much + "\r\nquit\r\n");
    EXPECT_THAT(line(client), StartsWith("* OK"));
    EXPECT_THAT(line(client), StartsWith("c OK"));
    const auto echoed = line(client);
    EXPECT_GE(echoed.size(), 60'000U);
    EXPECT_EQ(line(client), "echo quit");
}

TEST_F(LoginTest, StartTlsThenRelayBothWays) {
    start(with_tls);
    auto client = connect();
    EXPECT_THAT(line(client), HasSubstr("STARTTLS"));
    say(client, "a STARTTLS\r\n");
    EXPECT_THAT(line(client), StartsWith("a OK"));
    start_tls(client);
    say(client, "b CAPABILITY\r\n");
    EXPECT_THAT(line(client), testing::Not(HasSubstr("STARTTLS")));
    EXPECT_THAT(line(client), StartsWith("b OK"));
    say(client, "c LOGIN u1 secret\r\nearly\r\n");
    EXPECT_EQ(line(client), "c OK secured=yes pending=");
    EXPECT_EQ(line(client), "echo early");
    say(client, "big\r\n");
    auto big = client.read_line(4'000'000, soon());
    ASSERT_TRUE(big);
    EXPECT_EQ(big->size(), 3'000'000U);
    EXPECT_EQ(line(client), "echo big");
    say(client, "quit\r\n");
    EXPECT_EQ(line(client), "echo quit");
    EXPECT_THAT(line(client), StartsWith("ERROR"));
    wait_until_all_ended();
}

TEST_F(LoginTest, ImplicitTls) {
    start([](Options& options) {
        with_tls(options);
        options.wrapper_mode = true;
        options.protocol = ipc::AuthProtocol::pop3;
    });
    auto client = connect();
    start_tls(client);
    EXPECT_EQ(line(client), "+OK Postern ready.");
    say(client, "USER u1\r\nPASS secret\r\n");
    EXPECT_EQ(line(client), "+OK");
    EXPECT_EQ(line(client), " OK secured=yes pending=");
    say(client, "x\r\n");
    EXPECT_EQ(line(client), "echo x");
    // The client goes without a word: the worker hears it, and everything ends.
    { const net::Stream gone = std::move(client); }
    wait_until_all_ended();
}

TEST_F(LoginTest, InjectedPlaintextEndsTheSession) {
    start(with_tls);
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a STARTTLS\r\nb LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("a OK"));
    EXPECT_THAT(line(client), StartsWith("ERROR"));
    wait_until_all_ended();
}

TEST_F(LoginTest, NoWorker) {
    start({}, false);
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("a NO [UNAVAILABLE]"));
    EXPECT_THAT(line(client), StartsWith("* BYE"));
    wait_until_all_ended();
}

TEST_F(LoginTest, TimesOut) {
    start([](Options& options) { options.login_timeout = Millis{50}; });
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    EXPECT_EQ(line(client), "* BYE Disconnected for inactivity.");
    wait_until_all_ended();
}

// A reload between token and hand-off: the new auth does not know the old one's token.
TEST_F(LoginTest, ARefusedHandOffIsTriedOnceMore) {
    refusals_ = 1;
    start();
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a LOGIN u1 secret\r\nmore\r\n");
    EXPECT_EQ(line(client), "a OK secured=yes pending=more");
    wait_until_all_ended();
}

TEST_F(LoginTest, AWorkerThatRefusesTwiceIsBelieved) {
    refusals_ = 2;
    start(with_tls);
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    say(client, "a STARTTLS\r\n");
    EXPECT_THAT(line(client), StartsWith("a OK"));
    start_tls(client);
    say(client, "b LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("b NO [UNAVAILABLE]"));
    EXPECT_THAT(line(client), StartsWith("* BYE"));
    wait_until_all_ended();
}

TEST_F(LoginTest, AReloadLeavesClientsAlone) {
    start();
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
    drain_ = true;
    say(client, "a LOGIN u1 secret\r\n");
    EXPECT_THAT(line(client), StartsWith("a OK"));
    wait_until_all_ended();
}

TEST_F(LoginTest, StopSaysGoodbyeToThoseWhoHaveNotLoggedIn) {
    start();
    auto waiting = connect();
    auto working = connect();
    EXPECT_THAT(line(waiting), StartsWith("* OK"));
    EXPECT_THAT(line(working), StartsWith("* OK"));
    say(working, "a LOGIN u1 secret\r\n");
    EXPECT_THAT(line(working), StartsWith("a OK"));
    stop_service_ = true;
    EXPECT_THAT(line(waiting), StartsWith("* BYE [UNAVAILABLE]"));
    say(working, "x\r\n");
    EXPECT_EQ(line(working), "echo x");
    wait_until_all_ended();
}

TEST_F(LoginTest, ClientsThatLeave) {
    start();
    for (int i = 0; i < 20; ++i) {
        auto client = connect();
        if (i % 2 == 0) say(client, "a LOGIN u1 wro");
        if (i % 3 == 0) say(client, "ng\r\n");
    }
    wait_until_all_ended();
    auto client = connect();
    EXPECT_THAT(line(client), StartsWith("* OK"));
}

TEST_F(LoginTest, ManyAtATime) {
    start();
    std::vector<net::Stream> clients;
    for (int i = 0; i < 50; ++i) clients.push_back(connect());
    for (auto& client : clients) say(client, "a LOGIN u1 secret\r\n");
    for (auto& client : clients) {
        EXPECT_THAT(line(client), StartsWith("* OK"));
        EXPECT_THAT(line(client), StartsWith("a OK"));
    }
    wait_until_all_ended();
}

// --- Hibernation

class SleepTest : public LoginTest, public testing::WithParamInterface<bool> {
  protected:
    // A client whose worker has gone to sleep, with TLS or without.
    net::Stream sleeper(int count = 1) {
        if (count <= 1)
            start([this](Options& o) {
                if (GetParam()) with_tls(o);
            });
        auto client = connect();
        EXPECT_THAT(line(client), StartsWith("* OK"));
        if (GetParam()) {
            say(client, "a STARTTLS\r\n");
            EXPECT_THAT(line(client), StartsWith("a OK"));
            start_tls(client);
        }
        say(client, "c LOGIN u1 secret\r\n");
        EXPECT_THAT(line(client), StartsWith("c OK"));
        say(client, "sleep\r\n");
        wait_asleep(count);
        return client;
    }
};

TEST_P(SleepTest, TheClientSpeaks) {
    auto client = sleeper();
    say(client, "DONE\r\n");
    EXPECT_EQ(line(client), "awake: resume token sealed");
    EXPECT_EQ(line(client), "echo DONE") << "the worker gets what was said";
    say(client, "sleep\r\n");
    wait_asleep(2);
    say(client, "x\r\n");
    EXPECT_EQ(line(client), "awake: resume token sealed");
    EXPECT_EQ(line(client), "echo x");
    say(client, "quit\r\n");
    EXPECT_EQ(line(client), "echo quit");
    wait_until_all_ended();
    // The number of sessions may be the one of a moment ago, when the client slept.
    const auto limit = soon();
    while (ended_ <= began_ && !limit.passed()) std::this_thread::yield();
    // A sleeping client is a session of this process; a relayed one is one anyway.
    EXPECT_EQ(began_, GetParam() ? 0 : 2);
    EXPECT_EQ(ended_, began_ + 1);
}

TEST_P(SleepTest, ItsFolderChanges) {
    auto client = sleeper();
    ASSERT_EQ(::write(folder_changes_.get(), "x", 1), 1);
    EXPECT_EQ(line(client), "awake: resume token sealed");
}

TEST_P(SleepTest, TheClientGoes) {
    { const auto client = sleeper(); }
    wait_until_all_ended();
    const auto limit = soon();
    while (busy_ && !limit.passed()) std::this_thread::yield();
    stop_ = true;
    loop_thread_.join();
    EXPECT_THAT(log::take_captured(),
                HasSubstr("client closed the connection (hibernating): user=<u1>"));
    EXPECT_EQ(began_, GetParam() ? 0 : 1);
    EXPECT_EQ(ended_, began_ + 1);
}

TEST_P(SleepTest, SilentForTooLong) {
    silence_ = Millis{50};
    auto client = sleeper();
    EXPECT_EQ(line(client), "* BYE Disconnected for inactivity.");
    EXPECT_THAT(line(client), StartsWith("ERROR"));
}

TEST_P(SleepTest, TheSystemStops) {
    auto client = sleeper();
    drain_ = true;
    stop_service_ = true;
    EXPECT_EQ(line(client), "* BYE [UNAVAILABLE] Server shutting down.");
    EXPECT_THAT(line(client), StartsWith("ERROR"));
}

TEST_P(SleepTest, AReloadLetsItSleep) {
    auto client = sleeper();
    drain_ = true;
    say(client, "DONE\r\n");
    EXPECT_EQ(line(client), "awake: resume token sealed");
}

TEST_P(SleepTest, AWorkerThatRefusesTheState) {
    auto client = sleeper();
    refusals_ = 3;
    say(client, "DONE\r\n");
    EXPECT_EQ(line(client), "* BYE [UNAVAILABLE] Session cannot be continued, connect again");
    EXPECT_THAT(line(client), StartsWith("ERROR"));
}

TEST_P(SleepTest, AWorkerThatRefusesOnce) {
    auto client = sleeper();
    refusals_ = 1;
    say(client, "DONE\r\n");
    EXPECT_EQ(line(client), "awake: resume token sealed");
}

// A worker that was taken over may send what it likes.
TEST_P(SleepTest, ADescriptorThatNobodyCanWaitFor) {
    watch_a_file_ = true;
    auto client = sleeper(0);
    say(client, "x\r\n");
    EXPECT_EQ(line(client), "echo x") << "the worker keeps its client";
}

TEST_P(SleepTest, NoWorkerForAWhile) {
    auto client = sleeper();
    worker_.reset();
    say(client, "DONE\r\n");
    EXPECT_EQ(line(client), "* BYE [UNAVAILABLE] Session cannot be continued, connect again");
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, SleepTest, testing::Bool(),
                         [](const auto& tls) { return tls.param ? "Tls" : "Plain"; });

}  // namespace
}  // namespace postern::login
