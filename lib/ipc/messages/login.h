// login hands an authenticated client to a mail worker, with one descriptor: the client's own socket, or
// one end of a socketpair through which login relays what it decrypts.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/auth.h"

namespace postern::ipc {

struct Handoff {
    static constexpr Type kType = Type::handoff;

    std::string token;
    SessionId session;
    AuthProtocol protocol = AuthProtocol::imap;
    std::string client_address, server_address;
    std::uint16_t client_port = 0, server_port = 0;
    bool secured = false;
    std::string tag;      // IMAP: of the command that authenticated, which the worker completes
    std::string pending;  // bytes of the client that login has read but not used

    void attributes(auto& io) {
        io.attr("token", token, kAuthTokenSize);
        io.attr("session", session);
        io.attr("protocol", protocol);
        io.attr("client_address", client_address, kMaxName);
        io.attr("server_address", server_address, kMaxName);
        io.attr("client_port", client_port);
        io.attr("server_port", server_port);
        io.attr("secured", secured);
        io.attr("tag", tag, 256);
        io.attr("pending", pending, 16384);
    }
};

struct HandoffAnswer {
    static constexpr Type kType = Type::handoff_answer;

    bool ok = false;  // false: login still has the client and tells it "try later"
    std::string text;

    void attributes(auto& io) {
        io.attr("ok", ok);
        io.attr("text", text, kMaxText);
    }
};

}  // namespace postern::ipc
