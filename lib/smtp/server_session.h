// ServerSession: the server's side of one SMTP connection as a machine without I/O. A command line
// or an answer goes in, one action comes out. The driver (smtpd/session_driver.cc) says, asks,
// reads and closes; it has at most one question outstanding and feeds no line while it waits for an
// answer. Reply texts are Postfix's.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/smtp/command.h"
#include "lib/smtp/proxy_commands.h"

namespace postern::smtp {

struct ServerOptions {
    std::string hostname = "localhost";
    std::string banner = "localhost ESMTP";  // behind "220 "
    std::uint64_t size_limit = 10240000;     // 0: none
    std::size_t recipient_limit = 1000;
    std::size_t recipient_overshoot =
        1000;                      // refused recipients beyond the limit that are no errors
    int soft_error_limit = 10;     // from here on replies are slow
    int hard_error_limit = 20;     // here the session ends
    int junk_command_limit = 100;  // NOOP, RSET, ... without mail; more are errors
    bool helo_required = false;
    bool tls_available = false;
    bool tls_required = false;  // smtpd_tls_security_level = encrypt
    bool auth_enabled = false;
    bool auth_tls_only = false;
    // Another server understands all mechanisms; otherwise PLAIN and LOGIN are gathered here.
    bool auth_relayed = false;
    bool auth_for_broken_clients = false;  // also "AUTH=PLAIN LOGIN"
    bool vrfy_enabled = true;
    bool dsn = false;
    bool smtputf8 = false;            // RFC 6531; and command lines must be UTF-8
    bool strict_smtputf8 = false;     // no UTF-8 in addresses without it
    bool mt_priority = false;         // RFC 6710
    Seconds future_release_limit{0};  // RFC 4865: how long messages may be held; 0: not offered
    std::function<WallTime()> now;    // for the latter; empty: the system's clock
    bool strict_envelopes = false;    // addresses only in <>
    std::string verp_filter = "-=+", verp_delimiters = "+=";  // of XVERP
    int bare_newline_code = 550;      // of a refusal because of an LF that stands alone
    bool note_bare_newlines = false;  // in summary()
    bool soft_bounce = false;         // what would be refused for good is refused for now
    bool ask_early = false;           // smtpd_delay_reject = no: also at connect, HELO and MAIL
    bool ask_data = false;
    bool ask_end_of_data = false;
    // Whether the disk has room for a message of so many bytes (0: not said). Empty: always.
    std::function<bool(std::uint64_t)> room_for;
    std::vector<std::string> forbidden_commands = {"CONNECT", "GET", "POST"};
    std::vector<std::string> noop_commands;    // answered like NOOP, whatever they mean
    std::vector<std::string> hidden_keywords;  // EHLO keywords not to announce, upper case
};

// What policy may be asked.
enum class Stage : unsigned char { connect, helo, mail, rcpt, data, end_of_data, vrfy, etrn };

// --- What the driver is to do ---

struct Say {
    std::string text;  // a whole reply with its line ends
    bool log = false;  // a refusal that the log names: "reject: RCPT from ..."
};
struct Ask {
    Stage stage;
};
struct Authenticate {    // ask auth; the answer goes to on_auth()
    std::string method;  // as the client chose: PLAIN, LOGIN, SCRAM-SHA-256...
    // In the form of PLAIN: "authzid NUL user NUL password". Carried: what the client said, valid
    // base64. Wipe it after use.
    std::string response;
    bool carried = false;
    bool has_response = true;  // carried: the client sent one with AUTH
    bool goes_on = false;      // carried: this answers the last challenge
};
struct StartTls {
    std::string text;  // say this in plaintext, then shake hands, then on_tls()
};
struct Open {};  // open a transaction with cleanup; on_opened()
struct ReadData {
    std::string text;  // say this, then read content up to its end; on_content()
};
struct Flush {  // RFC 1985: ask qmgr for what waits for the site; on_flushed()
    std::string site;
};
struct Commit {};  // the content is whole and wanted; cleanup's word goes to on_committed()
struct Close {
    std::string text;  // say this and end the session
    bool log = false;
};
struct Impersonate {
    XclientArguments client;  // take the client for this one, then greet(): the session begins anew
};
using Action = std::variant<Say, Ask, Authenticate, StartTls, Open, ReadData, Commit, Flush, Close,
                            Impersonate>;

// What is different for this client, by its address or name.
struct ClientRules {
    bool xclient = false, xforward = false;
    bool ask_early = false;  // as ServerOptions::ask_early
    // smtpd_forbid_bare_newline and its exclusions: whether lines must end in CR LF, and whether
    // one who never sends a CR may end his messages without one.
    bool refuses_bare_newlines = false, may_omit_cr = false;
    bool may_verp = false;    // smtpd_authorized_verp_clients
    bool privileged = false;  // may raise priorities and have messages held without logging in
    std::optional<std::vector<std::string>> hidden_keywords;  // instead of those of ServerOptions
};

// Commands whose number may be limited.
enum class Limited : unsigned char { none, mail, rcpt, auth, starttls };

// --- What the driver has heard ---

// From policy, or why cleanup did not take the message. Refusals carry the whole reply.
struct Answer {
    bool accepted = false;
    int code = 451;
    std::string status = "4.3.0";
    std::string text;
    bool disconnect = false;
    bool told = false;  // of an acceptance: the words of somebody else, for the client

