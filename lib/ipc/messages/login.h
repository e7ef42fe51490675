// login hands an authenticated client to a mail worker, with two descriptors: the client's own socket, or
// one end of a socketpair through which login relays what it decrypts; and an eventfd, which becomes readable when the
// session shall end.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/auth.h"

namespace postern::ipc {

constexpr std::size_t kMaxSleepingState = 4096;

struct Handoff {
    static constexpr Type kType = Type::handoff;

    std::string token;  // of auth; for a hibernated session the one that came with it
    SessionId session;
    AuthProtocol protocol = AuthProtocol::imap;
    std::string client_address, server_address;
    std::uint16_t client_port = 0, server_port = 0;
    bool secured = false;
    std::string tag;      // IMAP: of the command that authenticated, which the worker completes
    std::string pending;  // bytes of the client that login has read but not used
    std::string state;    // Hibernate::state of a session that wakes up

    void attributes(auto& io) {
        io.attr("token", token, kMaxResumeToken);
        io.attr("session", session);
        io.attr("protocol", protocol);
        io.attr("client_address", client_address, kMaxName);
        io.attr("server_address", server_address, kMaxName);
        io.attr("client_port", client_port);
        io.attr("server_port", server_port);
        io.attr("secured", secured);
        io.attr("tag", tag, 256);
        io.attr("pending", pending, 16384);
        io.attr("state", state, kMaxSleepingState);
    }
};

struct HandoffAnswer {
    static constexpr Type kType = Type::handoff_answer;

    bool ok = false;  // false: login still has the client and tells it "try later"
    std::string text;
    std::uint32_t worker = 0;  // its process id, for people

    void attributes(auto& io) {
        io.attr("ok", ok);
        io.attr("text", text, kMaxText);
        io.attr("worker", worker);
    }
};

// Worker -> login, on the connection of the hand-off, with one or two descriptors: the client's, and
// one that becomes readable when something happens in the folder. login keeps both, and hands the
// client over again when there is something to do. What is sealed, it cannot read nor make.
struct Hibernate {
    static constexpr Type kType = Type::hibernate;

    std::string resume_token;
    std::string state;
    Millis::rep silence_left = 0;  // milliseconds until the client has been silent for too long
    Millis::rep keepalive = 0;     // milliseconds between two "* OK Still here"

    void attributes(auto& io) {
        io.attr("resume_token", resume_token, kMaxResumeToken);
        io.attr("state", state, kMaxSleepingState);
        io.attr("silence_left", silence_left);
        io.attr("keepalive", keepalive);
    }
};

// ok: login has the client, and the worker shall end.
struct HibernateAnswer {
    static constexpr Type kType = Type::hibernate_answer;

    bool ok = false;

    void attributes(auto& io) { io.attr("ok", ok); }
};

}  // namespace postern::ipc
