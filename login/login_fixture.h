// A whole login service with stand-ins for auth, anvil and the worker, and clients of it.
#pragma once

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

inline Deadline soon() { return Deadline::in(Seconds{20}); }

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

// A value of several threads.
template <class T>
class Guarded {
  public:
    class Access {
      public:
        explicit Access(Guarded& all) : lock_(all.mutex_), value_(all.value_) {}
        T& operator*() { return value_; }
        T* operator->() { return &value_; }

      private:
        std::lock_guard<std::mutex> lock_;
        T& value_;
    };
    Access lock() { return Access(*this); }

  private:
    std::mutex mutex_;
    T value_;
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
        options.anvil_path = folder_ / "anvil";
        if (change) change(options);
        auth_ = std::make_unique<FakeService>(options.auth_path,
                                              [this](ipc::Channel c) { be_auth(std::move(c)); });
        if (with_anvil_)
            anvil_ = std::make_unique<FakeService>(
                options.anvil_path, [this](ipc::Channel c) { be_anvil(std::move(c)); });
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
        const bool good = request->response == sasl::make_plain("u1", "secret") &&
                          right_answers_.fetch_sub(1) > 0;
        answer.outcome = good ? ipc::AuthOutcome::success : ipc::AuthOutcome::failure;
        if (request->response == sasl::make_plain("broken", "x"))
            answer.outcome = ipc::AuthOutcome::temporary;
        if (good) answer.user = "u1";
        if (good) answer.token = std::string(ipc::kAuthTokenSize, 't');
        (void)channel.send(answer, soon()).has_value();
    }
    // Admits whom `admission_` says; tells the login process what `dismiss_` says.
    void be_anvil(ipc::Channel channel) {
        while (!stop_) {
            if (const auto id = std::exchange(*dismiss_.lock(), ""); !id.empty())
                (void)channel.send(ipc::DismissSessions{{id}}, soon()).has_value();
            const auto packet = channel.receive_packet(Deadline::in(Millis{20}));
            if (!packet && packet.error().code == Errc::timeout) continue;
            if (!packet) return;
            if (const auto report = packet->as<ipc::SessionReport>())
                for (const auto& facts : report->sessions) tell(facts);
            const auto question = packet->as<ipc::AdmissionQuestion>();
            if (!question) continue;
            tell(question->facts);
            ipc::AdmissionAnswer answer = *numbers_.lock();
            answer.session = question->facts.session;
            answer.too_soon = answer.too_soon && question->login_delay > 0;
            (void)channel.send(answer, soon()).has_value();
        }
    }
    void tell(const ipc::SessionFacts& facts) {
        constexpr const char* kStates[] = {"logging in", "active", "asleep", "over"};
        *session_.lock() = facts.session.str();  // first: wait_told() looks as soon as it is told
        told_.lock()->push_back(facts.user + " " + kStates[static_cast<int>(facts.state)]);
    }
    // Waits until anvil has been told so of the session that it was told of last.
    std::string wait_told(const std::string& what) {
        const auto deadline = soon();
        while (!deadline.passed()) {
            const auto told = *told_.lock();
            if (!told.empty() && told.back() == what) return *session_.lock();
            std::this_thread::yield();
        }
        ADD_FAILURE() << "never told: " << what;
        return "";
    }

    void be_worker(ipc::Channel channel) {
        auto packet = channel.receive_packet(soon());
        if (!packet) return;
        const auto handoff = packet->as<ipc::Handoff>();
        if (!handoff || packet->descriptor_count() != 2) return;
        if (refusals_.fetch_sub(1) > 0) {
            (void)channel.send(ipc::HandoffAnswer{false, "auth refused the token"}, soon())
                .has_value();
            return;
        }
        net::Stream client(packet->take_descriptor(0));
        const Fd dismissal = packet->take_descriptor(1);
        (void)channel.send(ipc::HandoffAnswer{true, "", 4711}, soon()).has_value();
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
            if (*text == "wait for dismissal") {
                pollfd ready{dismissal.get(), POLLIN, 0};
                ::poll(&ready, 1, 20'000);
                (void)client.write("dismissed\r\n", soon()).has_value();
                return;
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
            links_ = service.links();
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
    std::atomic<std::size_t> links_ = 0;
    std::atomic<bool> stop_ = false, drain_ = false, stop_service_ = false;
    Millis silence_{60'000};
    Fd folder_changes_;
    bool watch_a_file_ = false;
    std::atomic<int> asleep_ = 0;
    std::atomic<int> refusals_ = 0;               // hand-offs that the worker will not take
    std::atomic<int> right_answers_ = 1'000'000;  // of auth; then even the right password is wrong
    std::atomic<int> ended_ = 0;
    std::atomic<int> began_ = 0;  // without those by connections
    std::atomic<std::size_t> sessions_ = 0;
    bool with_anvil_ = false;
    Guarded<ipc::AdmissionAnswer> numbers_;
    Guarded<std::vector<std::string>> told_;
    Guarded<std::string> session_, dismiss_;
    std::unique_ptr<FakeService> auth_, anvil_, worker_;
    std::thread loop_thread_;
};

}  // namespace postern::login
