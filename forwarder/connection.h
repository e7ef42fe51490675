// Connection: one SMTP or LMTP connection on the loop: the thin driver of smtp::ClientSession.
// Connects, keeps the time limits, does TLS, sends content with back-pressure. Carries one
// transaction at a time, many after each other; between them it may lie in the ConnectionPool.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/loop/loop.h"
#include "lib/loop/stream.h"
#include "lib/smtp/client_session.h"
#include "lib/tls/context.h"

#include "forwarder/body_source.h"
#include "forwarder/options.h"
#include "forwarder/target_finder.h"
#include "forwarder/transcript.h"

namespace postern::forwarder {

// How one connection is made.
struct ConnectionPlan {
    TlsPolicy tls;
    const tls::ClientContext* context = nullptr;  // null without TLS
    std::string refused;  // why the host must not be used (DANE), else empty
    std::shared_ptr<smtp::ClientAuthenticator> authenticator;
    // Under which the connection is found again: by destination (empty: not), by address and port.
    std::string destination_key, endpoint_key;
    std::string login_key;                                // Passwords::refusal_key()
    std::optional<smtp::RecipientOutcome> known_refusal;  // of the login: no use to connect
    std::string opener;  // queue id of the message that it is made for, for the log
};

class Connection final : private loop::StreamHandler {
  public:
    // What the user of a connection is told; each call ends what was asked for, and may destroy the
    // connection.
    class User {
      public:
        virtual ~User() = default;
        virtual void on_ready() = 0;   // after open(): a transaction may start
        virtual void on_failed() = 0;  // after open(): failure() tells why; the connection is over
        virtual void on_finished() = 0;  // after start(): session().outcomes(); see usable()
    };
    // Nobody uses it and it is over: to be destroyed.
    using OnOver = std::function<void(Connection*)>;

    Connection(loop::Loop& loop, const Options& options, ConnectionPlan plan, Target target,
               smtp::ClientOptions session_options, OnOver on_over);
    ~Connection() override;

    // Each of these calls the user back later, never from inside.
    void open(User* user);
    void start(User* user, smtp::ClientTransaction transaction, const BodyExtent& body,
               std::unique_ptr<OutgoingFilter> filter = nullptr);
    // Nobody uses it any more. idle(): it waits for its next transaction; leave(): it says QUIT and
    // goes.
    void idle(Millis limit);
    void leave();

    // It may carry another transaction now.
    bool usable() const;
    bool reused() const { return transactions_ > 1; }
    bool open_long_enough() const;  // reuse limits are reached

    const Target& target() const { return target_; }
    const ConnectionPlan& plan() const { return plan_; }
    const smtp::ClientSession& session() const { return session_; }
    // Why open() failed.
    const smtp::RecipientOutcome& failure() const { return failure_; }
    const Transcript& transcript() const { return transcript_; }
    bool tls_failed() const { return session_.tls_failed(); }
    bool tls_resumed() const { return tls_resumed_; }
    // The server has shown a certificate of an authority that we trust, whatever name is in it.
    bool certificate_trusted() const { return certificate_trusted_; }
    // Ours, at this connection; known where results of TLS are to be told.
    const std::string& own_address() const { return own_address_; }
    // The server was reached: relay= names it.
    bool connected() const { return connected_; }

  private:
    using Step = smtp::ClientSession::Step;

    void on_input() override;
    void on_closed(const Error* error) override;
    void on_drained() override;
    void on_connected() override;
    void on_secured() override;

    Result<std::unique_ptr<loop::Stream>> connect();
    void take(Step step);
    void obey(Step step);
    void start_tls();
    void log_tls(const tls::Info& info, bool trusted) const;
    void send_body();
    void end_body();
    void note_firewall();
    void push();
    void extend_deadline(std::size_t bytes);
    void restart_timer();
    Millis limit() const;
    void on_timeout();
    void later(Step step);
    void close();
    void tell_over();

    loop::Loop& loop_;
    const Options& options_;
    const ConnectionPlan plan_;
    const Target target_;
    smtp::ClientSession session_;
    OnOver on_over_;
    User* user_ = nullptr;
    std::unique_ptr<loop::Stream> stream_;
    loop::Timer timer_;
    loop::Timer pause_;  // before the end of the content, see smtp_pix_workarounds
    std::string held_;   // that end
    bool late_end_ = false;
    bool tls_resumed_ = false;
    bool certificate_trusted_ = false;
    std::string own_address_;
    bool firewall_noted_ = false;
    // With per_request_deadline: what the running time is for, and when it is up.
    std::uint64_t timed_reply_ = 0;
    smtp::ClientSession::Stage timed_stage_ = smtp::ClientSession::Stage::idle;
    SteadyTime deadline_{};
    bool timing_ = false;
    std::optional<BodySource> body_;
    Transcript transcript_;  // where main.cf wants one
    smtp::RecipientOutcome failure_;
    SteadyTime opened_{};
    std::size_t transactions_ = 0;
    bool connected_ = false;
    bool leaving_ = false;
    bool closed_ = false;  // the socket is gone
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace postern::forwarder
