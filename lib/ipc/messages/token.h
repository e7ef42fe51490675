// auth asks introspect what an authorization server says about a token (RFC 7662).
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/auth.h"

namespace postern::ipc {

constexpr std::size_t kMaxClaims = 32768;

struct TokenQuestion {
    static constexpr Type kType = Type::token_question;

    std::string token;  // secret

    void attributes(auto& io) { io.attr("token", token, kMaxSaslToken); }
};

struct TokenAnswer {
    static constexpr Type kType = Type::token_answer;

    std::string error;  // nobody could tell; otherwise empty
    bool active = false;
    std::string claims;  // of an active one: a JSON object

    void attributes(auto& io) {
        io.attr("error", error, kMaxText);
        io.attr("active", active);
        io.attr("claims", claims, kMaxClaims);
    }
};

}  // namespace postern::ipc