    static Answer accept() { return {true, 250, "2.0.0", "Ok", false, false}; }
    static Answer as_told(int code, std::string_view status, std::string_view text) {
        return {true, code, std::string(status), std::string(text), false, true};
    }
    static Answer refuse(int code, std::string_view status, std::string_view text) {
        return {false, code, std::string(status), std::string(text), false, false};
    }
};

struct AuthResult {
    enum class Kind : unsigned char { success, failure, temporary, challenge };
    Kind kind = Kind::temporary;
    std::string user;
    std::string text = {};  // failure: why, if the client shall know; challenge: base64
};

enum class Flushed : unsigned char { begun, not_served, failed };

enum class ContentEnd : unsigned char { complete, too_big, bare_lf, pipe_broken };

struct EnvelopeRecipient {
    std::string address;  // mail::Address::str()
    std::uint8_t notify = 0;
    std::string orcpt;
};

struct Envelope {
    bool open = false;  // MAIL was accepted
    MailArguments mail;
    std::string sender;  // mail.sender.str()
    int priority = 0;    // what was granted
    WallTime release{};  // zero: at once
    std::vector<EnvelopeRecipient> recipients;
};

class ServerSession {
  public:
    explicit ServerSession(const ServerOptions& options);  // which must outlive the session

    Action greet();
    // A command line without its end, or an answer to an AUTH challenge. `proper` says that it
    // ended in CR LF.
    Action on_line(std::string_view line, bool proper = true);
    Action on_long_line();                                  // one longer than the driver takes
    Action on_answer(const Answer& answer);                 // after Ask
    Action on_auth(const AuthResult& result);               // after Authenticate
    Action on_opened(const Answer& answer);                 // after Open
    Action on_content(ContentEnd end, std::uint64_t size);  // after ReadData
    Action on_committed(const Answer& answer, std::string_view queue_id);  // after Commit
    Action on_flushed(Flushed result);                                     // after Flush
    // Names parted by spaces, without and with TLS. PLAIN and LOGIN, unless they are relayed.
    void set_mechanisms(std::string plain, std::string secured) {
        plain_mechanisms_ = std::move(plain);
        secured_mechanisms_ = std::move(secured);
    }
    // RFC 3207 4.2: what was learnt before the handshake is forgotten.
    void on_tls();
    // About the content: whether an LF alone refuses it; whether the client has never sent a CR and
    // may go on like that; that there was an LF alone.
    bool refuses_bare_newlines() const { return rules_.refuses_bare_newlines; }
    bool omits_cr() const { return rules_.may_omit_cr && !saw_crlf_; }
    void note_bare_newline() { saw_bare_newline_ = true; }
    // Before greet().
    void set_rules(ClientRules rules) { rules_ = std::move(rules); }
    // Which limit this line would count for, were it given to on_line() now.
    Limited limited(std::string_view line) const;
    // Instead of on_line(): too many of its kind.
    Action on_limit(std::string_view line, const Answer& refusal);
    // The connection began with TLS.
    void set_wrapped() { secured_ = true; }
    Action on_too_many_errors();  // once too_many_errors() holds
    Action on_timeout();
    Action on_drain();  // the process is going away; for an idle session

    // --- For the driver's questions and log lines ---

