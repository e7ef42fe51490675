// smtpd and login prove a user to auth; imapd and pop3d redeem the token that auth minted for that session.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/limits.h"

namespace postern::ipc {

constexpr std::size_t kMaxSaslToken = 12288;  // RFC 4954 4: AUTH lines of up to 12288 octets
constexpr std::size_t kAuthTokenSize = 32;    // random bytes
constexpr std::size_t kMaxResumeToken = 512;  // names the user
constexpr std::size_t kSessionKeySize = 32;
constexpr std::size_t kMaxQuotaRule = 256;
constexpr std::size_t kMaxChannelBinding = 128;

enum class AuthProtocol : std::uint8_t { smtp, imap, pop3, kLast = pop3 };

struct AuthRequest {
    static constexpr Type kType = Type::auth_request;

    SessionId session;
    AuthProtocol protocol = AuthProtocol::smtp;
    std::string mechanism;
    std::string client_address;
    bool secured = false;   // by TLS, or never left this host
    bool has_response = false;
    std::string response;   // decoded initial response; wiped by both sides after use
    // What ties the exchange to the client's TLS connection (RFC 5929, RFC 9266); empty: this one
    // has no such.
    std::string tls_exporter = {}, tls_unique = {}, tls_server_end_point = {};
    bool binding_offered = false;       // the client was offered a mechanism that binds
    std::string certificate_user = {};  // whom the client's certificate names, which is trusted

    void attributes(auto& io) {
        io.attr("session", session);
        io.attr("protocol", protocol);
        io.attr("mechanism", mechanism, 32);
        io.attr("client_address", client_address, kMaxName);
        io.attr("secured", secured);
        io.attr("has_response", has_response);
        io.attr("response", response, kMaxSaslToken);
        io.attr("tls_exporter", tls_exporter, kMaxChannelBinding);
        io.attr("tls_unique", tls_unique, kMaxChannelBinding);
        io.attr("tls_server_end_point", tls_server_end_point, kMaxChannelBinding);
        io.attr("binding_offered", binding_offered);
        io.attr("certificate_user", certificate_user, kMaxUser);
    }
};

// The client's answer to a challenge, on the same connection.
struct AuthResponse {
    static constexpr Type kType = Type::auth_response;

    std::string response;

    void attributes(auto& io) { io.attr("response", response, kMaxSaslToken); }
};

enum class AuthOutcome : std::uint8_t { challenge, success, failure, temporary, kLast = temporary };

struct AuthAnswer {
    static constexpr Type kType = Type::auth_answer;

    AuthOutcome outcome = AuthOutcome::temporary;
    std::string challenge;
    std::string user;   // success: the canonical name; failure: the one that was tried, if known
    std::string token;  // success for imap and pop3: one-time, bound to session and protocol
    std::string text;   // for the log, never for the client

    void attributes(auto& io) {
        io.attr("outcome", outcome);
        io.attr("challenge", challenge, kMaxSaslToken);
        io.attr("user", user, kMaxUser);
        io.attr("token", token, kAuthTokenSize);
        io.attr("text", text, kMaxText);
    }
};

struct RedeemToken {
    static constexpr Type kType = Type::redeem_token;

    std::string token;  // of a login, good once; or, longer, Grant::resume_token of the same session
    SessionId session;
    AuthProtocol protocol = AuthProtocol::imap;

    void attributes(auto& io) {
        io.attr("token", token, kMaxResumeToken);
        io.attr("session", session);
        io.attr("protocol", protocol);
    }
};

struct Grant {
    static constexpr Type kType = Type::grant;

    bool ok = false;
    std::string user;
    std::uint32_t uid = 0, gid = 0;
    std::string home;     // absolute
    std::string mailbox;  // absolute path of the Maildir
    SessionId session;
    std::string quota_rule = {};    // lib/mailbox/quota.h; empty: no limits
    std::string resume_token = {};  // proves this session to auth again, when it was hibernated
    std::string inbox_file = {};    // an mbox that is the INBOX; empty: it is the Maildir's
    std::string groups = {};        // comma-separated names, for access control lists
    std::string session_key = {};   // of this session, the same each time: what a worker seals, its successor opens

    void attributes(auto& io) {
        io.attr("ok", ok);
        io.attr("user", user, kMaxUser);
        io.attr("uid", uid);
        io.attr("gid", gid);
        io.attr("home", home, kMaxPath);
        io.attr("mailbox", mailbox, kMaxPath);
        io.attr("session", session);
        io.attr("quota_rule", quota_rule, kMaxQuotaRule);
        io.attr("resume_token", resume_token, kMaxResumeToken);
        io.attr("session_key", session_key, kSessionKeySize);
        io.attr("inbox_file", inbox_file, kMaxPath);
        io.attr("groups", groups, kMaxText);
    }
};

// policy, local -> auth: is this one of the mail users, and where is his mailbox? For they may not, or
// should not, read the file with the passwords. Users who may not log in are known too.
struct UserRequest {
    static constexpr Type kType = Type::user_request;

    std::string user;

    void attributes(auto& io) { io.attr("user", user, kMaxUser); }
};

enum class UserOutcome : std::uint8_t { known, unknown, temporary, kLast = temporary };

struct UserAnswer {
    static constexpr Type kType = Type::user_answer;

    UserOutcome outcome = UserOutcome::temporary;
    // Of a known user, for callers that may redeem tokens (local, as root); others get none of it.
    std::string user;
    std::uint32_t uid = 0, gid = 0;
    std::string home, mailbox;  // absolute; empty: auth cannot tell
    std::string quota_rule = {};
    std::string inbox_file = {};  // as in Grant

    void attributes(auto& io) {
        io.attr("outcome", outcome);
        io.attr("user", user, kMaxUser);
        io.attr("uid", uid);
        io.attr("gid", gid);
        io.attr("home", home, kMaxPath);
        io.attr("mailbox", mailbox, kMaxPath);
        io.attr("quota_rule", quota_rule, kMaxQuotaRule);
        io.attr("inbox_file", inbox_file, kMaxPath);
    }
};

}  // namespace postern::ipc
