// qmgr -> delivery agents: deliver these recipients of one message. A request with a read-only descriptor
// of the queue file, then its report; where that says so, the next request on the same connection. No
// report, or a bad one, is a deferral of all, unless the agent ended before it read the request.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/ipc/messages/limits.h"
#include "lib/ipc/messages/policy.h"

namespace postern::ipc {

struct DeliverRecipient {
    std::uint32_t index = 0;  // qmgr's name for it in the report
    std::string address;      // to deliver to
    std::string original;     // before expansion, if different
    std::uint8_t notify = 0;
    std::string orcpt;  // "type;xtext"

    void attributes(auto& io) {
        io.attr("index", index);
        io.attr("address", address, kMaxAddress);
        io.attr("original", original, kMaxAddress);
        io.attr("notify", notify);
        io.attr("orcpt", orcpt, kMaxOrcpt);
    }
};

struct DeliverRequest {
    static constexpr Type kType = Type::deliver_request;

    QueueId queue_id;
    std::string service;  // transport name in master.cf
    std::string next_hop;
    std::string sender;
    std::string envid;
    DsnReturn ret = DsnReturn::unset;
    std::uint64_t body_offset = 0, body_size = 0;  // the content's extent in the queue file
    bool has_dot_lines = true;                     // some line begins with a dot: stuffing needed
    bool body_8bit = false, smtputf8 = false;
    bool utf8_header = false;  // with smtputf8: the header needs it
    bool tls_optional = false;  // RFC 8689 5: "TLS-Required: no"
    WallTime arrival{};         // of the message
    WallTime queue_active{};    // when qmgr took it up; the moment of this request is the agent's start
    std::string client_name, client_address, client_port, helo, protocol, sasl_username;
    std::string log_ident;   // the name that a relay before us has for the message (XFORWARD)
    bool from_network = false;  // else submitted on this host
    bool connection_may_cache = true;
    bool probe = false;         // only find out: nothing is delivered
    // Whoever finds that the mail would come back to us (RFC 5321 5.1) reports that and logs
    // nothing: it goes elsewhere (best_mx_transport).
    bool passes_loops = false;
    std::int32_t priority = 0;  // RFC 6710
    std::vector<DeliverRecipient> recipients;

    void attributes(auto& io) {
        io.attr("queue_id", queue_id);
        io.attr("service", service, kMaxName);
        io.attr("next_hop", next_hop, kMaxNextHop);
        io.attr("sender", sender, kMaxAddress);
        io.attr("envid", envid, kMaxEnvid);
        io.attr("ret", ret);
        io.attr("body_offset", body_offset);
        io.attr("body_size", body_size);
        io.attr("has_dot_lines", has_dot_lines);
        io.attr("body_8bit", body_8bit);
        io.attr("smtputf8", smtputf8);
        io.attr("utf8_header", utf8_header);
        io.attr("tls_optional", tls_optional);
        io.attr("arrival", arrival);
        io.attr("queue_active", queue_active);
        io.attr("client_name", client_name, kMaxName);
        io.attr("client_address", client_address, kMaxName);
        io.attr("client_port", client_port, 16);
        io.attr("helo", helo, kMaxAddress);
        io.attr("protocol", protocol, kMaxName);
        io.attr("sasl_username", sasl_username, kMaxUser);
        io.attr("log_ident", log_ident, kMaxName);
        io.attr("from_network", from_network);
        io.attr("connection_may_cache", connection_may_cache);
        io.attr("probe", probe);
        io.attr("passes_loops", passes_loops);
        io.attr("priority", priority);
        io.attr("recipients", recipients, kMaxRecipientsPerMessage);
    }
};

// RFC 3464 2.3.3; the last two, which Postfix has too, are for probes.
enum class DsnAction : std::uint8_t {
    failed, delayed, delivered, relayed, expanded, deliverable, undeliverable, kLast = undeliverable
};

struct RecipientReport {
    std::uint32_t index = 0;
    Outcome outcome = Outcome::defer;
    std::string status = "4.3.0";
    std::string text;             // for logs and people
    DsnAction action = DsnAction::delayed;
    std::string remote_mta;       // "" when none was reached
    std::string diagnostic_type;  // "smtp" or "x-unix"
    std::string diagnostic;       // the remote's own words
    bool site_down = false;       // the destination, not this recipient, is the trouble
    // RFC 3461 5.2.2: the next host has taken over what the sender wants to hear of it.
    bool passed_on = false;
    bool loops_back = false;  // a refusal because the mail would come back to us

    void attributes(auto& io) {
        io.attr("index", index);
        io.attr("outcome", outcome);
        io.attr("status", status, 16);
        io.attr("text", text, kMaxReportText);
        io.attr("action", action);
        io.attr("remote_mta", remote_mta, kMaxName);
        io.attr("diagnostic_type", diagnostic_type, 32);
        io.attr("diagnostic", diagnostic, kMaxReportText);
        io.attr("site_down", site_down);
        io.attr("passed_on", passed_on);
        io.attr("loops_back", loops_back);
    }
};

struct DeliverReport {
    static constexpr Type kType = Type::deliver_report;

    std::vector<RecipientReport> recipients;

    void attributes(auto& io) { io.attr("recipients", recipients, kMaxRecipientsPerMessage); }
};

}  // namespace postern::ipc