    const std::string& helo() const { return helo_; }
    const std::string& asked_helo() const { return asked_helo_; }  // that Stage::helo asks about
    bool esmtp() const { return esmtp_; }
    std::string protocol() const;  // "ESMTPSA", RFC 3848
    std::string_view log_protocol() const { return esmtp_ ? "ESMTP" : "SMTP"; }
    const Envelope& envelope() const { return envelope_; }
    // Where the message comes from, when XFORWARD has told it.
    const std::optional<Forwarded>& forwarded() const { return forwarded_; }
    const std::string& recipient() const {
        return asked_.address;
    }  // that RCPT, VRFY or ETRN asks about
    const std::string& user() const { return user_; }
    const std::string& auth_method() const { return auth_method_; }
    std::string_view where() const { return where_; }  // "RCPT", "DATA", "END-OF-MESSAGE", ...
    bool in_auth() const { return auth_step_ != AuthStep::none; }
    // Replies shall wait a moment: the client has made many errors.
    bool slow() const { return errors_ >= options_.soft_error_limit; }
    bool too_many_errors() const { return errors_ >= options_.hard_error_limit; }
    // Input that waits behind the last command was sent too early (RFC 2920 3.1).
    bool must_not_pipeline() const;
    bool idle() const { return !envelope_.open && !in_auth(); }
    // " ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4" for the last line of a session.
    std::string summary() const;

  private:
    enum class AuthStep : unsigned char { none, plain, login_user, login_password, relayed };
    enum class Pending : unsigned char {
        none,
        greeting,
        helo,
        mail,
        rcpt,
        data,
        end_of_data,
        vrfy,
        etrn
    };

    Action dispatch(const Command& command);
    Action do_helo(const Command& command);
    Action do_mail(std::string_view argument);
    Action do_rcpt(std::string_view argument);
    Action do_data(std::string_view argument);
    Action do_auth(std::string_view argument);
    Action relay_auth(std::string_view initial);
    Action auth_line(std::string_view line);
    Action finish_auth(std::string response);
    Action do_starttls(std::string_view argument);
    Action do_xclient(std::string_view argument);
    Action do_xforward(std::string_view argument);
    Action do_simple(const Command& command);
    Action do_vrfy(std::string_view argument);
    Action do_etrn(std::string_view argument);

    Action reply(int code, std::string_view status, std::string_view text, bool log = false);
    Action multiline(std::vector<std::string> lines);
    Action refuse(const Answer& answer);
    std::string bare_newline_reply() const;
    Action ask(Stage stage, Pending pending);
    Action accept_helo();
    Action accept_mail();
    std::optional<Action> grant_hold();
    WallTime now() const { return options_.now ? options_.now() : SystemClock::instance().now(); }
    bool privileged() const { return rules_.privileged || !user_.empty(); }
    Action accept_rcpt();
    std::vector<std::string> ehlo_lines() const;
    bool hides(std::string_view keyword) const;
    const std::string& mechanisms() const {
        return secured_ ? secured_mechanisms_ : plain_mechanisms_;
    }
    bool auth_offered() const {
        return options_.auth_enabled && (secured_ || !options_.auth_tls_only) &&
               !mechanisms().empty();
    }
    Offered extensions() const;
    void count(bool good);
    void junk();
    void reset();
    void close_envelope();

    const ServerOptions& options_;
    ClientRules rules_;
    Envelope envelope_;
    std::optional<Forwarded> forwarded_;
    EnvelopeRecipient asked_;
    MailArguments asked_mail_;
    std::string helo_;
    std::string asked_helo_;
    std::string user_;
    std::string auth_method_;
    std::string login_user_;
    std::string plain_mechanisms_, secured_mechanisms_;
    std::string_view where_ = "CONNECT";
    Verb verb_ = Verb::unknown;  // of the command being answered
    Pending pending_ = Pending::none;
    AuthStep auth_step_ = AuthStep::none;
    bool esmtp_ = false;
    bool saw_crlf_ = false, saw_bare_newline_ = false;  // line ends of the client
    bool asked_esmtp_ = false;
    bool secured_ = false;
    bool refused_all_ = false;  // at connect: only QUIT is served
    bool counting_ = false;     // a command waits for its final reply
    int errors_ = 0;
    int junk_ = 0;
    std::size_t overshoot_ = 0;
    struct Count {
        std::uint32_t good = 0;
        std::uint32_t all = 0;
    };
    std::array<Count, kVerbCount> counts_{};
};

}  // namespace postern::smtp
