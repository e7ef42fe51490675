// As much of HTTP/1.1 (RFC 9112) as it takes to ask a server one question: a request on a
// connection of its own, and an answer of bounded size within a bounded time. No redirections:
// where a question with a secret goes is for the administrator to say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/tls/context.h"

namespace postern::net {

// "https://host[:port]/path?query", "http://..."; Errc::invalid for anything else.
struct Url {
    bool secure = false;
    std::string host;  // without brackets
    std::uint16_t port = 0;
    std::string target;     // "/path?query"
    std::string authority;  // for Host:, as it was written
};
Result<Url> parse_url(std::string_view text);

// What may stand in a form's value or a query (RFC 3986 2.1).
std::string url_encode(std::string_view text);

struct HttpRequest {
    std::string method = "GET";
    Url url;
    std::vector<std::pair<std::string, std::string>> headers;  // besides Host and Content-Length
    std::string body;
};
std::string http_text(const HttpRequest& request);

struct HttpResponse {
    int status = 0;
    std::string body;
};
// All of the answer that is there; nothing: it goes on. `ended`: the server has closed the
// connection. Errc::invalid: that is no such answer; Errc::no_space: it is longer than
// kMaxHttpAnswer.
constexpr std::size_t kMaxHttpAnswer = 64 * 1024;
Result<std::optional<HttpResponse>> parse_http_response(std::string_view bytes, bool ended);

// Asks, waiting for the answer. `context` for URLs with https.
Result<HttpResponse> http_ask(const HttpRequest& request, const tls::ClientContext& context,
                              const Deadline& deadline);

}  // namespace postern::net
