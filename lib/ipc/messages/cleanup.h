// A message enters the queue:
//   SubmitOpen + descriptor -> SubmitOpened; SubmitRecipients*; SubmitEnd -> SubmitResult
// Closing early aborts it. The content arrives on the descriptor (a pipe's read end, or a read-only
// regular file): wire form with CRLF, dot-unstuffed, no final dot. After the result another message may
// follow, through the same pipe when its SubmitOpen comes without a descriptor; cleanup may hang up
// instead when nothing of it has been said.
//
// Every result offers the queue id of the next message. A SubmitOpen that names it gets no SubmitOpened;
// and a short message may come whole: SubmitOpen with its content -> SubmitResult.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/limits.h"
#include "lib/ipc/messages/policy.h"

namespace postern::ipc {

enum class Origin : std::uint8_t { smtp, local, internal, kLast = internal };

// A message that is taken to where it would be delivered and no further: for verify's cache, or for a
// report to its sender (sendmail -bv).
enum class Probe : std::uint8_t { none, cache, report, kLast = report };

// RFC 3461: bits of NOTIFY; none means that the parameter was absent.
constexpr std::uint8_t kNotifyNever = 1, kNotifySuccess = 2, kNotifyFailure = 4, kNotifyDelay = 8;
enum class DsnReturn : std::uint8_t { unset, full, headers, kLast = headers };

// Bytes of a message that comes in one packet, of its recipients, and of what smtpd_end_of_data_restrictions
// added: the longest of all other attributes have room beside them.
constexpr std::size_t kMaxWholeContent = 16 << 10;
constexpr std::size_t kMaxWholeRecipients = 4 << 10;
constexpr std::size_t kMaxWholeActions = 16 << 10;
// An id tells when its message arrived; one that was offered longer ago is not used.
constexpr Millis kOfferLifetime{1000};

struct SubmitRecipient {
    std::string address;   // without <>
    std::string original;  // as the client gave it, when different; else empty
    std::uint8_t notify = 0;
    std::string orcpt;  // "type;xtext", RFC 3461 4.2

    void attributes(auto& io) {
        io.attr("address", address, kMaxAddress);
        io.attr("original", original, kMaxAddress);
        io.attr("notify", notify);
        io.attr("orcpt", orcpt, kMaxOrcpt);
    }
};

struct SubmitOpen {
    static constexpr Type kType = Type::submit_open;

    Origin origin = Origin::smtp;
    SessionId session;
    QueueId queue_id;  // that the last result on this connection offered; empty: cleanup chooses
    std::string sender;  // without <>; empty is the null reverse-path
    bool body_8bit = false, smtputf8 = false;
    std::string client_name, client_address, reverse_name;
    std::uint16_t client_port = 0;
    std::string helo, protocol;
    std::string sasl_username, sasl_method, sasl_sender;
    std::string tls_protocol, tls_cipher;
    std::uint32_t tls_bits = 0;
    std::string tls_peer;  // about the client's certificate, for Received:
    bool hide_client = false;  // Received: says nothing of the client (smtpd_hide_client_session)
    std::string verp;          // two characters: the sender of each copy names its recipient; or empty
    bool name_login = false;  // Received: names who logged in (smtpd_sasl_authenticated_header)
    std::string envid;
    DsnReturn ret = DsnReturn::unset;
    WallTime arrival{};            // zero: now
    std::uint64_t size_hint = 0;   // declared size, 0 unknown
    bool rewrite_headers = false;  // complete header addresses (local clients)
    bool hold = false;             // straight into hold/
    bool report_all = false;       // sendmail -v: the sender wants to hear what becomes of it
    Probe probe = Probe::none;
    std::int32_t priority = 0;     // RFC 6710: -9 to 9
    WallTime release{};            // RFC 4865: not before; zero: at once
    std::uint32_t local_uid =
        0;                  // of the submitter, origin local: "by ... (Postern, from userid N)"
    std::string full_name;  // of the submitter, for a missing From:
    // What the submitting service leaves out (receive_override_options).
    bool no_address_mappings = false, no_header_body_checks = false, no_milters = false;
    // The client's milters were asked over this connection (milter.h): without them, "try later".
    bool has_milters = false;
    std::string content_filter;  // transport:destination of that service; empty: none
    // XFORWARD: whom a relay in front of us took the message from; for logs, agents and the next host. Where
    // `forwarded` is false it is the client itself.
    bool forwarded = false;
    std::string origin_name, origin_address, origin_port, origin_helo, origin_protocol, origin_ident;
    std::vector<MailAction> actions;  // of access tables and policy services, up to DATA
    std::vector<SubmitRecipient> recipients;
    bool whole = false;   // no more follows: neither recipients nor SubmitEnd
    std::string content;  // of a whole message

