#include "cleanup/conversation.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::cleanup {

Conversation::Conversation(Tools& tools, Fd socket, Trust trust, std::function<void()> on_end)
    : tools_(tools),
      trust_(trust),
      on_end_(std::move(on_end)),
      last_activity_(tools.clock.steady()) {
    channel_ = std::make_unique<ipc::LoopChannel>(
        tools_.loop, std::move(socket),
        ipc::LoopChannel::Handler{
            [this](ipc::Packet packet) { on_packet(std::move(packet)); },
            [this](const Error& why) { why.code == Errc::closed ? hang_up() : broken(why); }});
}

Conversation::~Conversation() { *alive_ = false; }

void Conversation::hang_up() {
    content_.reset();   // what is still in the pipe completes no message that nobody awaits
    channel_->pause();  // what stays unread goes to another cleanup
    if (const auto on_end = std::exchange(on_end_, nullptr)) on_end();
}

void Conversation::drain() {
    draining_ = true;
    if (between_messages()) hang_up();
}

void Conversation::broken(const Error& why) {
    if (!on_end_) return;
    log::warning(transaction_ ? transaction_->id().str() : "",
                 "bad message from a submitter: " + why.what);
    hang_up();
}

void Conversation::on_packet(ipc::Packet packet) {
    if (!on_end_) return;
    last_activity_ = tools_.clock.steady();
    if (packet.type() == ipc::Type::submit_open) {
        if (auto begun = begin(packet); !begun) broken(begun.error());
    } else if (packet.type() == ipc::Type::milter_event && packet.descriptor_count() == 0) {
        if (auto taken = on_milter_event(packet); !taken) broken(taken.error());
    } else if (transaction_ && packet.descriptor_count() == 0) {
        transaction_->on_packet(packet);
    } else {
        broken({Errc::invalid, "message out of order"});
    }
}

// What smtpd's client says before there is a message (lib/ipc/messages/milter.h). Between two
// messages of a conversation, as any event of a session comes between two.
Result<void> Conversation::on_milter_event(const ipc::Packet& packet) {
    TRY_ASSIGN(auto event, packet.as<ipc::MilterEvent>());
    const bool out_of_order =
        (transaction_ && !between_messages()) || (milters_ && milters_->busy());
    if (out_of_order) return Error{Errc::invalid, "message out of order"};
    if (!milters_ && tools_.milters) {
        const auto settings = tools_.milters->of_client(event.service, event.client_address);
        without_milters_ = !settings;
        if (settings) milters_ = std::make_shared<Milters>(tools_.loop, settings);
    }
    if (!milters_) return channel_->send(ipc::MilterAnswer{});
    milters_->tell(std::move(event), [this, alive = alive_](const milter::Outcome& outcome) {
        if (!*alive || !on_end_) return;
        ipc::MilterAnswer answer;
        answer.accepted = outcome.proceeds();
        answer.smtp_code = static_cast<std::uint16_t>(outcome.code);
        answer.text = outcome.text;
        answer.disconnect = outcome.code == 421;
        if (!answer.accepted)
            answer.rule = printable(cat({"smtpd_milters ", milters_->decided_by()}), ipc::kMaxName);
        if (!channel_->send(answer)) hang_up();
    });
    return {};
}

Result<void> Conversation::begin(ipc::Packet& packet) {
    if (transaction_ && !between_messages()) return Error{Errc::invalid, "message out of order"};
    TRY_ASSIGN(auto message, packet.as<ipc::SubmitOpen>());
    TRY(check_opening(message, packet));
    const bool whole = message.whole;
    if (!whole) TRY(take_descriptor(packet));
    offered_ = QueueId();
    if (without_milters_) message.has_milters = false;  // smtpd_milter_maps has none for the client
    transaction_ = std::make_shared<Transaction>(tools_, *this, trust_, milters_);
    transaction_->open(std::move(message));
    if (content_ && !whole) content_->start();
    return {};
}

// A queue id names files: a submitter does not choose one.
Result<void> Conversation::check_opening(const ipc::SubmitOpen& message,
                                         const ipc::Packet& packet) const {
    if (!message.queue_id.empty() && message.queue_id != offered_)
        return Error{Errc::invalid, "a queue id that was not offered"};
    if (message.whole && packet.descriptor_count() > 0)
        return Error{Errc::invalid, "message out of order: content twice"};
    if (message.whole && message.has_milters)
        return Error{Errc::invalid, "message out of order: milters have not seen its envelope"};
    if (!message.whole && !message.content.empty())
        return Error{Errc::invalid, "message out of order: content of an envelope"};
    return {};
}

// The first message brings the content's descriptor; later ones may leave it out when it is a pipe.
Result<void> Conversation::take_descriptor(ipc::Packet& packet) {
    if (packet.descriptor_count() == 0 && content_ && content_->is_pipe()) return {};
    if (packet.descriptor_count() != 1)
        return Error{Errc::invalid, "message out of order: no content"};
    Content::Handler handler;
    handler.on_bytes = [this](std::string_view bytes) {
        last_activity_ = tools_.clock.steady();
        transaction_->take_content(bytes);
    };
    handler.on_end = [this] { transaction_->content_ended(); };
    handler.on_failed = [this](const Error& why) { transaction_->content_failed(why); };
    TRY_ASSIGN(content_,
               Content::open(tools_.loop, tools_.fs, packet.take_descriptor(), std::move(handler)));
    return {};
}

Result<void> Conversation::opened(const ipc::SubmitOpened& opened, const std::string& trace) {
    return channel_->send(opened, trace);
}

void Conversation::answered(const ipc::SubmitResult& result, const std::string& trace) {
    ++answers_;
    ipc::SubmitResult told = result;
    told.next = offered_ = QueueId::make(tools_.clock, tools_.random);
    if (!channel_->send(told, trace)) return hang_up();
    if (draining_ && !channel_->sending()) hang_up();
    // Otherwise the submitter goes on or hangs up; the sweep ends those who do neither.
}

}  // namespace postern::cleanup
