// The dialogue with cleanup, see submission.h.
#include "smtpd/submission.h"

#include <unistd.h>

#include <cerrno>
#include <numeric>
#include <span>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/unix_socket.h"

namespace postern::smtpd {
namespace {

constexpr Millis kRetry{20};  // cleanup's backlog is full
constexpr int kMaxAttempts = 500;
constexpr int kPacketsAtOnce = 100;
constexpr Millis kPace{5};

std::size_t bytes_of(const ipc::SubmitRecipient& r) {
    return r.address.size() + r.original.size() + r.orcpt.size() + 64;
}

std::size_t bytes_of(const std::vector<ipc::SubmitRecipient>& all) {
    return std::accumulate(all.begin(), all.end(), std::size_t{0},
                           [](std::size_t sum, const auto& one) { return sum + bytes_of(one); });
}

std::size_t bytes_of(const std::vector<ipc::MailAction>& all) {
    return std::accumulate(all.begin(), all.end(), std::size_t{0},
                           [](std::size_t sum, const auto& one) {
                               return sum + one.argument.size() + one.why.size() + 64;
                           });
}

using Recipients = std::span<const ipc::SubmitRecipient>;

// Takes as many recipients as fit into one packet from the front of `all`.
std::vector<ipc::SubmitRecipient> take_packet(Recipients& all) {
    std::size_t count = 0, bytes = 0;
    while (count < all.size() && count < ipc::kMaxRecipientsPerMessage) {
        bytes += bytes_of(all[count]);
        if (count > 0 && bytes > ipc::kRecipientBudget) break;
        ++count;
    }
    std::vector<ipc::SubmitRecipient> part(all.begin(),
                                           all.begin() + static_cast<std::ptrdiff_t>(count));
    all = all.subspan(count);
    return part;
}

// The reply code for cleanup's verdict, as Postfix pairs them.
int code_of(const ipc::SubmitResult& result) {
    if (result.smtp_code >= 400 && result.smtp_code < 600) return result.smtp_code;
    if (result.outcome == ipc::Outcome::defer) return result.status == "4.3.1" ? 452 : 451;
    if (result.status == "5.3.4") return 552;
    const bool content = result.status.starts_with("5.7.") || result.status.starts_with("5.6.");
    return content ? 550 : 554;
}

}  // namespace

Submission::Submission(CleanupLinks& links, Handler handler, std::unique_ptr<CleanupLink>* own)
    : links_(links),
      handler_(std::move(handler)),
      own_(own),
      retry_(links.loop(), [this] { attempt(); }),
      pace_(links.loop(), [this] { send_rest(); }) {}

// Where a session's own link is gone, cleanup will not take the message over another: it knows
// nothing of its milters there, and says "try later".
Result<std::unique_ptr<CleanupLink>> Submission::take_link() {
    if (own_ && *own_) return std::move(*own_);
    return own_ ? links_.connect() : links_.take();
}

Submission::~Submission() { room_.reset(); }

void Submission::open(ipc::SubmitOpen envelope) {
    envelope_ = std::move(envelope);
    auto link = take_link();
    if (link) adopt(std::move(*link));
    if (link_ && gathers()) return pace_.start(Millis{0});  // told from the loop
    auto started = link ? send_envelope() : Result<void>(std::move(link).error());
    if (started) return;
    // Told from the loop: at once when it is worth another attempt, with the error otherwise.
    try_again(sys::would_block(started.error()) ? kRetry : Millis{0});
}

// The link that did not take the message has nothing more to tell: its end would be taken for that
// of a message.
void Submission::try_again(Millis delay) {
    link_.reset();
    retry_.start(delay);
}

void Submission::attempt() {
    if (opened_ && form_ == Form::parts)
        return fail(Error{Errc::temporary, "message could not be sent"});
    auto started = start(links_.connect());
    if (started) return;
    if (!sys::would_block(started.error()) || ++attempts_ >= kMaxAttempts) {
        return fail(std::move(started).error());
    }
    retry_.start(kRetry);
}

Result<void> Submission::start(Result<std::unique_ptr<CleanupLink>> link) {
    if (!link) return std::move(link).error();
    adopt(std::move(*link));
    return send_first();
}

void Submission::adopt(std::unique_ptr<CleanupLink> link) {
    link_ = std::move(link);
    reused_ = link_->used_before();
    link_->set_handler({[this](ipc::Packet packet) { on_packet(std::move(packet)); },
                        [this](Error error) { on_closed(std::move(error)); }});
    envelope_.queue_id = QueueId();  // another link's cleanup offered it
}

// Milters hear of the message before its content comes. What is not short, or does not fit into one
// packet with what access tables want, goes in parts.
bool Submission::gathers() {
    auto id = link_->take_offer(links_.loop().clock().steady());
    if (own_ || id.empty() || !envelope_.actions.empty()) return false;
    if (envelope_.recipients.size() > ipc::kMaxRecipientsPerMessage) return false;
    if (bytes_of(envelope_.recipients) > ipc::kMaxWholeRecipients) return false;
    if (envelope_.size_hint > ipc::kMaxWholeContent) return false;
    envelope_.queue_id = queue_id_ = std::move(id);
    form_ = Form::gathering;
    opened_ = true;
    return true;
}

Result<void> Submission::send_first() {
    if (form_ == Form::parts) return send_envelope();
    return link_->channel().send(envelope_, envelope_.session.str());
}

void Submission::send_whole(std::vector<ipc::MailAction> actions) {
    form_ = Form::whole;
    envelope_.whole = true;
    envelope_.actions = std::move(actions);
    const auto sent = link_ ? send_first() : Result<void>(Error{Errc::closed, "cleanup hung up"});
    if (!sent) try_again(Millis{0});  // over a new link, from the loop
}

// More than fits into one packet: what has been gathered goes through the pipe, ahead of the rest.
void Submission::send_parts() {
    form_ = Form::parts;
    ahead_ = std::exchange(envelope_.content, {});
    if (link_ && send_envelope()) return;
    renamed_ = true;
    if (start(links_.connect())) return;
    broken_ = true;
    retry_.start(Millis{0});  // tells the failure from the loop
}

Result<void> Submission::send_envelope() {
    const Fd read_end = link_->take_read_end();
    const int number = read_end.get();
    const auto descriptors = std::span(&number, read_end ? 1U : 0U);
    auto all = std::exchange(envelope_.recipients, {});
    Recipients rest = all;
    envelope_.recipients = take_packet(rest);
    auto sent = link_->channel().send(envelope_, envelope_.session.str(), descriptors);
    envelope_.recipients = std::move(all);
    sent_ = envelope_.recipients.size() - rest.size();
    TRY(std::move(sent));
    return send_recipients();
}

// Of very many recipients some at a time: the channel holds no more than it must.
Result<void> Submission::send_recipients() {
    Recipients rest = Recipients(envelope_.recipients).subspan(sent_);
    for (int packets = 0; packets < kPacketsAtOnce && !rest.empty(); ++packets) {
        auto sent = link_->channel().send(ipc::SubmitRecipients{take_packet(rest)},
                                          envelope_.session.str());
        if (!sent && sent.error().code == Errc::no_space && ++attempts_ < kMaxAttempts) break;
        TRY(std::move(sent));
        sent_ = envelope_.recipients.size() - rest.size();
        attempts_ = 0;
    }
    if (sent_ < envelope_.recipients.size()) pace_.start(kPace);
    return {};
}

void Submission::send_rest() {
    if (form_ == Form::gathering) return tell_opened();
    if (!link_) return;
    if (auto sent = send_recipients(); !sent) return fail(std::move(sent).error());
    if (opened_ && sent_ == envelope_.recipients.size()) tell_opened();
}

void Submission::tell_opened() {
    if (form_ == Form::parts) envelope_ = {};
    sent_ = 0;
    const auto callback = handler_.on_opened;
    callback(std::move(queue_id_));
}

// Cleanup may hang up between two messages: one that it has not heard of goes over another link. Of
// a whole message the kernel tells us whether it was read: a socket that is closed with something
// unread resets.
void Submission::on_closed(Error error) {
    if (form_ == Form::gathering) return link_.reset();
    if (form_ == Form::whole && error.sys == ECONNRESET && ++attempts_ < kMaxAttempts)
        return attempt();
    if (opened_ || !reused_) return fail(std::move(error));
    attempt();
}

void Submission::on_packet(ipc::Packet packet) {
    if (packet.type() == ipc::SubmitResult::kType) {
        auto result = packet.as<ipc::SubmitResult>();
        if (!result) return fail(std::move(result).error());
        return on_result(std::move(result).value());
    }
    auto opened = packet.as<ipc::SubmitOpened>();
    if (!opened) return fail(std::move(opened).error());
    if (std::exchange(renamed_, false)) return;
    if (opened_) return fail(Error{Errc::invalid, "cleanup: unexpected message"});
    if (opened->queue_id.empty()) return;  // its SubmitResult follows
    opened_ = true;
    queue_id_ = std::move(opened->queue_id);
    if (sent_ == envelope_.recipients.size()) tell_opened();
}

void Submission::on_result(ipc::SubmitResult result) {
    if (committed_ && !broken_) {
        link_->keep_offer(std::move(result.next), links_.loop().clock().steady());
        if (own_) {
            link_->set_handler(
                {[](const ipc::Packet&) {}, [own = own_](const Error&) { own->reset(); }});
            *own_ = std::move(link_);
        } else {
            links_.give_back(std::move(link_));
        }
    }
    const auto callback = handler_.on_result;
    callback(std::move(result));
}

std::size_t Submission::write(std::string_view content) {
    if (broken_) return content.size();
    if (form_ == Form::gathering) {
        if (envelope_.content.size() + content.size() <= ipc::kMaxWholeContent) {
            envelope_.content += content;
            return content.size();
        }
        send_parts();
    }
    ahead_.erase(0, put(ahead_));
    const std::size_t taken = ahead_.empty() ? put(content) : 0;
    if (taken < content.size()) wait_for_room();
    return taken;
}

// How much the pipe took, or all of it when cleanup has closed it.
std::size_t Submission::put(std::string_view content) {
    if (broken_) return content.size();
    std::size_t taken = 0;
    while (taken < content.size()) {
        const ssize_t size = ::write(link_->pipe(), content.data() + taken, content.size() - taken);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) break;
        if (size < 0) {
            broken_ = true;
            return content.size();
        }
        taken += static_cast<std::size_t>(size);
    }
    written_ += taken;
    return taken;
}

