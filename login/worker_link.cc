#include "login/worker_link.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/error.h"

namespace postern::login {
namespace {

constexpr int kAttempts = 3;
constexpr Millis kRetryPause{300};
constexpr Millis kShortestKeepalive{10'000};
constexpr Millis kLongestSilence{24 * 3600 * 1000};
constexpr std::size_t kMaxDescriptors = 2;

// A worker is its user, and may be anybody's by now: what it sends must be something that the event
// loop can wait for (a regular file is not), and the client a socket.
bool is_waitable(int fd) {
    const Fd poll(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    return poll && ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

bool is_client(int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode) && is_waitable(fd);
}

}  // namespace

WorkerLink::WorkerLink(loop::Loop& loop, ipc::Client& worker, WakeSlots& slots,
                       Millis handoff_timeout, LoggedIn client, OnChange on_change,
                       std::function<void(WorkerLink*)> ended)
    : loop_(loop),
      worker_(worker),
      slots_(slots),
      handoff_timeout_(handoff_timeout),
      handoff_(std::move(client.handoff)),
      facts_(std::move(client.facts)),
      about_(std::move(client.about)),
      connection_(std::move(client.connection)),
      dismissal_(std::move(client.dismissal)),
      on_change_(std::move(on_change)),
      ended_(std::move(ended)) {
    // It has been used, and is not wanted twice.
    handoff_.token.clear();
    handoff_.pending.clear();
    handoff_.tag.clear();
}

void WorkerLink::start() {
    change(facts_.state, facts_.worker);
    listen(std::move(connection_));
}

void WorkerLink::change(ipc::SessionState state, std::uint32_t worker) {
    facts_.state = state;
    facts_.worker = worker;
    on_change_(facts_);
}

void WorkerLink::listen(Fd connection) {
    channel_ = std::make_unique<ipc::LoopChannel>(
        loop_, std::move(connection),
        ipc::LoopChannel::Handler{[this](ipc::Packet packet) { on_packet(std::move(packet)); },
                                  [this](const Error&) { on_hung_up(); }});
}

// The worker has ended: with the client, or because the client is here.
void WorkerLink::on_hung_up() {
    loop_.post([old = std::shared_ptr(std::move(channel_))] {});
    if (!client_) finish();
}

void WorkerLink::on_packet(ipc::Packet packet) {
    const auto message = packet.as<ipc::Hibernate>();
    std::vector<Fd> descriptors;
    for (std::size_t i = 0; i < packet.descriptor_count(); ++i)
        descriptors.push_back(packet.take_descriptor(i));
    const bool may_sleep = handoff_.protocol == ipc::AuthProtocol::imap;
    if (client_ || !may_sleep || !message || descriptors.empty() ||
        descriptors.size() > kMaxDescriptors || !is_client(descriptors[0].get()) ||
        !is_waitable(descriptors.back().get())) {
        log::warning(handoff_.session.str(), "unexpected message from a mail worker");
        return on_hung_up();
    }
    if (!channel_->send(ipc::HibernateAnswer{true}, handoff_.session.str())) return on_hung_up();
    fall_asleep(*message, std::move(descriptors));
}

void WorkerLink::fall_asleep(const ipc::Hibernate& message, std::vector<Fd> descriptors) {
    client_ = std::move(descriptors[0]);
    if (descriptors.size() > 1) folder_ = std::move(descriptors[1]);
    handoff_.token = message.resume_token;
    handoff_.state = message.state;
    attempts_ = 0;
    between_keepalives_ = std::max(Millis(message.keepalive), kShortestKeepalive);
    const Millis silence = std::clamp(Millis(message.silence_left), Millis{0}, kLongestSilence);
    silent_until_ = loop_.clock().steady() + silence;
    silence_ = std::make_unique<loop::Timer>(
        loop_, [this] { farewell("* BYE Disconnected for inactivity.\r\n", "idle for too long"); });
    silence_->start(silence);
    keepalive_ = std::make_unique<loop::Timer>(loop_, [this] { still_here(); });
    keepalive_->start(between_keepalives_);
    dismissal_.reset();
    change(ipc::SessionState::asleep, 0);
    doze();
}

void WorkerLink::doze() {
    client_watch_ = std::make_unique<loop::Watch>(loop_, client_.get(), [this] { on_client(); });
    client_watch_->want_read(true);
    if (!folder_) return;
    folder_watch_ =
        std::make_unique<loop::Watch>(loop_, folder_.get(), [this] { wake("its folder changed"); });
    folder_watch_->want_read(true);
}

// It speaks, or it has gone, for which no worker is needed.
void WorkerLink::on_client() {
    char byte = 0;
    const ssize_t count = ::recv(client_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count > 0) return wake("the client speaks");
    farewell({}, "client closed the connection");
}

void WorkerLink::still_here() {
    constexpr std::string_view kText = "* OK Still here\r\n";
    // Where there is no room for it the client has not read the last ones; TCP will tell.
    (void)::send(client_.get(), kText.data(), kText.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    keepalive_->start(between_keepalives_);
}

void WorkerLink::wake(const char* why) {
    client_watch_.reset();
    folder_watch_.reset();
    keepalive_->stop();
    silence_->stop();
    log::debug(handoff_.session.str(), cat({"wakes up: ", why}));
    slots_.take([weak = weak_from_this(), &slots = slots_] {
        const auto self = weak.lock();
        if (!self || !self->client_) return slots.give_back();  // told to stop meanwhile
        self->hand_over();
    });
}

void WorkerLink::hand_over() {
    waking_ = true;
    dismissal_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const int descriptors[] = {client_.get(), dismissal_.get()};
    worker_.converse<ipc::HandoffAnswer>(
        handoff_, handoff_timeout_,
        [weak = weak_from_this(), &slots = slots_](Result<ipc::HandoffAnswer> answer,
                                                   Fd connection) {
            slots.give_back();
            if (auto self = weak.lock()) self->on_awake(std::move(answer), std::move(connection));
        },
        handoff_.session.str(), descriptors);
}

void WorkerLink::on_awake(Result<ipc::HandoffAnswer> answer, Fd connection) {
    waking_ = false;
    if (!client_) return;  // told to stop meanwhile
    if (answer && answer->ok) {
        client_.reset();
        folder_.reset();
        change(ipc::SessionState::active, answer->worker);
        handoff_.token.clear();
        handoff_.state = {};
        silence_.reset();
        keepalive_.reset();
        retry_.reset();
        listen(std::move(connection));
        if (dismissed_) dismiss();
        return;
    }
    const std::string why = answer ? answer->text : answer.error().what;
    if (++attempts_ < kAttempts) {  // a reload may be the reason
        log::debug(handoff_.session.str(), cat({"no worker yet: ", why}));
        retry_ = std::make_unique<loop::Timer>(loop_, [this] { wake("once more"); });
        return retry_->start(kRetryPause);
    }
    log::warning(handoff_.session.str(), cat({about_, ": cannot wake up: ", why}));
    farewell("* BYE [UNAVAILABLE] Session cannot be continued, connect again\r\n",
             "cannot be continued");
}

void WorkerLink::stop() {
    if (client_) farewell("* BYE [UNAVAILABLE] Server shutting down.\r\n", "Server shutting down");
}

void WorkerLink::dismiss() {
    dismissed_ = true;
    if (waking_) return;
    if (client_)
        return farewell("* BYE Disconnected by the administrator.\r\n", "by the administrator");
    constexpr std::uint64_t kOne = 1;
    if (::write(dismissal_.get(), &kOne, sizeof kOne) != sizeof kOne)
        log::warning(handoff_.session.str(), sys::system_error("dismiss a worker").what);
}

void WorkerLink::farewell(std::string_view text, std::string_view reason) {
    // Read what it has said: closing before would reset the connection, and take our words with it.
    char said[4096];
    if (!waking_) (void)::recv(client_.get(), said, sizeof said, MSG_DONTWAIT);
    // A client that has room for nothing will see the end.
    if (!text.empty() && !waking_)
        (void)::send(client_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    log::info(handoff_.session.str(),
              cat({"imap-login: Disconnected: ", reason, " (hibernating): ", about_}));
    finish();
}

void WorkerLink::finish() {
    client_watch_.reset();
    folder_watch_.reset();
    client_.reset();
    folder_.reset();
    if (!ended_) return;
    change(ipc::SessionState::over, 0);
    const auto ended = std::exchange(ended_, nullptr);
    ended(this);
}

}  // namespace postern::login
