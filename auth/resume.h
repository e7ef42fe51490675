// Resume tokens: with them a session that was hibernated comes back without a password (DESIGN 12).
// A token names user, session and protocol, under a key that master made when it started and gives
// to auth only; so it outlives a reload, and means nothing to the next master. Nothing is stored.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/ids.h"
#include "lib/ipc/messages/auth.h"

namespace postern::auth {

class Resume {
  public:
    explicit Resume(std::string key) : key_(std::move(key)) {}

    std::string token(std::string_view user, const SessionId& session,
                      ipc::AuthProtocol protocol) const;
    // The user; nothing for a token that is not ours, or of another session or protocol.
    std::optional<std::string> redeem(std::string_view token, const SessionId& session,
                                      ipc::AuthProtocol protocol) const;

    // With this the workers of one session seal what they leave to each other. A worker that is
    // taken over learns the key of its own session and no other.
    std::string session_key(std::string_view user, const SessionId& session) const;

  private:
    std::string mac(std::string_view purpose, std::string_view user, const SessionId& session,
                    ipc::AuthProtocol protocol) const;
    std::string key_;
};

}  // namespace postern::auth