void Submission::wait_for_room() {
    if (!room_) {
        room_ = std::make_unique<loop::Watch>(links_.loop(), link_->pipe(), nullptr, [this] {
            room_->want_write(false);
            if (committed_) return send_end();
            const auto callback = handler_.on_room;
            callback();
        });
    }
    room_->want_write(true);
}

void Submission::commit(std::vector<ipc::MailAction> actions) {
    committed_ = true;
    if (form_ == Form::gathering && bytes_of(actions) <= ipc::kMaxWholeActions)
        return send_whole(std::move(actions));
    late_actions_ = std::move(actions);
    if (form_ == Form::gathering) send_parts();
    send_end();
}

// Behind what was gathered, as the pipe takes it.
void Submission::send_end() {
    if (!link_) return;  // the failure will be told
    ahead_.erase(0, put(ahead_));
    if (!ahead_.empty()) return wait_for_room();
    room_.reset();
    auto sent = link_->channel().send(ipc::SubmitEnd{written_, std::move(late_actions_)});
    if (!sent) retry_.start(Millis{0});  // tells the failure from the loop
}

void Submission::fail(Error error) {
    const auto callback = handler_.on_failed;
    callback(std::move(error).within("service " + links_.path()));
}

smtp::Answer answer_of(const ipc::SubmitResult& result) {
    if (result.outcome == ipc::Outcome::accept && result.smtp_code != 0)
        return smtp::Answer::as_told(result.smtp_code, result.status,
                                     printable(result.text, ipc::kMaxText));
    if (result.outcome == ipc::Outcome::accept) return smtp::Answer::accept();
    return smtp::Answer::refuse(code_of(result), result.status,
                                printable(result.text, ipc::kMaxText));
}

}  // namespace postern::smtpd
