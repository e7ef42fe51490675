// ClientSession: the client's side of one SMTP (RFC 5321) or LMTP (RFC 2033) connection, for any
// number of transactions. Pure: bytes and events in, bytes and a step out; the driver (forwarder,
// tests, load tools) owns socket, clock and message file. Nothing that a server sends does more
// than end this session.
//
// How a driver uses it: on_connected(), then on_input() with whatever arrives. After each call it
// writes take_output() and does what the returned Step says. Timeouts are the driver's, with the
// length that stage() asks for.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/verdict.h"
#include "lib/smtp/proxy_commands.h"
#include "lib/smtp/reply.h"

namespace postern::smtp {

// How the server is named in texts: "mx.test[192.0.2.1]" and "connect to mx.test[192.0.2.1]:25".
struct PeerName {
    std::string host;
    std::string address;
    std::uint16_t port = 25;

    std::string with_address() const;  // host[address]
    std::string with_port() const;     // host[address]:port
};

// Everything above `may` means: not without TLS. Who the server must be is the driver's business.
enum class TlsLevel : unsigned char {
    none,
    may,
    encrypt,
    dane,
    dane_only,
    fingerprint,
    verify,
    secure
};

// What a password would be protected by: nothing, TLS, or TLS with a server that has shown to be
// who it must be.
enum class Protection : unsigned char { none, encrypted, verified };

// Logs in to the server (RFC 4954): the mechanism and the credentials behind it. Decoded bytes; the
// session does the base64. One object serves one session.
class ClientAuthenticator {
  public:
    virtual ~ClientAuthenticator() = default;
    // Picks one of the mechanisms offered: its name. An Error names why none will do.
    virtual Result<std::string> choose(const std::vector<std::string>& offered,
                                       Protection protection) = 0;
    // What may go along with the AUTH command.
    virtual std::optional<std::string> initial_response() = 0;
    virtual Result<std::string> respond(std::string_view challenge) = 0;
};

// Of some Cisco firewalls, see smtp_pix_workarounds.
struct PixWorkarounds {
    bool disable_esmtp = false;  // HELO instead of EHLO
    bool delay_dotcrlf = false;  // the end of the content in a packet of its own: the driver's work
};

struct ClientOptions {
    bool lmtp = false;
    std::string helo_name = "localhost";
    TlsLevel tls = TlsLevel::none;
    bool tls_from_start = false;    // the connection was encrypted before the greeting
    bool skip_5xx_greeting = true;  // a 5xx greeting is a reason to try another host
    bool skip_quit_response = true;
    bool pipelining = true;   // use it where the server offers it
    std::string own_name;     // a server that greets EHLO with it is we: a loop; empty: unchecked
    std::string destination;  // next hop, named in the text about such a loop
    // Logs in where the server offers AUTH; null: never.
    std::shared_ptr<ClientAuthenticator> authenticator;
    bool auth_soft_bounce = true;  // a refused login (5xx) is no reason to return mail
    std::vector<std::string> ignored_extensions;  // as if the server did not offer them
    ReplyFilter reply_filter;                     // what a line of a reply becomes; empty: itself
    bool always_ehlo = true;                      // EHLO also where the greeting does not say ESMTP
    bool never_ehlo = false;                      // HELO in any case
    // What is done differently with a server whose greeting a firewall has made illegible.
    PixWorkarounds pix;
    bool probe_at_data = false;      // a probe ends at the answer to DATA, not to RCPT
    bool dummy_mail_auth = false;    // MAIL has AUTH=<> (RFC 4954 5) where the server knows AUTH
    bool block_early_reply = false;  // no mail to who answers, under TLS, what we have not said yet
};

struct ClientRecipient {
    std::string address;  // without <>
    std::string notify;   // RFC 3461 4.1, e.g. "SUCCESS,FAILURE"; empty: not given
    std::string orcpt;    // RFC 3461 4.2, xtext form
};

struct ClientTransaction {
    std::string sender;  // without <>; empty: null sender
    std::vector<ClientRecipient> recipients;
    std::uint64_t size = 0;  // for SIZE (RFC 1870); 0: not given
    bool body_8bit = false;
    bool smtputf8 = false;            // asked for by the sender: passed on where it is offered
    bool utf8_header = false;         // with smtputf8: the content cannot go without it
    int priority = 0;                 // RFC 6710
    std::string envid;                // RFC 3461 4.4, xtext form
    std::string ret;                  // "FULL", "HDRS" or empty
    bool probe = false;               // only find out whether mail would be taken: ends after RCPT
    std::optional<Forwarded> origin;  // told to servers that offer XFORWARD
};

// What became of one recipient. A deferred one may be tried at another host.
struct RecipientOutcome {
    Verdict verdict;
    std::string reply;  // the server's own words, for Diagnostic-Code; empty if it said nothing
};

// What the server's EHLO answer offered.
struct Extensions {
    bool pipelining = false;
    bool eight_bit_mime = false;
    bool starttls = false;
    bool enhanced_status = false;
    bool dsn = false;
    bool smtputf8 = false;
    bool chunking = false;
    bool mt_priority = false;
    bool size = false;
    std::uint64_t size_limit = 0;  // 0: none given
    std::string auth;              // mechanisms, as offered
    std::string xforward;          // attributes, as offered
};

class ClientSession {
  public:
    // What the driver does next.
    enum class Step : unsigned char {
        wait,       // for input or a timeout
        start_tls,  // do the handshake, then call on_tls()
        ready,      // the session takes a transaction or quit()
        send_body,  // send the content (dot-stuffed, with its end), then call on_body_sent()
        finished,   // the transaction is over: outcomes(); then reusable() or not
        failed,     // the session is over without a transaction's outcome: failure()
        close,      // after quit: close the connection
    };
    // Which time limit applies, as Postfix's smtp_<stage>_timeout.
    enum class Stage : unsigned char {
        helo,
        starttls,
        xforward,
        mail,
        rcpt,
        data_init,
        data_xfer,
        data_done,
        rset,
        quit,
        idle
    };

