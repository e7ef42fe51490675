// Submission: one message on its way to cleanup over a link (lib/ipc/messages/cleanup.h). Where
// cleanup has offered a queue id, the client is asked for its content at once, and a short message
// goes as one packet when it is complete. Otherwise the envelope goes first, and the content
// through the link's pipe. Destroying it before the result aborts the message. Nothing blocks: what
// the pipe does not take is told, and on_room() follows.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/ipc/messages/cleanup.h"
#include "lib/loop/loop.h"
#include "lib/smtp/server_session.h"

#include "smtpd/cleanup_links.h"
#include "smtpd/message_target.h"

namespace postern::smtpd {

class Submission final : public MessageTarget {
  public:
    // `own`: the link to use, and where it belongs afterwards: that of a session that has milters.
    Submission(CleanupLinks& links, Handler handler, std::unique_ptr<CleanupLink>* own = nullptr);
    ~Submission() override;
    Submission(const Submission&) = delete;
    Submission& operator=(const Submission&) = delete;

    // Sends the envelope. Recipients beyond those that fit into one packet follow.
    void open(ipc::SubmitOpen envelope) override;
    std::size_t write(std::string_view content) override;
    bool broken() const { return broken_; }  // cleanup closed the pipe: its result tells why
    void commit(std::vector<ipc::MailAction> actions) override;

  private:
    enum class Form : unsigned char {
        parts,      // the envelope, recipients, content through the pipe, the end
        gathering,  // nothing has been sent; it may fit into one packet
        whole       // sent as one packet
    };

    void attempt();
    void try_again(Millis delay);
    Result<void> start(Result<std::unique_ptr<CleanupLink>> link);
    void adopt(std::unique_ptr<CleanupLink> link);
    bool gathers();
    void send_whole(std::vector<ipc::MailAction> actions);
    void send_parts();
    void send_end();
    Result<void> send_first();
    Result<void> send_envelope();
    Result<void> send_recipients();
    void send_rest();
    void tell_opened();
    std::size_t put(std::string_view content);
    void wait_for_room();
    void on_packet(ipc::Packet packet);
    void on_result(ipc::SubmitResult result);
    void on_closed(Error error);
    void fail(Error error);

    Result<std::unique_ptr<CleanupLink>> take_link();

    CleanupLinks& links_;
    Handler handler_;
    ipc::SubmitOpen envelope_;  // until cleanup has it; with the content that is gathered
    Form form_ = Form::parts;

    std::unique_ptr<CleanupLink>* const own_;
    std::unique_ptr<CleanupLink> link_;
    std::unique_ptr<loop::Watch> room_;
    loop::Timer retry_;
    loop::Timer pace_;      // cleanup has to read recipients before it gets more of them
    std::size_t sent_ = 0;  // recipients
    QueueId queue_id_;      // while not all of them are
    std::string ahead_;     // was gathered, and is to go through the pipe
    std::vector<ipc::MailAction> late_actions_;  // until the end is sent
    std::uint64_t written_ = 0;
    int attempts_ = 0;
    bool reused_ = false;  // the link has carried messages before this one
    bool opened_ = false;
    bool renamed_ = false;  // cleanup will say an id that we do not need any more
    bool broken_ = false;
    bool committed_ = false;
};

// What the client hears of it.
smtp::Answer answer_of(const ipc::SubmitResult& result);

}  // namespace postern::smtpd
