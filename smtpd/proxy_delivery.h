// ProxyDelivery: one message through a filter before the queue (smtpd_proxy_filter): an SMTP
// session with the filter, which gets the envelope when ours is complete, the text as it comes, and
// whose answer becomes ours. The filter puts the message back into another smtpd
// (SMTPD_PROXY_README).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/loop/loop.h"
#include "lib/loop/stream.h"
#include "lib/smtp/client_session.h"
#include "lib/smtp/dot_stuffer.h"
#include "lib/sys/socket.h"

#include "smtpd/message_target.h"

namespace postern::smtpd {

struct ProxyOptions {
    std::string name;  // as main.cf has it, for the log
    sys::SocketAddress address;
    std::string helo_name;  // smtpd_proxy_ehlo
    Millis timeout{100'000};
    std::string hostname, mail_name;  // for Received:
};

class ProxyDelivery final : public MessageTarget, private loop::StreamHandler {
  public:
    ProxyDelivery(loop::Loop& loop, const ProxyOptions& options, Handler handler);
    ~ProxyDelivery() override;

    void open(ipc::SubmitOpen envelope) override;
    std::size_t write(std::string_view content) override;
    void commit(std::vector<ipc::MailAction> actions) override;

  private:
    using Step = smtp::ClientSession::Step;

    void on_connected() override;
    void on_input() override;
    void on_drained() override;
    void on_closed(const Error* error) override;

    void take(Step step);
    void start_transaction();
    void begin_content();
    void finish();
    void push();
    void tell(const smtp::RecipientOutcome& outcome);
    void fail(std::string why);
    // Calls the handler from the loop.
    void later(std::function<void()> call);

    loop::Loop& loop_;
    const ProxyOptions& options_;
    Handler handler_;
    ipc::SubmitOpen envelope_;
    std::unique_ptr<loop::Stream> stream_;
    std::optional<smtp::ClientSession> session_;
    smtp::DotStuffer stuffer_;
    loop::Timer timer_;
    bool wants_room_ = false;
    bool told_ = false;  // result or failure: nothing more is said
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// The origin of a message as XFORWARD tells it to a filter.
smtp::Forwarded forwarded_of(const ipc::SubmitOpen& envelope);

}  // namespace postern::smtpd
