// Transaction: one message on its way in: the conversation with its submitter (smtpd, pickup,
// bounce or local), the content from the descriptor that came with it, the questions to rewrite,
// the commit. The submitter is taken for an adversary: every size is bounded, every oddity ends the
// conversation.
//
//   opening -> receiving -> expanding -> committing -> answered
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/ipc/messages/route.h"
#include "lib/loop/loop.h"
#include "lib/queue/envelope.h"
#include "lib/queue/writer.h"
#include "lib/sys/fs.h"

#include "cleanup/committer.h"
#include "cleanup/message_filter.h"
#include "cleanup/options.h"

namespace postern::cleanup {

// What all transactions share.
struct Tools {
    loop::Loop& loop;
    sys::Fs& fs;
    const Clock& clock;
    Random& random;
    const Options& options;
    Committer& committer;
    ipc::Client& rewrite;
    std::size_t memory_in_use = 0;  // text held by transactions
};

class Transaction : public std::enable_shared_from_this<Transaction> {
  public:
    // A stranger's side (smtpd) may only submit mail from the network; others say where theirs is
    // from.
    enum class Trust : unsigned char { network_only, any_origin };
    // on_end is called once, on the loop; it must not destroy the transaction at once.
    Transaction(Tools& tools, Fd socket, Trust trust, std::function<void()> on_end);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    // When something last happened, for the sweep that ends abandoned conversations.
    SteadyTime last_activity() const { return last_activity_; }
    bool committing() const { return state_ == State::committing; }
    // Ends it without an answer.
    void abort();

  private:
    enum class State : unsigned char { opening, receiving, expanding, committing, answered };

    void on_packet(ipc::Packet packet);
    void protocol_error(const Error& why);
    void open(ipc::SubmitOpen open, Fd content);
    Result<void> accept_content(Fd content);
    bool add_recipients(std::vector<ipc::SubmitRecipient> recipients);

    void read_content();
    void read_file_content();
    void take_content(std::string_view bytes);
    bool must_spill() const;
    void spill();
    void start_filter();
    void feed_filter(std::string_view bytes);
    void write_spilled();
    void content_ended();

    void maybe_complete();
    void complete();
    void expand_next();
    void ask(const std::string& address, ipc::AddressRole role,
             std::function<void(std::vector<std::string>)> use);
    void expanded(const ipc::SubmitRecipient& from, const std::vector<std::string>& addresses);
    void commit();
    void committed(const Result<QueueId>& file);

    void fail(const Error& error);  // our trouble: try later
    void answer(const Verdict& verdict);
    void hold_memory(std::size_t bytes);
    void drop_file();

    Tools& tools_;
    const Trust trust_;
    std::function<void()> on_end_;
    State state_ = State::opening;
    SteadyTime last_activity_{};
    std::unique_ptr<ipc::LoopChannel> channel_;
    ipc::SubmitOpen open_;
    std::vector<ipc::SubmitRecipient> recipients_;

    Fd content_;
    std::unique_ptr<loop::Watch> content_watch_;
    std::uint64_t received_ = 0;  // bytes read from content_
    bool content_eof_ = false;
    std::optional<std::uint64_t> promised_;  // what SubmitEnd says
    std::string text_;                       // raw until the filter starts, filtered afterwards
    std::size_t held_ = 0;                   // our part of tools_.memory_in_use
    std::optional<MessageFilter> filter_;
    bool spilling_ = false;
    std::optional<queue::StreamWriter> file_;  // of a large message
    bool file_made_ = false;                   // and not handed to the committer
    std::optional<Verdict> trouble_;           // decided before the end of the content

    queue::Envelope envelope_;
    std::size_t next_recipient_ = 0;
    std::set<std::string> known_recipients_;
};

}  // namespace postern::cleanup
