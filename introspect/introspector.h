// Introspector: one question to an authorization server about one token (RFC 7662, and the older
// ways of servers that do not know it). See auth_oauth2_introspection_mode.
#pragma once

#include <string>

#include "lib/base/clock.h"
#include "lib/ipc/messages/token.h"
#include "lib/net/http.h"
#include "lib/tls/context.h"

namespace postern::introspect {

enum class Mode : unsigned char { post, get, auth };

struct Options {
    net::Url url;
    Mode mode = Mode::post;
    std::string client_id, client_secret;  // we, to that server; may be empty
    Millis timeout{5000};
};

// The request for a token.
net::HttpRequest request_for(const Options& options, const std::string& token);
// What an answer means.
ipc::TokenAnswer answer_of(Mode mode, const net::HttpResponse& response);

ipc::TokenAnswer introspect(const Options& options, const tls::ClientContext& context,
                            const std::string& token);

}  // namespace postern::introspect
