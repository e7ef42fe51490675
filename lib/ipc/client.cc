#include "lib/ipc/client.h"

#include <cerrno>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/sys/error.h"
#include "lib/sys/unix_socket.h"

#include "lib/ipc/descriptors.h"
#include "lib/ipc/loop_channel.h"

namespace postern::ipc {
namespace {

constexpr Millis kBusyRetry{5};       // a full backlog gives no event to wait for
constexpr std::size_t kMaxIdle = 32;  // connections kept
constexpr Millis kWaitForIdle{5};     // then another worker is worth its price

}  // namespace

struct Client::Call {
    Call(loop::Loop& loop, loop::Callback on_timeout, loop::Callback on_retry)
        : timeout(loop, std::move(on_timeout)), retry(loop, std::move(on_retry)) {}

    std::string question;
    std::function<void(Result<Packet>)> done;
    Descriptors descriptors;       // while it waits for room
    std::vector<int> borrowed;     // while it is on a connection that another request used before
    std::uint64_t connection = 0;  // 0: none yet
    std::shared_ptr<Fd> keeper;    // gets the connection with the answer
    bool wants_new = false;        // has waited for an idle connection, or met the end of one
    loop::Timer timeout;
    loop::Timer retry;
};

struct Client::Connection {
    std::unique_ptr<LoopChannel> channel;
    std::uint64_t call = 0;  // 0: idle
    bool used_before = false;
};

// The outstanding calls and the connections of one client. Callbacks reach them by number through
// a weak pointer, so that nothing dangles when a call ends or the client goes.
struct Client::Calls : std::enable_shared_from_this<Client::Calls> {
    Calls(loop::Loop& l, std::string p, Connections c)
        : loop(l), path(std::move(p)), connections_are(c) {}

    void finish(std::uint64_t id, Result<Packet> answer);
    void attempt(std::uint64_t id);
    // Sends the question, or arranges for another attempt when the service's backlog is full.
    Result<void> ask(std::uint64_t id, Call& call, std::span<const int> descriptors);
    bool ask_on_idle(std::uint64_t id, Call& call, std::span<const int> descriptors);
    bool may_keep(const Packet& answer) const;
    bool may_ask_again(const Connection& connection, const Error& error) const;
    bool wait_for_idle(std::uint64_t id, Call& call);
    void serve_waiting();
    void connected(std::uint64_t id, Call& call, Fd socket);
    void on_packet(std::uint64_t number, Packet packet);
    void on_closed(std::uint64_t number, Error error);

