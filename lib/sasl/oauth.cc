#include "lib/sasl/oauth.h"

#include <algorithm>

#include "lib/base/json.h"
#include "lib/base/strings.h"
#include "lib/sasl/scram.h"
#include "lib/sasl/server_exchange.h"

namespace postern::sasl {
namespace {

constexpr std::size_t kMaxBearerMessage = 12288;

Error bad_message(std::string_view what) {
    return {Errc::invalid, cat({"malformed bearer message: ", what}), 0};
}

// RFC 6750 2.1: b64token, in practice any visible characters.
bool is_bearer_token(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

// The pairs between the first ^A and the two at the end. "auth" must be there.
Result<std::string> token_of(std::string_view pairs) {
    if (!pairs.ends_with("\1\1")) return bad_message("no end");
    pairs.remove_suffix(2);
    std::string token;
    for (const std::string_view pair : split(pairs, '\1')) {
        const auto parts = split_once(pair, '=');
        if (!parts || parts->first.empty()) return bad_message("not key=value");
        if (parts->first != "auth") continue;  // host, port, qs...
        if (!token.empty()) return bad_message("auth twice");
        if (parts->second.empty()) return Error{Errc::not_found, "no token", 0};
        if (!istarts_with(parts->second, "Bearer ")) return bad_message("not a bearer token");
        token = trim(parts->second.substr(7));
        if (!is_bearer_token(token)) return bad_message("token");
    }
    if (token.empty()) return bad_message("no auth");
    return token;
}

}  // namespace

Result<BearerMessage> parse_oauthbearer(std::string_view message) {
    if (message.size() > kMaxBearerMessage) return bad_message("too long");
    const auto parts = split_once(message, '\1');
    if (!parts) return bad_message("no key=value");
    // RFC 5801 4: channel binding is not for us; "n" and "y" say that there is none.
    const auto header = split(parts->first, ',');
    if (header.size() != 3 || !header[2].empty() || (header[0] != "n" && header[0] != "y"))
        return bad_message("header");
    BearerMessage result;
    if (!header[1].empty()) {
        const auto name = decode_saslname(header[1].starts_with("a=") ? header[1].substr(2) : "");
        if (!name) return bad_message("authorization identity");
        result.user = *name;
    }
    TRY_ASSIGN(result.token, token_of(parts->second));
    return result;
}

Result<BearerMessage> parse_xoauth2(std::string_view message) {
    if (message.size() > kMaxBearerMessage) return bad_message("too long");
    const auto parts = split_once(message, '\1');
    if (!parts || !parts->first.starts_with("user=")) return bad_message("no user");
    BearerMessage result;
    result.user = parts->first.substr(5);
    if (result.user.empty() || result.user.size() > kMaxUser ||
        std::any_of(result.user.begin(), result.user.end(), is_control))
        return bad_message("user");
    TRY_ASSIGN(result.token, token_of(parts->second));
    return result;
}

std::string oauthbearer_error(BearerError error, std::string_view scope,
                              std::string_view openid_configuration) {
    const std::string_view status = error == BearerError::invalid_request ? "invalid_request"
                                    : error == BearerError::invalid_token ? "invalid_token"
                                                                          : "insufficient_scope";
    std::string text = cat({"{\"status\":", json_quote(status)});
    if (!scope.empty()) text += cat({",\"scope\":", json_quote(scope)});
    if (!openid_configuration.empty())
        text += cat({",\"openid-configuration\":", json_quote(openid_configuration)});
    return text + "}";
}

std::string xoauth2_error(std::string_view scope) {
    return cat({"{\"status\":\"400\",\"schemes\":\"bearer\",\"scope\":", json_quote(scope), "}"});
}

}  // namespace postern::sasl