    ClientSession(ClientOptions options, PeerName peer);

    Step on_connected();
    // Consumes all of bytes. Several replies may be worked off in one call.
    Step on_input(std::string_view bytes);
    Step on_tls(bool established, std::string_view problem = {});
    // Before on_tls(true): the server is who it must be.
    void set_verified() { verified_ = true; }
    // Instead of on_tls(true): the server is not who it must be. No TLS trouble that delivering in
    // plaintext could mend.
    Step on_untrusted(std::string_view why);
    Step on_body_sent();
    // The content could not be read: the connection must be closed without an end of data.
    Step on_body_failed(std::string_view problem);
    Step on_lost();     // the server closed, or the connection broke
    Step on_timeout();  // of the present stage

    // Precondition: ready(). Sends as much as PIPELINING permits.
    Step start(ClientTransaction transaction);
    // Precondition: no transaction under way.
    Step quit();

    bool ready() const { return state_ == State::ready; }
    // After `finished`: the connection may carry another transaction.
    bool reusable() const { return state_ == State::ready && !closing_; }
    Stage stage() const;
    const Extensions& extensions() const { return extensions_; }
    bool encrypted() const { return encrypted_; }
    // Its greeting is one that needs ClientOptions::pix.
    bool behind_pix() const { return behind_pix_; }
    // Complete replies so far: a new one begins a new request's time.
    std::uint64_t replies() const { return replies_; }
    const PeerName& peer() const { return peer_; }
    const ClientOptions& options() const { return options_; }
    // What the server said in the last transaction that changes nothing but is worth a warning.
    const std::string& complaint() const { return complaint_; }

    // Bytes to write now.
    std::string take_output() { return std::exchange(output_, {}); }
    bool has_output() const { return !output_.empty(); }

