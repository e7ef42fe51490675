// The MIME structure of a message as byte offsets into it: what IMAP's BODYSTRUCTURE and BODY[1.2]
// are answered from. One pass over the text, LF or CRLF. Any text has a structure; nesting and the
// number of parts are limited, and what lies deeper is one opaque part.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/mail/content_type.h"

namespace postern::mail {

inline constexpr int kMaxMimeDepth = 50;
inline constexpr std::size_t kMaxMimeParts = 10000;

struct MimePart {
    // Offsets into the message. The header includes the empty line that ends it.
    std::size_t header_begin = 0;
    std::size_t body_begin = 0;
    std::size_t body_end = 0;
    std::size_t header_lines = 0;
    std::size_t body_lines = 0;  // line ends within the body

    ContentType type;  // the default when there is no usable Content-Type
    bool has_encoding = false;
    std::string encoding = "7bit";  // Content-Transfer-Encoding
    std::optional<Disposition> disposition;
    std::optional<std::string> id;  // unfolded and trimmed
    std::optional<std::string> description;
    std::optional<std::string> md5;
    std::optional<std::string> location;
    std::vector<std::string> languages;

    // A multipart's parts; for message/rfc822 the enclosed message, alone.
    std::vector<MimePart> children;

    std::string_view header(std::string_view message) const {
        return message.substr(header_begin, body_begin - header_begin);
    }
    std::string_view body(std::string_view message) const {
        return message.substr(body_begin, body_end - body_begin);
    }
    bool is_multipart() const { return type.is("multipart"); }
    // A part whose body is a message that was read as one.
    bool is_message() const { return !is_multipart() && !children.empty(); }
};

MimePart parse_mime(std::string_view message);

// The part that RFC 3501 6.4.5 numbers so ("4.2.1" is {4, 2, 1}), or null. The empty path is the
// message itself. The first number of a message that is not multipart, 1, means the message's body.
const MimePart* find_part(const MimePart& message, std::span<const std::uint32_t> path);

}  // namespace postern::mail
