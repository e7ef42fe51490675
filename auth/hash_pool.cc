#include "auth/hash_pool.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/log/log.h"
#include "lib/sasl/password.h"
#include "lib/sys/error.h"
#include "lib/sys/sandbox.h"
#include "lib/sys/unix_socket.h"

namespace postern::auth {
namespace {

constexpr std::size_t kMaxPacket = 8192;
constexpr std::size_t kMaxAnswer = 256;
constexpr Millis kHashTimeout{30'000};

// The worker process. Never returns.
[[noreturn]] void serve(int socket) {
    // Keep nothing of the parent's: a copy of its sockets would keep conversations alive that it
    // ended.
    if (socket > 3) static_cast<void>(::close_range(3, static_cast<unsigned>(socket) - 1, 0));
    static_cast<void>(::close_range(static_cast<unsigned>(socket) + 1, ~0U, 0));
    static_cast<void>(::prctl(PR_SET_PDEATHSIG, SIGKILL));
    static_cast<void>(sys::restrict(static_cast<sys::Promises>(sys::Promise::stdio), {}));
    for (;;) {
        if (!sys::wait_ready(socket, sys::Ready::read, Deadline::in(Millis{3'600'000}))) continue;
        auto packet = sys::receive_packet(socket, kMaxPacket, 0);
        if (!packet && sys::would_block(packet.error())) continue;
        if (!packet) ::_exit(0);
        const std::string answer = answer_packet(packet->bytes);
        crypto::wipe(packet->bytes);
        if (!sys::send_packet(socket, answer)) ::_exit(0);
    }
}

std::string verify_answer(std::string_view packet) {
    const auto parts = split_once(packet, '\0');
    if (!parts) return "e";
    const auto fits = sasl::verify_password(parts->first, parts->second);
    if (!fits) return "e";
    return *fits ? "y" : "n";
}

// The salt has a fixed size, so the password is the rest.
std::string derive_answer(std::string_view packet) {
    if (packet.size() < 1 + sasl::kScramSaltSize) return "e";
    const auto digest = packet[0] == '1' ? crypto::Digest::sha1 : crypto::Digest::sha256;
    const auto secret =
        sasl::derive_scram(digest, packet.substr(1 + sasl::kScramSaltSize),
                           packet.substr(1, sasl::kScramSaltSize), sasl::kScramIterations);
    return cat({"d", secret.stored_key, secret.server_key});
}

}  // namespace

std::string answer_packet(std::string_view packet) {
    if (packet.starts_with('v')) return verify_answer(packet.substr(1));
    if (packet.starts_with('d')) return derive_answer(packet.substr(1));
    return "e";
}

HashPool::~HashPool() {
    for (auto& worker : workers_) {
        worker->watch.reset();
        worker->socket.reset();
        ::kill(worker->pid, SIGKILL);
        ::waitpid(worker->pid, nullptr, 0);
    }
}

void HashPool::verify(std::string stored, std::string password, Done done) {
    constexpr std::string_view kNul("\0", 1);
    Job job{cat({"v", stored, kNul, password}),
            [done = std::move(done)](Result<std::string> answer) {
                if (!answer) return done(std::move(answer).error());
                if (answer->starts_with('y')) return done(true);
                if (answer->starts_with('n')) return done(false);
                done(Error{Errc::invalid, "stored password is malformed", 0});
            }};
    crypto::wipe(password);
    enqueue(std::move(job));
}

void HashPool::derive(crypto::Digest digest, std::string salt, std::string password, Derived done) {
    POSTERN_CHECK(salt.size() == sasl::kScramSaltSize);
    const std::string_view digest_name = digest == crypto::Digest::sha1 ? "1" : "2";
    Job job{cat({"d", digest_name, salt, password}),
            [digest, salt, done = std::move(done)](Result<std::string> answer) {
                const std::size_t size = crypto::digest_size(digest);
                if (!answer) return done(std::move(answer).error());
                if (answer->size() != 1 + 2 * size)
                    return done(Error{Errc::invalid, "password cannot be derived", 0});
                done(sasl::ScramSecret{sasl::kScramIterations, salt, answer->substr(1, size),
                                       answer->substr(1 + size)});
            }};
    crypto::wipe(password);
    enqueue(std::move(job));
}

void HashPool::enqueue(Job job) {
    // All answers come from the loop, refusals too.
    if (queue_.size() >= kMaxQueued || job.packet.size() > kMaxPacket) {
        loop_.post([done = std::move(job.done)] {
            done(Error{Errc::no_space, "too many logins at a time", 0});
        });
        return;
    }
    queue_.push_back(std::move(job));
    dispatch();
}

void HashPool::dispatch() {
    while (!queue_.empty()) {
        Worker* worker = idle_worker();
        if (worker == nullptr && workers_.size() < limit_) {
            if (auto started = start_worker()) {
                worker = workers_.back().get();
            } else if (workers_.empty()) {
                log::warning("", started.error().what);
                loop_.post([done = std::move(queue_.front().done)] {
                    done(Error{Errc::temporary, "no process for password hashes", 0});
                });
                queue_.pop_front();
                continue;
            }
        }
        if (worker == nullptr) return;
        Job job = std::move(queue_.front());
        queue_.pop_front();
        give(*worker, std::move(job));
    }
}

HashPool::Worker* HashPool::idle_worker() {
    for (auto& worker : workers_)
        if (!worker->busy) return worker.get();
    return nullptr;
}

Result<void> HashPool::start_worker() {
    TRY_ASSIGN(auto ends, sys::packet_pair());
    const pid_t pid = ::fork();
    if (pid < 0) return sys::system_error("fork");
    if (pid == 0) serve(ends.second.get());
    auto worker = std::make_unique<Worker>();
    Worker* raw = worker.get();
    worker->socket = std::move(ends.first);
    worker->pid = pid;
    worker->watch =
        std::make_unique<loop::Watch>(loop_, raw->socket.get(), [this, raw] { on_answer(*raw); });
    worker->timeout = std::make_unique<loop::Timer>(loop_, [this, raw] { remove(*raw); });
    worker->watch->want_read(true);
    workers_.push_back(std::move(worker));
    return {};
}

void HashPool::give(Worker& worker, Job job) {
    worker.busy = true;
    worker.done = std::move(job.done);
    worker.timeout->start(kHashTimeout);
    const auto sent = sys::send_packet(worker.socket.get(), job.packet);
    crypto::wipe(job.packet);
    // A worker that cannot be reached is at its end: the watch says so next.
    if (!sent) log::warning("", sent.error().what);
}

void HashPool::on_answer(Worker& worker) {
    auto packet = sys::receive_packet(worker.socket.get(), kMaxAnswer, 0);
    if (!packet && sys::would_block(packet.error())) return;
    if (!packet || !worker.busy || packet->bytes.empty()) return remove(worker);
    finish(worker, std::move(packet->bytes));
}

void HashPool::finish(Worker& worker, Result<std::string> answer) {
    worker.timeout->stop();
    worker.busy = false;
    const Answered done = std::move(worker.done);
    worker.done = nullptr;
    dispatch();
    done(std::move(answer));
}

// Died, or takes too long: its question is "try later".
void HashPool::remove(Worker& worker) {
    ::kill(worker.pid, SIGKILL);
    ::waitpid(worker.pid, nullptr, 0);
    const Answered done = std::move(worker.done);
    std::erase_if(workers_, [&](const auto& each) { return each.get() == &worker; });
    dispatch();
    if (done) done(Error{Errc::temporary, "a process for password hashes ended", 0});
}

}  // namespace postern::auth
