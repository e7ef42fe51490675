// SessionDriver: one client connection. It carries out what the engine (lib/smtp/server_session.h)
// decides: says, asks policy and auth, streams content to cleanup, and logs. At most one question
// is outstanding; input that comes meanwhile waits in the stream, and beyond its limit the client
// waits.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/ids.h"
#include "lib/ipc/auth_dialogue.h"
#include "lib/ipc/client.h"
#include "lib/ipc/messages/auth.h"
#include "lib/ipc/messages/login.h"
#include "lib/ipc/messages/milter.h"
#include "lib/ipc/messages/peername.h"
#include "lib/ipc/messages/policy.h"
#include "lib/ipc/messages/queue.h"
#include "lib/ipc/session_ledger.h"
#include "lib/loop/loop.h"
#include "lib/loop/stream.h"
#include "lib/smtp/data_decoder.h"
#include "lib/smtp/server_session.h"
#include "lib/sys/socket.h"

#include "smtpd/anvil_link.h"
#include "smtpd/cleanup_links.h"
#include "smtpd/dovecot_auth.h"
#include "smtpd/notices.h"
#include "smtpd/options.h"
#include "smtpd/rule_note.h"
#include "smtpd/submission.h"
#include "smtpd/transcript.h"

namespace postern::smtpd {

// What the sessions of a process share.
struct Shared {
    const Options& options;
    loop::Loop& loop;
    ipc::Client& policy;
    ipc::Client& auth;
    ipc::Client& names;  // peername
    ipc::Client& qmgr;
    AnvilLink& anvil;
    ipc::SessionLedger& ledger;
    CleanupLinks& cleanup;
    DovecotAuth* dovecot;  // null: our own auth service checks passwords
    Random& random;
    Notices& notices;
    bool draining = false;  // end sessions that idle
};

class SessionDriver : public loop::StreamHandler,
                      public std::enable_shared_from_this<SessionDriver> {
  public:
    // `ended` is called once, from the loop, when nothing of the session is left to do; it may drop
    // the last reference.
    SessionDriver(Shared& shared, Fd socket, std::function<void(SessionDriver*)> ended);

    // Before start(): who the client is, as postscreen knows it (a proxy may stand between).
    void speaks_for(const ipc::Handoff& handoff);
    void start();  // greet; needs to be owned by a shared_ptr
    void drain();    // the process wants to end
    void dismiss();  // an operator wants this session to end
    const std::string& id() const { return id_.str(); }

  private:
    // What the session waits for when it does not wait for the client.
    enum class Waiting : unsigned char {
        nothing,
        name,
        rights,
        anvil,
        line,
        policy,
        milter,
        auth,
        cleanup,
        flush,
        room,
        handshake,
        pause
    };

    void on_input() override { pump(); }
    void on_drained() override { pump(); }
    void on_closed(const Error* error) override;
    void on_secured() override;

    void ask_mechanisms();
    void name_from_hosts();
    void begin();
    void ask_name();
    void on_name(const Result<ipc::NameAnswer>& answer);
    const std::string& address() const { return address_; }
    std::string client_text() const;
    void announce();
    void know_client();
    void apply_rules(const ipc::ClientTraits& traits);
    void greet();
    void admit();

    void tell_login();
    void ask_anvil(ipc::AnvilEvent event, std::function<void(const ipc::AnvilAnswer&)> done);
    void warn_of_limit(std::string_view what, std::uint32_t number);
    void count_tls_session(std::function<void()> next);
    void ask_map(ipc::LineMap map, std::string key,
                 std::function<void(const ipc::MapAnswer&)> done);
    void with_footer(std::string reply, std::function<void(std::string)> say);
    std::string footed(const std::string& reply, const std::string& footer) const;
    std::optional<std::string> footer_value(std::string_view name) const;

    void pump();
    bool replies_pile_up();
    bool take_command();
    void filter_command(std::string_view line, bool proper);
    void obey(std::string_view line, bool proper);
    void execute(std::string_view line, bool proper);
    bool take_content();
    smtp::ContentEnd end_of_content();
    void finish_content(smtp::ContentEnd end);
    void lost(std::string_view what);

    void perform(smtp::Action action);
    void run(smtp::Say&& say);
    void run(smtp::Ask&& ask);
    void run(smtp::Authenticate&& login);
    void offer_mechanisms();
    sasl::Security security() const;
    ipc::AuthRequest auth_request() const;
    void on_auth_answer(const Result<ipc::AuthAnswer>& answer);
    void warn_of_failed_login(std::string_view why) const;
    void drop_exchange();
    void relay(smtp::Authenticate&& login);
    void on_relay_timeout();
    void on_relayed(const sasl::DovecotReply& reply);
    void run(smtp::StartTls&& tls);
    void run(smtp::Open&&);
    void run(smtp::ReadData&& read);
    void run(smtp::Commit&&);
    void run(smtp::Flush&& flush);
    void run(smtp::Close&& close);
    void run(smtp::Impersonate&& action);
    void say_and_wait(std::string text);
    void say_and_close(const std::string& text);
    void go_on_secured();
    void log_certificate() const;
    void log_proxy_result();
    bool certificate_missing();
    std::string certificate_note() const;
    void show(std::string_view direction, std::string_view text) const;
    void ask_milters(smtp::Stage stage);
    Result<void> send_milter_event(smtp::Stage stage);
    void on_milter_answer(const Result<ipc::MilterAnswer>& answer);
    ipc::MilterEvent milter_event(smtp::Stage stage) const;
    void resume(smtp::Action action);  // after an answer: go on where we stopped

    ipc::PolicyQuestion question(smtp::Stage stage) const;
    ipc::SubmitOpen envelope() const;
    void on_opened(const QueueId& id);
    void log_message();
    void on_result(ipc::SubmitResult result);
    void on_cleanup_failed(const Error& error);
    void committed();

    void on_timer();
    void expect_client(Millis limit);  // the client has so long for its next step
    void note_reply(std::string_view reply, bool refusal);  // for the log and the postmaster
    // " from client: text; from=<..> to=<..> proto=.. helo=<..>" for lines about this command.
    std::string about_command(std::string_view text) const;
    void tell_notes(const ipc::PolicyAnswer& answer) const;
    void take_actions(smtp::Stage stage, const ipc::PolicyAnswer& answer);
    void flush_history();
    void log_pipelining();
    std::string after() const;  // "RCPT", "DATA (12 bytes)"
    std::string trace() const { return queue_id_.str(); }
    void end();

    Shared& shared_;
    std::function<void(SessionDriver*)> ended_;
    smtp::ServerSession session_;
    SessionId id_;
    sys::SocketAddress peer_, local_;
    // Who the client is taken for: the peer, until XCLIENT says otherwise.
    std::string address_, server_address_;
    std::uint16_t client_port_ = 0, server_port_ = 0;
    std::string client_name_ = "unknown", reverse_name_ = "unknown";
    std::string client_;        // "name[address]" for the log
    std::string limit_client_;  // address or network, for anvil
    bool unlimited_ = false;
    ipc::SessionFacts facts_;   // of a client that has logged in, for anvil
    bool dismissed_ = false;
    std::optional<std::uint64_t> counted_in_;  // anvil knows of the session: in this epoch
    bool debug_ = false;                       // debug_peer_list
    bool rewrites_headers_ = false;            // local_header_rewrite_clients, what policy said
    tls::Info tls_;
    std::unique_ptr<loop::Stream> stream_;
    loop::Timer timer_;
    ipc::AuthDialogue auth_;
    Waiting waiting_ = Waiting::nothing;
    bool closing_ = false;
    bool expecting_ = false;  // the timer runs for the client's present step
    bool told_pipelining_ = false;
    bool over_ = false;
    bool announced_ = false;  // "connect from" is in the log

    RuleNote rule_;
    // What policy wants to become of the client's messages, of this one, and what it thought of
    // when cleanup had the envelope already.
    std::vector<ipc::MailAction> client_actions_, mail_actions_, late_actions_;

    // One message.
    struct Content {
        smtp::DataDecoder decoder;
        std::string held;  // what the pipe did not take yet
        std::uint64_t size = 0;
        SteadyTime begun, last;  // when bytes came last
        bool too_big = false;
    };
    std::optional<Content> content_;
    std::unique_ptr<MessageTarget> submission_;
    std::optional<ipc::SubmitResult> result_;  // cleanup's word
    bool committing_ = false;
    QueueId queue_id_;
    std::unique_ptr<CleanupLink>
        milter_link_;  // with milters: all of the session's talk with cleanup
    smtp::Stage milter_stage_ = smtp::Stage::connect;
    bool milter_refused_ = false;            // for the log
    bool told_elsewhere_ = false;            // cleanup has logged the refusal
    std::optional<std::uint32_t> exchange_;  // with Dovecot's server
    std::string held_reply_;                 // during Waiting::pause
    bool held_close_ = false;
    Transcript transcript_;
};

}  // namespace postern::smtpd
