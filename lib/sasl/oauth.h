// OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's older form of it): what a client says, and what it
// is told when its token is no good. Pure.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern::sasl {

struct BearerMessage {
    std::string user;   // whom the client wants to be; empty: whom the token names
    std::string token;  // secret
};

// RFC 7628 3.1: gs2-header, then key=value pairs, each behind a ^A. Errc::invalid says why;
// Errc::not_found: a client without a token asks where to get one (RFC 7628 4.3).
Result<BearerMessage> parse_oauthbearer(std::string_view message);
// "user=" name ^A "auth=Bearer " token ^A ^A
Result<BearerMessage> parse_xoauth2(std::string_view message);

// RFC 7628 3.2.2: the error as a challenge, which the client answers with ^A (or, XOAUTH2, with
// nothing) before it hears that it failed.
enum class BearerError : unsigned char { invalid_request, invalid_token, insufficient_scope };
std::string oauthbearer_error(BearerError error, std::string_view scope,
                              std::string_view openid_configuration);
std::string xoauth2_error(std::string_view scope);

}  // namespace postern::sasl