    void attributes(auto& io) {
        io.attr("origin", origin);
        io.attr("session", session);
        io.attr("queue_id", queue_id);
        io.attr("sender", sender, kMaxAddress);
        io.attr("body_8bit", body_8bit);
        io.attr("smtputf8", smtputf8);
        io.attr("client_name", client_name, kMaxName);
        io.attr("client_address", client_address, kMaxName);
        io.attr("reverse_name", reverse_name, kMaxName);
        io.attr("client_port", client_port);
        io.attr("helo", helo, kMaxAddress);
        io.attr("protocol", protocol, kMaxName);
        io.attr("sasl_username", sasl_username, kMaxUser);
        io.attr("sasl_method", sasl_method, kMaxName);
        io.attr("sasl_sender", sasl_sender, kMaxAddress);
        io.attr("tls_protocol", tls_protocol, kMaxName);
        io.attr("tls_cipher", tls_cipher, kMaxName);
        io.attr("tls_bits", tls_bits);
        io.attr("tls_peer", tls_peer, kMaxText);
        io.attr("hide_client", hide_client);
        io.attr("verp", verp, 2);
        io.attr("name_login", name_login);
        io.attr("envid", envid, kMaxEnvid);
        io.attr("ret", ret);
        io.attr("arrival", arrival);
        io.attr("size_hint", size_hint);
        io.attr("rewrite_headers", rewrite_headers);
        io.attr("hold", hold);
        io.attr("report_all", report_all);
        io.attr("probe", probe);
        io.attr("priority", priority);
        io.attr("release", release);
        io.attr("local_uid", local_uid);
        io.attr("full_name", full_name, kMaxName);
        io.attr("no_address_mappings", no_address_mappings);
        io.attr("no_header_body_checks", no_header_body_checks);
        io.attr("no_milters", no_milters);
        io.attr("has_milters", has_milters);
        io.attr("content_filter", content_filter, kMaxNextHop);
        io.attr("forwarded", forwarded);
        io.attr("origin_name", origin_name, kMaxName);
        io.attr("origin_address", origin_address, kMaxName);
        io.attr("origin_port", origin_port, 16);
        io.attr("origin_helo", origin_helo, kMaxAddress);
        io.attr("origin_protocol", origin_protocol, kMaxName);
        io.attr("origin_ident", origin_ident, kMaxName);
        io.attr("actions", actions, kMaxMailActions);
        io.attr("recipients", recipients, kMaxRecipientsPerMessage);
        io.attr("whole", whole);
        io.attr("content", content, kMaxWholeContent);
    }
};

struct SubmitOpened {
    static constexpr Type kType = Type::submit_opened;

    QueueId queue_id;  // empty when refused: then a SubmitResult follows instead of a transaction

    void attributes(auto& io) { io.attr("queue_id", queue_id); }
};

struct SubmitRecipients {
    static constexpr Type kType = Type::submit_recipients;

    std::vector<SubmitRecipient> recipients;

    void attributes(auto& io) { io.attr("recipients", recipients, kMaxRecipientsPerMessage); }
};

struct SubmitEnd {
    static constexpr Type kType = Type::submit_end;

    std::uint64_t size = 0;  // bytes of content; cleanup commits only if it has read exactly these
    std::vector<MailAction> actions = {};  // that smtpd_end_of_data_restrictions added

    void attributes(auto& io) {
        io.attr("size", size);
        io.attr("actions", actions, kMaxMailActions);
    }
};

struct SubmitResult {
    static constexpr Type kType = Type::submit_result;

    Outcome outcome = Outcome::defer;  // accept: the message is on disk
    std::string status = "4.3.0", text;
    std::uint16_t smtp_code = 0;  // of a milter's own reply; 0: what fits status
    QueueId queue_id;
    QueueId next;  // for the next message on this connection, if it comes within kOfferLifetime

    void attributes(auto& io) {
        io.attr("outcome", outcome);
        io.attr("status", status, 16);
        io.attr("text", text, kMaxText);
        io.attr("smtp_code", smtp_code);
        io.attr("queue_id", queue_id);
        io.attr("next", next);
    }
};

}  // namespace postern::ipc
