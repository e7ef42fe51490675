#include "lib/ipc/loop_channel.h"

#include <fcntl.h>
#include <unistd.h>

#include <unordered_map>
#include <utility>

#include "lib/sys/error.h"
#include "lib/sys/unix_socket.h"

namespace postern::ipc {
namespace {

constexpr int kPacketsPerTurn = 16;  // then the other channels get theirs
constexpr Millis kBusyRetry{5};      // a full backlog gives no event to wait for

Result<std::vector<Fd>> duplicates(std::span<const int> descriptors) {
    std::vector<Fd> copies;
    for (int fd : descriptors) {
        copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
        if (!copies.back()) return sys::system_error("duplicate descriptor");
    }
    return copies;
}

std::vector<int> numbers(const std::vector<Fd>& descriptors) {
    std::vector<int> out;
    for (const auto& fd : descriptors) out.push_back(fd.get());
    return out;
}

}  // namespace

LoopChannel::LoopChannel(loop::Loop& loop, Fd socket, Handler handler)
    : socket_(std::move(socket)), handler_(std::move(handler)) {
    watch_ = std::make_unique<loop::Watch>(
        loop, socket_.get(), [this] { read_packets(); }, [this] { flush(); });
    watch_->want_read(true);
}

LoopChannel::~LoopChannel() { *alive_ = false; }

Result<void> LoopChannel::send_bytes(std::string bytes, std::span<const int> descriptors) {
    if (!handler_.on_closed) return Error{Errc::closed, "send message: connection closed"};
    if (descriptors.size() > kMaxDescriptors)
        return Error{Errc::invalid, "send message: too many descriptors"};
    if (queue_.empty()) {
        auto sent = sys::send_packet(socket_.get(), bytes, descriptors);
        if (sent || !sys::would_block(sent.error())) return sent;
    }
    if (queue_.size() >= kMaxQueued)
        return Error{Errc::no_space, "send message: the peer does not read"};
    TRY_ASSIGN(auto copies, duplicates(descriptors));
    queue_.push_back({std::move(bytes), std::move(copies)});
    watch_->want_write(true);
    return {};
}

void LoopChannel::flush() {
    while (!queue_.empty()) {
        const Queued& next = queue_.front();
        auto sent = sys::send_packet(socket_.get(), next.bytes, numbers(next.descriptors));
        if (!sent && sys::would_block(sent.error())) return;
        if (!sent) return close(std::move(sent).error());
        queue_.pop_front();
    }
    watch_->want_write(false);
}

void LoopChannel::read_packets() {
    const auto alive = alive_;
    for (int i = 0; i < kPacketsPerTurn && *alive && watch_->wants_read(); ++i) {
        auto received = sys::receive_packet(socket_.get(), kMaxPacket, kMaxDescriptors);
        if (!received) {
            if (sys::would_block(received.error())) return;
            return close(std::move(received).error());
        }
        auto packet = Packet::parse(std::move(received->bytes), std::move(received->descriptors));
        if (!packet) return close(std::move(packet).error());
        const auto on_packet = handler_.on_packet;  // a copy: the handler may destroy us
        on_packet(*std::move(packet));
    }
}

// An empty on_closed says that it has been called.
void LoopChannel::close(Error why) {
    watch_->want_read(false);
    watch_->want_write(false);
    queue_.clear();
    const auto on_closed = std::exchange(handler_.on_closed, nullptr);
    if (on_closed) on_closed(std::move(why));
}

struct Client::Call {
    Call(loop::Loop& loop, loop::Callback on_timeout, loop::Callback on_retry)
        : timeout(loop, std::move(on_timeout)), retry(loop, std::move(on_retry)) {}

    std::string question;
    std::vector<Fd> descriptors;
    std::function<void(Result<Packet>)> done;
    std::unique_ptr<LoopChannel> channel;
    loop::Timer timeout;
    loop::Timer retry;
};

// The outstanding calls of one client. Callbacks reach them by number through a weak pointer, so
// that nothing dangles when a call ends or the client goes.
struct Client::Calls : std::enable_shared_from_this<Client::Calls> {
    Calls(loop::Loop& l, const std::string& p) : loop(l), path(p) {}

    void finish(std::uint64_t id, Result<Packet> answer) {
        auto found = calls.find(id);
        if (found == calls.end()) return;
        const auto call = std::move(found->second);
        calls.erase(found);
        if (!answer) {
            call->done(std::move(answer).error().within("service " + path));
        } else {
            call->done(std::move(answer));
        }
    }

    void attempt(std::uint64_t id) {
        Call& call = *calls.at(id);
        auto socket = sys::try_connect_unix(path);
        if (!socket && sys::would_block(socket.error())) return call.retry.start(kBusyRetry);
        if (!socket) return finish(id, std::move(socket).error());
        auto sent = sys::send_packet(socket->get(), call.question, numbers(call.descriptors));
        if (!sent) return finish(id, std::move(sent).error());
        call.descriptors.clear();
        const auto weak = weak_from_this();
        call.channel = std::make_unique<LoopChannel>(
            loop, *std::move(socket),
            LoopChannel::Handler{[weak, id](Packet packet) {
                                     if (auto self = weak.lock())
                                         self->finish(id, std::move(packet));
                                 },
                                 [weak, id](Error error) {
                                     if (auto self = weak.lock())
                                         self->finish(id, std::move(error));
                                 }});
    }

    loop::Loop& loop;
    const std::string path;
    std::uint64_t next_id = 1;
    std::unordered_map<std::uint64_t, std::unique_ptr<Call>> calls;
};

Client::Client(loop::Loop& loop, std::string path)
    : loop_(loop), path_(std::move(path)), calls_(std::make_shared<Calls>(loop, path_)) {}

Client::~Client() = default;

std::size_t Client::outstanding() const { return calls_->calls.size(); }

void Client::start(Result<std::string> question, std::span<const int> descriptors, Millis timeout,
                   std::function<void(Result<Packet>)> done) {
    const std::uint64_t id = calls_->next_id++;
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
    auto copies = duplicates(descriptors);
    Call& held = *calls_->calls.emplace(id, std::move(call)).first->second;
    if (!question || !copies) {
        auto error = question ? std::move(copies).error() : std::move(question).error();
        return loop_.post([weak, id, error] {
            if (auto self = weak.lock()) self->finish(id, error);
        });
    }
    held.question = *std::move(question);
    held.descriptors = *std::move(copies);
    held.timeout.start(timeout);
    held.retry.start(Millis{0});  // connects on the next turn, outside the caller
}

}  // namespace postern::ipc