    loop::Loop& loop;
    const std::string path;
    Connections connections_are;
    std::uint64_t next_number = 1;
    std::unordered_map<std::uint64_t, std::unique_ptr<Call>> calls;
    std::unordered_map<std::uint64_t, Connection> connections;
    std::vector<std::uint64_t> idle;    // the last one used is the first one used again
    std::deque<std::uint64_t> waiting;  // calls, for an idle connection
};

void Client::Calls::finish(std::uint64_t id, Result<Packet> answer) {
    auto found = calls.find(id);
    if (found == calls.end()) return;
    const auto call = std::move(found->second);
    calls.erase(found);
    // Still there at a timeout: its answer may come later, and would be taken for the next one's.
    connections.erase(call->connection);
    if (!answer) {
        call->done(std::move(answer).error().within("service " + path));
    } else {
        call->done(std::move(answer));
    }
}

void Client::Calls::attempt(std::uint64_t id) {
    Call& call = *calls.at(id);
    std::erase(waiting, id);
    const Descriptors descriptors = std::exchange(call.descriptors, {});
    const std::vector<int> borrowed = std::exchange(call.borrowed, {});
    if (auto asked = ask(id, call, borrowed.empty() ? descriptors.numbers() : borrowed); !asked)
        finish(id, std::move(asked).error());
}

Result<void> Client::Calls::ask(std::uint64_t id, Call& call, std::span<const int> descriptors) {
    const bool kept = connections_are == Connections::kept && descriptors.empty() && !call.keeper;
    if (!call.wants_new && (kept || connections_are == Connections::offered)) {
        if (ask_on_idle(id, call, descriptors)) return {};
        if (kept && wait_for_idle(id, call)) return {};
    }
    auto socket = sys::try_connect_unix(path);
    if (!socket && sys::would_block(socket.error())) {
        TRY_ASSIGN(call.descriptors, Descriptors::copies_of(descriptors));
        call.retry.start(kBusyRetry);
        return {};
    }
    if (!socket) return std::move(socket).error();
    TRY(sys::send_packet(socket->get(), call.question, descriptors));
    connected(id, call, *std::move(socket));
    return {};
}

bool Client::Calls::ask_on_idle(std::uint64_t id, Call& call, std::span<const int> descriptors) {
    while (!idle.empty()) {
        const std::uint64_t number = idle.back();
        idle.pop_back();
        Connection& connection = connections.at(number);
        if (sys::send_packet(connection.channel->fd(), call.question, descriptors)) {
            call.borrowed.assign(descriptors.begin(), descriptors.end());
            connection.call = id;
            call.connection = number;
            return true;
        }
        connections.erase(number);  // hung up meanwhile
    }
    return false;
}

bool Client::Calls::wait_for_idle(std::uint64_t id, Call& call) {
    if (connections.empty()) return false;
    call.wants_new = true;
    waiting.push_back(id);
    call.retry.start(kWaitForIdle);
    return true;
}

void Client::Calls::serve_waiting() {
    while (!waiting.empty() && !idle.empty()) {
        const auto found = calls.find(waiting.front());
        waiting.pop_front();
        if (found == calls.end()) continue;  // gave up meanwhile
        // Where the connection is gone after all, the timer sees to it.
        if (ask_on_idle(found->first, *found->second, {})) found->second->retry.stop();
    }
}

void Client::Calls::connected(std::uint64_t id, Call& call, Fd socket) {
    const std::uint64_t number = next_number++;
    call.connection = number;
    Connection& connection = connections[number];
    connection.call = id;
    const auto weak = weak_from_this();
    connection.channel = std::make_unique<LoopChannel>(
        loop, std::move(socket),
        LoopChannel::Handler{[weak, number](Packet packet) {
                                 if (auto self = weak.lock())
                                     self->on_packet(number, std::move(packet));
                             },
                             [weak, number](Error error) {
                                 if (auto self = weak.lock())
                                     self->on_closed(number, std::move(error));
                             }});
}

void Client::Calls::on_packet(std::uint64_t number, Packet packet) {
    Connection& connection = connections.at(number);
    const std::uint64_t id = std::exchange(connection.call, 0);
    if (id == 0) return on_closed(number, {Errc::invalid, "an answer to no question"});
    if (const auto& keeper = calls.at(id)->keeper) {
        *keeper = connection.channel->release();
        return finish(id, std::move(packet));
    }
    if (may_keep(packet)) {
        calls.at(id)->connection = 0;
        connection.used_before = true;
        idle.push_back(number);
        serve_waiting();
    }
    finish(id, std::move(packet));
}

bool Client::Calls::may_keep(const Packet& answer) const {
    if (idle.size() == kMaxIdle) return false;
    return connections_are == Connections::kept ||
           (connections_are == Connections::offered && answer.takes_another());
}

bool Client::Calls::may_ask_again(const Connection& connection, const Error& error) const {
    if (!connection.used_before || error.code == Errc::invalid) return false;
    // unix(7): what the peer had not read when it closed.
    return connections_are != Connections::offered || error.sys == ECONNRESET;
}

void Client::Calls::on_closed(std::uint64_t number, Error error) {
    const auto found = connections.find(number);
    const std::uint64_t id = found->second.call;
    const bool ask_again = may_ask_again(found->second, error);
    connections.erase(found);
    std::erase(idle, number);
    if (id == 0) return;
    Call& call = *calls.at(id);
    call.connection = 0;
    call.wants_new = true;  // a question that ends its worker shall not end the others too
    if (ask_again) return attempt(id);
    finish(id, std::move(error));
}

Client::Client(loop::Loop& loop, std::string path, Connections connections)
    : loop_(loop),
      path_(std::move(path)),
      calls_(std::make_shared<Calls>(loop, path_, connections)) {}

Client::~Client() = default;

std::size_t Client::outstanding() const { return calls_->calls.size(); }

void Client::drain() {
    calls_->connections_are = Connections::one_each;
    for (const std::uint64_t number : calls_->idle) calls_->connections.erase(number);
    calls_->idle.clear();
}

void Client::start(Result<std::string> question, std::span<const int> descriptors, Millis timeout,
                   std::function<void(Result<Packet>)> done, std::shared_ptr<Fd> keeper) {
    const std::uint64_t id = calls_->next_number++;
    const std::weak_ptr<Calls> weak = calls_;
    const auto with = [weak, id](auto act) {
        return [weak, id, act] {
            if (auto self = weak.lock()) act(*self, id);
        };
    };
    auto call =
        std::make_unique<Call>(loop_, with([](Calls& calls, std::uint64_t n) {
                                   calls.finish(n, Error{Errc::timeout, "no answer in time"});
                               }),
                               with([](Calls& calls, std::uint64_t n) { calls.attempt(n); }));
    call->done = std::move(done);
    call->keeper = std::move(keeper);
    Call& held = *calls_->calls.emplace(id, std::move(call)).first->second;
    held.timeout.start(timeout);
    auto asked = [&]() -> Result<void> {
        TRY_ASSIGN(held.question, std::move(question));
        return calls_->ask(id, held, descriptors);
    }();
    if (asked) return;
    loop_.post([weak, id, error = asked.error()] {
        if (auto self = weak.lock()) self->finish(id, error);
    });
}

}  // namespace postern::ipc