    // After `failed`: why. Applies to every recipient that was to be tried here.
    const RecipientOutcome& failure() const { return failure_; }
    // Some reply said that the server did not understand us, or we not it: worth a look by the
    // postmaster (notify_classes = protocol).
    bool protocol_trouble() const { return protocol_trouble_; }
    // The failure was the TLS handshake or a refused STARTTLS: where TLS is optional, the driver
    // may try the same address once without it.
    bool tls_failed() const { return tls_failed_; }
    // After `finished`: the connection ended before the content was sent whole, so that a delivery
    // over an old, reused connection may be repeated on a new one.
    bool lost_before_end() const { return lost_before_end_; }
    // After `finished`, one per recipient of the transaction, in its order.
    const std::vector<RecipientOutcome>& outcomes() const { return outcomes_; }

  private:
    enum class State : unsigned char {
        start,
        opening,
        tls,
        ready,
        transaction,
        body,
        quitting,
        over
    };
    enum class Verb : unsigned char {
        greeting,
        ehlo,
        lhlo,
        helo,
        starttls,
        auth,
        xforward,
        mail,
        rcpt,
        data,
        end_of_data,
        rset,
        quit
    };
    struct Expected {
        Verb verb;
        std::size_t recipient = 0;
    };
    struct Progress {
        bool decided = false;   // outcomes_[i] is final for this transaction
        bool accepted = false;  // RCPT was answered with 2xx
    };

    Step on_reply(const Reply& reply);
    Step on_greeting(const Reply& reply);
    Step on_ehlo(const Reply& reply);
    Step on_helo(const Reply& reply);
    Step on_starttls(const Reply& reply);
    Step on_auth(const Reply& reply);
    Step on_mail(const Reply& reply);
    Step on_rcpt(const Reply& reply, std::size_t recipient);
    Step on_data(const Reply& reply);
    Step on_end_of_data(const Reply& reply, std::size_t recipient);

    void send(Verb verb, std::initializer_list<std::string_view> words, std::size_t recipient = 0);
    void send_mail();
    void send_rcpt(std::size_t recipient);
    void send_ehlo();
    void parse_extensions(const Reply& reply);
    Step opened();
    Step log_in();
    Step send_more();
    Step end_transaction();
    Step refuse(const Reply& reply, bool soften = false);
    Step protocol_error(std::string_view text);
    Step early_reply(const Reply& reply);
    Step fail(Verdict verdict, std::string_view reply = {});
    Step lose(std::string_view text);
    bool refused_by_extensions();
    bool refuse_utf8();
    void refuse_bad_addresses();
    bool greets_as_us(const Reply& reply) const;
    bool pipelining() const { return extensions_.pipelining && options_.pipelining; }
    std::size_t accepted_count() const;
    void note_trouble(const Reply& reply);
    RecipientOutcome said(const Reply& reply, std::string_view command) const;
    void decide(std::size_t recipient, const RecipientOutcome& outcome);
    void decide_rest(const RecipientOutcome& outcome);
    std::string_view doing() const;

    ClientOptions options_;
    PeerName peer_;
    State state_ = State::start;
    ReplyParser parser_;
    std::deque<Expected> expected_;
    std::string output_;
    Extensions extensions_;
    bool encrypted_ = false;
    bool verified_ = false;
    bool behind_pix_ = false;
    bool early_reply_ = false;  // something came under TLS that nothing had asked for
    std::uint64_t replies_ = 0;
    bool logged_in_ = false;
    bool tls_failed_ = false;
    bool protocol_trouble_ = false;
    bool closing_ = false;  // the server said 421 or broke the protocol
    bool lost_before_end_ = false;
    bool needs_reset_ = false;  // a transaction is open at the server: RSET before the next

    ClientTransaction transaction_;
    std::size_t next_recipient_ = 0;
    std::vector<std::string> xforward_;  // commands still to be sent
    std::string complaint_;
    bool mail_sent_ = false;
    bool data_sent_ = false;
    std::vector<Progress> progress_;
    std::vector<RecipientOutcome> outcomes_;
    RecipientOutcome failure_;
};

}  // namespace postern::smtp
