#include "lib/imap/binary_append.h"

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/mail/header.h"
#include "lib/mail/mime.h"

namespace postern::imap {
namespace {

constexpr std::string_view kField = "Content-Transfer-Encoding";
constexpr std::size_t kLine = 57;  // bytes that make a line of 76 characters, RFC 2045 6.8

std::string with_encoding(std::string_view header, std::string_view encoding) {
    std::string out;
    mail::HeaderCursor cursor(header);
    while (const auto field = cursor.next()) {
        if (iequals(field->name, kField))
            out += cat({kField, ": ", encoding, "\r\n"});
        else
            out += field->raw;
    }
    if (header.ends_with("\n")) out += "\r\n";
    return out;
}

// Without a line end behind the last line, which would be the boundary's.
std::string base64_lines(std::string_view bytes) {
    std::string out;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(kLine, bytes.size()))) {
        if (!out.empty()) out += "\r\n";
        out += base64_encode(bytes.substr(0, kLine));
    }
    return out;
}

void rewrite(std::string& out, std::string_view message, const mail::MimePart& part) {
    const bool binary = iequals(part.encoding, "binary");
    const bool leaf = part.children.empty();
    const std::string_view header = part.header(message);
    if (binary)
        out += with_encoding(header, leaf ? "base64" : "8bit");
    else
        out += header;
    if (leaf) {
        out += binary ? base64_lines(part.body(message)) : std::string(part.body(message));
        return;
    }
    std::size_t at = part.body_begin;
    for (const mail::MimePart& child : part.children) {
        out += message.substr(at, child.header_begin - at);
        rewrite(out, message, child);
        at = child.body_end;
    }
    out += message.substr(at, part.body_end - at);
}

}  // namespace

std::string without_binary(std::string_view message) {
    const mail::MimePart whole = mail::parse_mime(message);
    std::string out;
    out.reserve(message.size() + message.size() / 2);
    rewrite(out, message, whole);
    return out;
}

}  // namespace postern::imap
