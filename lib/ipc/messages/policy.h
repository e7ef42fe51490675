// smtpd asks policy: may this go on? One connection, one question, one answer.
#pragma once

#include <string>
#include <vector>

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/limits.h"

namespace postern::ipc {

enum class PolicyStage : std::uint8_t { connect, helo, mail, rcpt, data, end_of_data, vrfy, etrn, kLast = etrn };

struct PolicyQuestion {
    static constexpr Type kType = Type::policy_question;

    PolicyStage stage = PolicyStage::rcpt;
    std::string service;  // master.cf name of the asking smtpd: policy applies that entry's -o
    SessionId session;
    std::string client_address, client_name, reverse_name;  // names are "unknown" where there is none
    std::uint16_t client_port = 0;
    std::string server_address;
    std::uint16_t server_port = 0;
    std::string protocol;  // SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA
    std::string helo, sender, recipient;
    std::uint32_t recipient_count = 0;
    std::uint64_t size = 0;  // declared by SIZE=, or counted at end_of_data
    std::string sasl_username, sasl_method, tls_protocol, tls_cipher;
    std::uint32_t tls_bits = 0;
    // Of the client's certificate; subject and issuer of one that is trusted only.
    bool certificate_trusted = false;
    std::string certificate_subject, certificate_issuer, certificate_fingerprint, key_fingerprint;
    QueueId queue_id;

    void attributes(auto& io) {
        io.attr("stage", stage);
        io.attr("service", service, kMaxName);
        io.attr("session", session);
        io.attr("client_address", client_address, kMaxName);
        io.attr("client_name", client_name, kMaxName);
        io.attr("reverse_name", reverse_name, kMaxName);
        io.attr("client_port", client_port);
        io.attr("server_address", server_address, kMaxName);
        io.attr("server_port", server_port);
        io.attr("protocol", protocol, kMaxName);
        io.attr("helo", helo, kMaxAddress);
        io.attr("sender", sender, kMaxAddress);
        io.attr("recipient", recipient, kMaxAddress);
        io.attr("recipient_count", recipient_count);
        io.attr("size", size);
        io.attr("sasl_username", sasl_username, kMaxUser);
        io.attr("sasl_method", sasl_method, kMaxName);
        io.attr("tls_protocol", tls_protocol, kMaxName);
        io.attr("tls_cipher", tls_cipher, kMaxName);
        io.attr("tls_bits", tls_bits);
        io.attr("certificate_trusted", certificate_trusted);
        io.attr("certificate_subject", certificate_subject, kMaxName);
        io.attr("certificate_issuer", certificate_issuer, kMaxName);
        io.attr("certificate_fingerprint", certificate_fingerprint, kMaxName);
        io.attr("key_fingerprint", key_fingerprint, kMaxName);
        io.attr("queue_id", queue_id);
    }
};

// What is to become of a message besides being accepted or not. `argument`: a header line, a transport and
// its destination, or an address; `why`: the words for the log, "<x@y>: Recipient address triggers HOLD action".
enum class MailActionKind : std::uint8_t { prepend, hold, discard, filter, redirect, bcc, kLast = bcc };
constexpr std::size_t kMaxMailActions = 32;

struct MailAction {
    MailActionKind kind = MailActionKind::hold;
    std::string argument, why;

    void attributes(auto& io) {
        io.attr("kind", kind);
        io.attr("argument", argument, kMaxText);
        io.attr("why", why, kMaxText);
    }
};

// A line for the log that smtpd writes, as it knows the queue id: "permit: RCPT from C: text; from=<...> ...".
enum class PolicyNoteKind : std::uint8_t { permit, reject_warning, warn, info, kLast = info };
constexpr std::size_t kMaxPolicyNotes = 16;

struct PolicyNote {
    PolicyNoteKind kind = PolicyNoteKind::info;
    std::string text;

    void attributes(auto& io) {
        io.attr("kind", kind);
        io.attr("text", text, kMaxText);
    }
};

enum class Outcome : std::uint8_t { accept, defer, reject, kLast = reject };

struct PolicyAnswer {
    static constexpr Type kType = Type::policy_answer;

    Outcome outcome = Outcome::defer;
    std::uint16_t smtp_code = 451;  // of the reply, when not accepted
    std::string status = "4.3.0";
    std::string text;               // the whole text behind code and status
    bool disconnect = false;        // end the session after this reply (421, 521)
    // Who decided, for mailtrace: "smtpd_relay_restrictions permit_mynetworks", "smtpd_recipient_restrictions
    // check_sender_access cidr:/x (cidr:/x line 3, key 192.0.2.1)"; empty when no rule had an opinion.
    std::string rule;
    std::vector<MailAction> actions;  // for the message of this session, when accepted
    std::vector<PolicyNote> notes;    // whatever the outcome

    void attributes(auto& io) {
        io.attr("outcome", outcome);
        io.attr("smtp_code", smtp_code);
        io.attr("status", status, 16);
        io.attr("text", text, kMaxText + 2 * kMaxAddress);
        io.attr("disconnect", disconnect);
        io.attr("rule", rule, kMaxText);
        io.attr("actions", actions, kMaxMailActions);
        io.attr("notes", notes, kMaxPolicyNotes);
    }
};

// smtpd reads no tables: when a parameter of its own needs one, policy is asked. First about the client:
struct ClientQuestion {
    static constexpr Type kType = Type::client_question;

    std::string service, address, name;

    void attributes(auto& io) {
        io.attr("service", service, kMaxName);
        io.attr("address", address, kMaxName);
        io.attr("name", name, kMaxName);
    }
};

struct ClientTraits {
    static constexpr Type kType = Type::client_traits;

    bool unlimited = false;                  // smtpd_client_event_limit_exceptions
    bool may_xclient = false, may_xforward = false;  // smtpd_authorized_x*_hosts
    bool debug = false;                      // debug_peer_list
    bool may_omit_cr = false;                // smtpd_forbid_bare_newline_exclusions
    bool may_verp = false;                   // smtpd_authorized_verp_clients
    bool rewrites_headers = false;           // in local_header_rewrite_clients, as far as that is for policy to know
    bool hides_keywords = false;             // smtpd_discard_ehlo_keyword_address_maps has an entry:
    std::string hidden_keywords;
    bool failed = false;                     // a table could not be read; the client should come back later

    void attributes(auto& io) {
        io.attr("unlimited", unlimited);
        io.attr("may_xclient", may_xclient);
        io.attr("may_xforward", may_xforward);
        io.attr("debug", debug);
        io.attr("may_omit_cr", may_omit_cr);
        io.attr("may_verp", may_verp);
        io.attr("rewrites_headers", rewrites_headers);
        io.attr("hides_keywords", hides_keywords);
        io.attr("hidden_keywords", hidden_keywords, kMaxText);
        io.attr("failed", failed);
    }
};

// Then about single lines.
enum class LineMap : std::uint8_t { command_filter, reject_footer, kLast = reject_footer };

struct MapQuestion {
    static constexpr Type kType = Type::map_question;

    LineMap map = LineMap::command_filter;
    std::string service, key;

    void attributes(auto& io) {
        io.attr("map", map);
        io.attr("service", service, kMaxName);
        io.attr("key", key, kMaxPath);
    }
};

struct MapAnswer {
    static constexpr Type kType = Type::map_answer;

    bool found = false, failed = false;
    std::string value;

    void attributes(auto& io) {
        io.attr("found", found);
        io.attr("failed", failed);
        io.attr("value", value, kMaxPath);
    }
};

}  // namespace postern::ipc
