// Who is here: login and smtpd tell anvil of their sessions, ask it whether one more may be, and are told which to
// end. `postern who` and `postern kick` ask anvil. A process has one connection for it; when that ends, its sessions are
// forgotten, and are told again on the next.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/auth.h"
#include "lib/ipc/messages/limits.h"

namespace postern::ipc {

constexpr std::size_t kMaxSessionsPerMessage = 64;

// over: and gone from the list.
enum class SessionState : std::uint8_t { logging_in, active, asleep, over, kLast = over };
enum class SessionSecurity : std::uint8_t { none, local, tls, kLast = tls };

// All that is known of a session, each time that it is told of.
struct SessionFacts {
    SessionId session;
    SessionState state = SessionState::logging_in;
    AuthProtocol protocol = AuthProtocol::imap;
    SessionSecurity security = SessionSecurity::none;
    std::string service;  // the listening service
    std::string user;     // empty: has not logged in
    std::string address;
    std::uint16_t port = 0;
    std::string client;  // what counts as one client: the address, or a network
    WallTime since{};
    std::uint32_t worker = 0;  // the process that serves it; 0: none

    void attributes(auto& io) {
        io.attr("session", session);
        io.attr("state", state);
        io.attr("protocol", protocol);
        io.attr("security", security);
        io.attr("service", service, kMaxName);
        io.attr("user", user, kMaxUser);
        io.attr("address", address, 64);
        io.attr("port", port);
        io.attr("client", client, 64);
        io.attr("since", since);
        io.attr("worker", worker);
    }
};

// New, changed and ended sessions. No answer.
struct SessionReport {
    static constexpr Type kType = Type::session_report;

    std::vector<SessionFacts> sessions;

    void attributes(auto& io) { io.attr("sessions", sessions, kMaxSessionsPerMessage); }
};

// A report of one session, and how many there are of its kind then.
struct AdmissionQuestion {
    static constexpr Type kType = Type::admission_question;

    SessionFacts facts;
    std::uint32_t login_delay = 0;  // seconds that must lie between two logins of the user; 0: none

    void attributes(auto& io) {
        io.attr("facts", facts);
        io.attr("login_delay", login_delay);
    }
};

struct AdmissionAnswer {
    static constexpr Type kType = Type::admission_answer;

    SessionId session;
    std::uint32_t logging_in = 0;  // of this client, over all services
    std::uint32_t count = 0;       // sessions of this client at this service
    std::uint32_t rate = 0;        // connections of this client to this service in the present unit of time
    std::uint32_t of_user = 0;     // sessions of this user from this client with this protocol
    bool too_soon = false;         // the last login of the user is not login_delay ago

    void attributes(auto& io) {
        io.attr("session", session);
        io.attr("logging_in", logging_in);
        io.attr("count", count);
        io.attr("rate", rate);
        io.attr("of_user", of_user);
        io.attr("too_soon", too_soon);
    }
};

// anvil -> login, smtpd: end these; each is reported when it is over.
struct DismissSessions {
    static constexpr Type kType = Type::dismiss_sessions;

    std::vector<std::string> sessions;  // ids

    void attributes(auto& io) {
        io.attr("sessions", sessions, kMaxSessionsPerMessage, SessionId::kSize);
    }
};

// Which sessions; what is empty does not matter.
struct SessionFilter {
    std::string user;
    std::string network;   // an address or a block
    std::string protocol;  // "imap", "pop3", "smtp"
    std::string session;

    void attributes(auto& io) {
        io.attr("user", user, kMaxUser);
        io.attr("network", network, 64);
        io.attr("protocol", protocol, 8);
        io.attr("session", session, SessionId::kSize);
    }
};

// postern -> anvil: those whose id comes after `after`, in the order of the ids, as many as fit.
struct SessionListRequest {
    static constexpr Type kType = Type::session_list_request;

    SessionFilter filter;
    std::string after;

    void attributes(auto& io) {
        io.attr("filter", filter);
        io.attr("after", after, SessionId::kSize);
    }
};

struct SessionList {
    static constexpr Type kType = Type::session_list;

    std::vector<SessionFacts> sessions;
    bool more = false;

    void attributes(auto& io) {
        io.attr("sessions", sessions, kMaxSessionsPerMessage);
        io.attr("more", more);
    }
};

// postern -> anvil; answered when they are over, or not within a few seconds.
struct KickRequest {
    static constexpr Type kType = Type::kick_request;

    SessionFilter filter;

    void attributes(auto& io) { io.attr("filter", filter); }
};

struct KickAnswer {
    static constexpr Type kType = Type::kick_answer;

    std::uint32_t told = 0;   // to end
    std::uint32_t ended = 0;  // until now

    void attributes(auto& io) {
        io.attr("told", told);
        io.attr("ended", ended);
    }
};

}  // namespace postern::ipc
