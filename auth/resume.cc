#include "auth/resume.h"

#include "lib/base/strings.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/secret.h"

namespace postern::auth {
namespace {

// Longer than a login's token, which has the size of this alone, as soon as a user is named.
constexpr std::size_t kMacSize = 32;

}  // namespace

// No part can be taken for another one: purpose, session and protocol have no NUL, the user is
// last.
std::string Resume::mac(std::string_view purpose, std::string_view user, const SessionId& session,
                        ipc::AuthProtocol protocol) const {
    const std::string_view nul("\0", 1);
    return crypto::hmac(crypto::Digest::sha256, key_,
                        cat({purpose, nul, session.str(), nul,
                             std::to_string(static_cast<unsigned>(protocol)), nul, user}));
}

std::string Resume::token(std::string_view user, const SessionId& session,
                          ipc::AuthProtocol protocol) const {
    return cat({mac("resume", user, session, protocol), user});
}

std::optional<std::string> Resume::redeem(std::string_view token, const SessionId& session,
                                          ipc::AuthProtocol protocol) const {
    if (token.size() <= kMacSize || session.empty()) return std::nullopt;
    std::string user(token.substr(kMacSize));
    const std::string right = mac("resume", user, session, protocol);
    if (!crypto::secure_equal(token.substr(0, kMacSize), right)) return std::nullopt;
    return user;
}

std::string Resume::session_key(std::string_view user, const SessionId& session) const {
    return mac("seal", user, session, ipc::AuthProtocol::imap);
}

}  // namespace postern::auth
