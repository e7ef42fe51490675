// ClientSession: one IMAP or POP3 client of login, from its connection to its end: greeting, TLS,
// the engine's dialogue, one question to auth at a time, the hand-off to imapd or pop3d, and then
// either the relay (TLS) or nothing more (the worker has the socket).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/base/ids.h"
#include "lib/base/random.h"
#include "lib/ipc/auth_dialogue.h"
#include "lib/ipc/client.h"
#include "lib/ipc/messages/auth.h"
#include "lib/ipc/messages/login.h"
#include "lib/ipc/session_ledger.h"
#include "lib/loop/stream.h"
#include "lib/sys/socket.h"

#include "login/logged_in.h"
#include "login/login_engine.h"
#include "login/options.h"
#include "login/relay.h"

namespace postern::login {

// What the sessions of one process share.
struct Shared {
    const Options& options;
    loop::Loop& loop;
    ipc::Client& auth;
    ipc::Client& worker;
    ipc::SessionLedger& ledger;
    Random& random;
    // The worker has the client; it may send it back to sleep here. `dismissed`: an operator wanted
    // to end it meanwhile.
    std::function<void(LoggedIn client, bool dismissed)> link;
};

class ClientSession final : public loop::StreamHandler,
                            public std::enable_shared_from_this<ClientSession> {
  public:
    // ended: the session is over and may be destroyed (on a later turn).
    ClientSession(Shared& shared, Fd socket, std::function<void(ClientSession*)> ended);

    ~ClientSession() override;

    void start();
    // The system stops: says goodbye, unless the client has logged in. Where an answer is awaited,
    // afterwards.
    void stop() { leave(Leaving::stop); }
    // An operator wants it to end.
    void dismiss() { leave(Leaving::dismissed); }
    const std::string& id() const { return id_.str(); }

    void on_input() override;
    void on_secured() override;
    void on_drained() override;
    void on_closed(const Error* error) override;

  private:
    enum class Leaving : unsigned char { no, stop, dismissed };
    bool may_login_in_plaintext() const;
    sasl::Security security() const;
    std::string certificate_user() const;
    void introduce();
    void admit();
    void on_admission(const Result<ipc::AdmissionAnswer>& answer);
    bool is_one_too_many(const ipc::AdmissionAnswer& answer);
    void begin();
    void greet();
    void pump();
    bool replies_pile_up();
    void perform(Step step);
    void start_tls();
    void ask_auth(Step step);
    void send_auth_request();
    void identify(ipc::AuthRequest& request) const;
    void on_auth_answer(Result<ipc::AuthAnswer> answer);
    void admit_user(const ipc::AuthAnswer& answer);
    void on_user_admission(const ipc::AuthAnswer& answer,
                           const Result<ipc::AdmissionAnswer>& admission);
    void refuse_user(Refusal why, const std::string& text);
    void leave(Leaving how);
    void hand_off(const ipc::AuthAnswer& answer);
    void on_handed_off(Result<ipc::HandoffAnswer> answer, const ipc::Handoff& handoff,
                       Fd connection = {});
    void say_farewell(const std::string& text);
    void on_timeout();
    void finish();
    void log_end(std::string_view how) const;
    std::string facts() const;

    Shared& shared_;
    std::function<void(ClientSession*)> ended_;
    SessionId id_;
    sys::SocketAddress peer_, local_;
    bool local_client_;
    std::unique_ptr<LoginEngine> engine_;  // until the hand-off
    std::unique_ptr<loop::Stream> stream_;
    std::unique_ptr<Relay> relay_;
    std::unique_ptr<loop::Timer> timer_;  // until the hand-off
    Fd relay_end_;                        // while a hand-off with relay is under way
    Fd dismissal_;                        // while a hand-off is under way
    ipc::SessionFacts facts_;             // for anvil; a WorkerLink's business after the hand-off
    bool limited_ = true;                 // limits hold for this client
    bool admitted_ = false;               // the user may have this session
    std::string user_, mechanism_;
    // What was asked of auth last; the secret in it stays until the worker has the client: see
    // on_handed_off().
    sasl::ServerExchange::Question question_;
    ipc::AuthDialogue auth_;
    unsigned attempts_ = 0;
    bool asked_again_ = false;
    Leaving leaving_ = Leaving::no;
    bool waiting_ = false;
    bool over_ = false;
    bool logged_in_ = false;
};

}  // namespace postern::login
