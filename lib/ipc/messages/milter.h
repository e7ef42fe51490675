// smtpd -> cleanup, which alone speaks to milters: what a client says before there is a message. All events
// of a session go over one connection to cleanup, and its messages too (cleanup.h); when the connection ends,
// so do the milters' dialogues. DATA and the text itself need no event: cleanup sees them.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/limits.h"
#include "lib/ipc/messages/policy.h"

namespace postern::ipc {

enum class MilterStage : std::uint8_t { connect, helo, mail, rcpt, kLast = rcpt };

struct MilterEvent {
    static constexpr Type kType = Type::milter_event;

    MilterStage stage = MilterStage::connect;
    std::string service;  // master.cf name: its -o count
    SessionId session;
    std::string client_name, reverse_name, client_address, server_address;
    std::uint16_t client_port = 0, server_port = 0;
    std::string helo;     // HELO's argument, once known
    bool esmtp = false;
    std::string address;  // of MAIL or RCPT, without <>
    std::vector<std::string> parameters;  // of MAIL or RCPT: "SIZE=100"
    std::string sasl_username, sasl_method, sasl_sender;
    std::string tls_protocol, tls_cipher;
    std::uint32_t tls_bits = 0;
    std::string certificate_subject, certificate_issuer;  // of a trusted certificate of the client

    void attributes(auto& io) {
        io.attr("stage", stage);
        io.attr("service", service, kMaxName);
        io.attr("session", session);
        io.attr("client_name", client_name, kMaxName);
        io.attr("reverse_name", reverse_name, kMaxName);
        io.attr("client_address", client_address, kMaxName);
        io.attr("server_address", server_address, kMaxName);
        io.attr("client_port", client_port);
        io.attr("server_port", server_port);
        io.attr("helo", helo, kMaxAddress);
        io.attr("esmtp", esmtp);
        io.attr("address", address, kMaxAddress);
        io.attr("parameters", parameters, 16, kMaxAddress);
        io.attr("sasl_username", sasl_username, kMaxUser);
        io.attr("sasl_method", sasl_method, kMaxName);
        io.attr("sasl_sender", sasl_sender, kMaxAddress);
        io.attr("tls_protocol", tls_protocol, kMaxName);
        io.attr("tls_cipher", tls_cipher, kMaxName);
        io.attr("tls_bits", tls_bits);
        io.attr("certificate_subject", certificate_subject, kMaxName);
        io.attr("certificate_issuer", certificate_issuer, kMaxName);
    }
};

struct MilterAnswer {
    static constexpr Type kType = Type::milter_answer;

    bool accepted = true;
    std::uint16_t smtp_code = 451;
    std::string text;         // with its enhanced status: "5.7.1 Command rejected"
    bool disconnect = false;  // 421: end the session
    std::string rule;         // which milter it was, for the log

    void attributes(auto& io) {
        io.attr("accepted", accepted);
        io.attr("smtp_code", smtp_code);
        io.attr("text", text, kMaxText);
        io.attr("disconnect", disconnect);
        io.attr("rule", rule, kMaxName);
    }
};

}  // namespace postern::ipc
