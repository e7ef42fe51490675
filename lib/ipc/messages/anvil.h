// smtpd tells anvil what its clients do and hears how often they have done it. One connection for each
// smtpd process; every question but `disconnect` is answered, in order. When a connection ends, so have
// all sessions that were begun over it.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/limits.h"

namespace postern::ipc {

// tls_status counts nothing: how many new TLS sessions there were.
enum class AnvilEvent : std::uint8_t { connect, disconnect, mail, rcpt, new_tls, tls_status, auth, kLast = auth };

struct AnvilQuestion {
    static constexpr Type kType = Type::anvil_question;

    AnvilEvent event = AnvilEvent::connect;
    std::string service;  // what is counted apart: the name of the listening service
    std::string client;   // an address, or the network that counts as one client

    void attributes(auto& io) {
        io.attr("event", event);
        io.attr("service", service, kMaxName);
        io.attr("client", client, 64);
    }
};

struct AnvilAnswer {
    static constexpr Type kType = Type::anvil_answer;

    std::uint32_t count = 0;  // simultaneous sessions
    std::uint32_t rate = 0;   // of what was asked about, in the present unit of time

    void attributes(auto& io) {
        io.attr("count", count);
        io.attr("rate", rate);
    }
};

}  // namespace postern::ipc
