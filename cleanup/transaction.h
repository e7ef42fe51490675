// Transaction: one message on its way in: what its submitter says (conversation.h), the content,
// the questions to rewrite, the commit. Every size is bounded.
//
//   opening -> receiving -> rewriting (the header's addresses) -> filtering (milters) -> expanding
//   -> committing -> answered
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/ipc/client.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/ipc/messages/route.h"
#include "lib/loop/loop.h"
#include "lib/queue/envelope.h"
#include "lib/queue/writer.h"
#include "lib/sys/disk_space.h"
#include "lib/sys/fs.h"

#include "cleanup/committer.h"
#include "cleanup/header_addresses.h"
#include "cleanup/message_filter.h"
#include "cleanup/milters.h"
#include "cleanup/options.h"

namespace postern::cleanup {

constexpr Millis kRewriteTimeout{60'000};

// What all transactions share.
struct Tools {
    loop::Loop& loop;
    sys::Fs& fs;
    const Clock& clock;
    Random& random;
    const Options& options;
    Committer& committer;
    ipc::Client& rewrite;
    content::Rules* rules = nullptr;         // null: no content checks are configured
    content::Rules* milter_rules = nullptr;  // for fields that milters put in; null: none
    MilterCatalog* milters = nullptr;
    std::size_t memory_in_use = 0;  // text held by transactions
    sys::FreeSpace space{"."};      // of the queue
};

// The submitter, as a transaction sees it. None of these destroys the transaction.
class Submitter {
  public:
    virtual ~Submitter() = default;
    virtual Result<void> opened(const ipc::SubmitOpened& opened, const std::string& trace) = 0;
    virtual void answered(const ipc::SubmitResult& result, const std::string& trace) = 0;
    virtual void broken(const Error& why) = 0;  // said what it may not: the end of the conversation
};

// A stranger's side (smtpd) may only submit mail from the network; others say where theirs is from.
enum class Trust : unsigned char { network_only, any_origin };

class Transaction : public std::enable_shared_from_this<Transaction> {
  public:
    // `milters`: those of the client's session, or null.
    Transaction(Tools& tools, Submitter& submitter, Trust trust,
                std::shared_ptr<Milters> milters = nullptr);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    void open(ipc::SubmitOpen open);
    void on_packet(const ipc::Packet& packet);  // what follows SubmitOpen
    void take_content(std::string_view bytes);
    void content_ended();  // no more will come
    void content_failed(const Error& error);

    const QueueId& id() const { return envelope_.id; }
    bool committing() const { return state_ == State::committing; }
    // Answered, and exactly the announced content has been taken: what comes is another message.
    bool over() const { return state_ == State::answered && promised_ == received_; }

  private:
    enum class State : unsigned char {
        opening,
        receiving,
        rewriting,
        filtering,
        expanding,
        committing,
        answered
    };

    bool add_recipients(std::vector<ipc::SubmitRecipient> recipients);
    std::optional<Verdict> room_for(std::uint64_t size_hint) const;
    bool content_complete() const {
        return content_ended_ || (promised_ && received_ >= *promised_);
    }

    void keep_content(std::string_view bytes);
    bool must_spill() const;
    void spill();
    void start_filter();
    void feed_filter(std::string_view bytes);
    void write_spilled();
    bool header_asks() const;
    bool header_rewritten();
    void ask_about_header();
    void header_done();
    void header_failed(const std::string& why);

    void maybe_complete();
    void complete();
    void accept_text();
    void ask_milters();
    void tell_milters(std::size_t step);
    void on_milters(const milter::Outcome& outcome);
    void obey_milters();
    milter::Text text_for_milters();
    void refuse(const milter::Outcome& outcome, std::string_view where);
    void tell_milter_line(std::string_view what, std::string_view text);
    void take_whole();
    void say_opened();
    void expand_next();
    void ask(const std::string& address, ipc::AddressRole role,
             std::function<void(std::vector<std::string>)> use);
    void tell_expansion(const std::string& from, const std::vector<std::string>& to) const;
    void expanded(const ipc::SubmitRecipient& from, const std::vector<std::string>& addresses);
    bool is_local() const;
    bool is_external() const;
    bool is_checked() const;
    std::string_view utf8_class() const;
    bool detects_utf8() const;
    bool finds_utf8() const {
        return tools_.options.smtputf8 && (open_.smtputf8 || detects_utf8());
    }
    void note_utf8();
    void tell_notes();
    void note_actions(content::Effects& effects) const;
    std::string prepended_fields() const;
    void obey_rules();
    void add_bcc(const std::string& address);
    void commit();
    void committed(const Result<QueueId>& file);

    void fail(const Error& error);  // our trouble: try later
    void answer(const Verdict& verdict);
    void hold_memory(std::size_t bytes);
    void drop_file();

    Tools& tools_;
    Submitter& submitter_;
    const Trust trust_;
    State state_ = State::opening;
    ipc::SubmitOpen open_;
    std::vector<ipc::SubmitRecipient> recipients_;

    std::uint64_t received_ = 0;  // bytes of content
    bool content_ended_ = false;
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
    std::size_t first_bcc_ = SIZE_MAX;  // from here on recipients_ are copies nobody asked for
    std::unique_ptr<HeaderRewriting> header_;  // while the header waits for rewrite's answers
    bool header_rewritten_ = false;
    std::shared_ptr<Milters> milters_;
    std::uint16_t reply_code_ = 0;  // of a milter's refusal
    bool told_refusal_ = false;     // a content rule's, with its own log line
    std::set<std::string> known_recipients_;
};

}  // namespace postern::cleanup
