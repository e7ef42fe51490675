// What an IMAP server says, as a client reads it (RFC 9051 9), for who fetches mail from other
// servers. Pure: the bytes of one response in, values out. The server is a stranger: sizes and
// depth are limited.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::imap {

// An atom, a string, NIL or a parenthesized list of values.
struct Value {
    enum class Kind : unsigned char { atom, string, nil, list };
    Kind kind = Kind::nil;
    std::string text;          // of an atom or a string
    std::vector<Value> items;  // of a list

    bool is_text() const { return kind == Kind::atom || kind == Kind::string; }
};

struct ServerResponse {
    std::string tag;                      // "*", "+", or the command's
    std::string label;                    // "OK", "FETCH", "LIST", in upper case
    std::optional<std::uint32_t> number;  // "* 5 FETCH"
    std::vector<Value> values;            // of untagged data
    std::string code;                     // of OK, NO, BAD: within the brackets
    std::string text;                     // and what is for people

    bool is_status() const {
        return label == "OK" || label == "NO" || label == "BAD" || label == "BYE" ||
               label == "PREAUTH";
    }
};

inline constexpr std::size_t kMaxResponseDepth = 50;

// `bytes`: a response with its literals ("{5}\r\nhello"), without its last line end. Errc::invalid.
Result<ServerResponse> parse_server_response(std::string_view bytes);
// The literal that a line of a response ends with ("... {12}").
std::optional<std::uint64_t> literal_at_end(std::string_view line);

// The value behind a name in a list of pairs: "UID" in "(UID 5 FLAGS ())". nullptr: none.
const Value* find_value(const std::vector<Value>& pairs, std::string_view name);

// A string for a command: quoted where that can be; nothing for what would need a literal.
std::optional<std::string> quoted_string(std::string_view text);

}  // namespace postern::imap
