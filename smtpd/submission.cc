// The dialogue with cleanup, see submission.h.
#include "smtpd/submission.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "lib/sys/error.h"
#include "lib/sys/unix_socket.h"

namespace postern::smtpd {
namespace {

constexpr Millis kRetry{20};  // cleanup's backlog is full
constexpr int kMaxAttempts = 500;

std::size_t bytes_of(const ipc::SubmitRecipient& r) {
    return r.address.size() + r.original.size() + r.orcpt.size() + 64;
}

// Moves as many recipients as fit into one packet from the front of `all`.
std::vector<ipc::SubmitRecipient> take_packet(std::vector<ipc::SubmitRecipient>& all) {
    std::size_t count = 0, bytes = 0;
    while (count < all.size() && count < ipc::kMaxRecipientsPerMessage) {
        bytes += bytes_of(all[count]);
        if (count > 0 && bytes > ipc::kRecipientBudget) break;
        ++count;
    }
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<ipc::SubmitRecipient> part(std::make_move_iterator(all.begin()),
                                           std::make_move_iterator(end));
    all.erase(all.begin(), end);
    return part;
}

}  // namespace

Submission::Submission(loop::Loop& loop, std::string path, Handler handler)
    : loop_(loop),
      path_(std::move(path)),
      handler_(std::move(handler)),
      retry_(loop, [this] { attempt(); }) {}

Submission::~Submission() { room_.reset(); }

void Submission::open(ipc::SubmitOpen envelope) {
    envelope_ = std::move(envelope);
    auto started = start();
    if (started) return;
    // Told from the loop: at once when it is worth another attempt, with the error otherwise.
    retry_.start(sys::would_block(started.error()) ? kRetry : Millis{0});
}

void Submission::attempt() {
    if (channel_) return fail(Error{Errc::temporary, "message could not be sent"});
    auto started = start();
    if (started) return;
    if (!sys::would_block(started.error()) || ++attempts_ >= kMaxAttempts) {
        return fail(std::move(started).error());
    }
    retry_.start(kRetry);
}

Result<void> Submission::start() {
    TRY_ASSIGN(Fd socket, sys::try_connect_unix(path_));
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return sys::system_error("pipe to cleanup");
    const Fd read_end(ends[0]);
    pipe_ = Fd(ends[1]);
    channel_ = std::make_unique<ipc::LoopChannel>(
        loop_, std::move(socket),
        ipc::LoopChannel::Handler{[this](ipc::Packet packet) { on_packet(std::move(packet)); },
                                  [this](Error error) { fail(std::move(error)); }});
    auto rest = std::move(envelope_.recipients);
    envelope_.recipients = take_packet(rest);
    const int descriptor = read_end.get();
    TRY(channel_->send(envelope_, envelope_.session.str(), {&descriptor, 1}));
    while (!rest.empty()) {
        ipc::SubmitRecipients more;
        more.recipients = take_packet(rest);
        TRY(channel_->send(more, envelope_.session.str()));
    }
    return {};
}

void Submission::on_packet(ipc::Packet packet) {
    if (packet.type() == ipc::SubmitResult::kType) {
        auto result = packet.as<ipc::SubmitResult>();
        if (!result) return fail(std::move(result).error());
        const auto callback = handler_.on_result;
        return callback(std::move(result).value());
    }
    auto opened = packet.as<ipc::SubmitOpened>();
    if (!opened) return fail(std::move(opened).error());
    if (opened_) return fail(Error{Errc::invalid, "cleanup: unexpected message"});
    if (opened->queue_id.empty()) return;  // its SubmitResult follows
    opened_ = true;
    const auto callback = handler_.on_opened;
    callback(std::move(opened->queue_id));
}

std::size_t Submission::write(std::string_view content) {
    if (broken_) return content.size();
    std::size_t taken = 0;
    while (taken < content.size()) {
        const ssize_t size = ::write(pipe_.get(), content.data() + taken, content.size() - taken);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) break;
        if (size < 0) {
            broken_ = true;
            return content.size();
        }
        taken += static_cast<std::size_t>(size);
    }
    written_ += taken;
    if (taken < content.size()) {
        if (!room_) {
            room_ = std::make_unique<loop::Watch>(loop_, pipe_.get(), nullptr, [this] {
                room_->want_write(false);
                const auto callback = handler_.on_room;
                callback();
            });
        }
        room_->want_write(true);
    }
    return taken;
}

void Submission::commit() {
    room_.reset();
    pipe_.reset();
    auto sent = channel_->send(ipc::SubmitEnd{.size = written_});
    if (!sent) retry_.start(Millis{0});  // tells the failure from the loop
}

void Submission::fail(Error error) {
    const auto callback = handler_.on_failed;
    callback(std::move(error).within("service " + path_));
}

}  // namespace postern::smtpd
