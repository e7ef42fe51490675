// The addresses in a header field's body: where each of them stands, so that one can be rewritten
// and everything around it stays as it was, byte by byte. RFC 5322 3.4, tolerantly: what is no
// address list gives fewer addresses, or odd ones, never an error. Used by cleanup (canonical maps,
// masquerading, missing domains) and by the SMTP client (generic maps).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::mail {

// Whose addresses a field holds. Takes its name in lower case.
enum class AddressField : unsigned char { none, sender, recipient };
AddressField address_field(std::string_view lower_name);

struct FieldAddress {
    std::size_t begin = 0, end = 0;  // in the body
    std::string text;                // without white space and comments; quotes as they stand
    std::string comments;            // those within it: " (x) (y)"
    bool has_domain = false;         // an '@' outside quotes
    std::size_t comma = 0;           // not 0: the next address follows without one, here it belongs
    bool changed = false;            // rewrite_field's business
};

// At most so many words and signs are looked at (header_address_token_limit); what is behind them
// stays as it is.
std::vector<FieldAddress> field_addresses(std::string_view body, std::size_t token_limit);

// The body with other addresses. `rewrite` gets each one and returns what shall be there instead;
// for its own text nothing is touched.
using AddressRewrite = std::function<std::string(const FieldAddress&)>;
std::string rewrite_field(std::string_view body, std::size_t token_limit,
                          const AddressRewrite& rewrite);

// "\"two words\"@x" <-> "two words@x": as headers have it, and as envelopes and tables do.
std::string unquoted_address(std::string_view text);
std::string quoted_address(std::string_view address);

}  // namespace postern::mail
