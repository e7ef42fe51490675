// Conversation: the connection of a submitter (smtpd, pickup, bounce or local), who is taken for an
// adversary: every oddity ends it. It carries one transaction after the other: who uses a pipe for
// content keeps it, and the connection, for the next message.
#pragma once

#include <functional>
#include <memory>

#include "cleanup/content.h"
#include "cleanup/transaction.h"

namespace postern::cleanup {

class Conversation final : public Submitter {
  public:
    // on_end is called once, on the loop; it must not destroy the conversation at once.
    Conversation(Tools& tools, Fd socket, Trust trust, std::function<void()> on_end);
    ~Conversation() override;
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;

    // When something last happened, for the sweep that ends abandoned conversations.
    SteadyTime last_activity() const { return last_activity_; }
    bool committing() const { return transaction_ && transaction_->committing(); }
    // Ends it without an answer; a message that is on its way to the disk goes on.
    void hang_up();
    // Hangs up as soon as no message is under way.
    void drain();

    // Submitter
    Result<void> opened(const ipc::SubmitOpened& opened, const std::string& trace) override;
    void answered(const ipc::SubmitResult& result, const std::string& trace) override;
    void broken(const Error& why) override;

  private:
    void on_packet(ipc::Packet packet);
    Result<void> on_milter_event(const ipc::Packet& packet);
    Result<void> begin(ipc::Packet& packet);
    Result<void> take_descriptor(ipc::Packet& packet);
    Result<void> check_opening(const ipc::SubmitOpen& message, const ipc::Packet& packet) const;
    bool between_messages() const { return answers_ > 0 && transaction_->over(); }

    Tools& tools_;
    const Trust trust_;
    std::function<void()> on_end_;  // null when it is over
    SteadyTime last_activity_{};
    std::uint64_t answers_ = 0;
    bool draining_ = false;
    QueueId offered_;  // for the next message
    std::unique_ptr<ipc::LoopChannel> channel_;
    std::shared_ptr<Content> content_;
    std::shared_ptr<Transaction> transaction_;
    bool without_milters_ = false;      // smtpd_milter_maps has none for this client
    std::shared_ptr<Milters> milters_;  // of the client's session, once its first event has come
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace postern::cleanup
