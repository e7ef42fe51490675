#include "lib/imap/response.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/imap/parser.h"

namespace postern::imap {
namespace {

constexpr std::size_t kMaxQuoted = 1000;

// RFC 3501 9: a quoted string holds 7-bit characters but CR, LF and NUL.
bool can_be_quoted(std::string_view text, bool utf8 = false) {
    return text.size() <= kMaxQuoted && std::all_of(text.begin(), text.end(), [utf8](char c) {
               return c != '\r' && c != '\n' && c != '\0' &&
                      (utf8 || static_cast<unsigned char>(c) < 0x80);
           });
}

void append_quoted(std::string& out, std::string_view text) {
    constexpr auto kEscaped = [](char c) { return c == '"' || c == '\\'; };
    out += '"';
    while (!text.empty()) {
        const auto end = std::find_if(text.begin() + 1, text.end(), kEscaped);
        if (kEscaped(text.front())) out += '\\';
        out.append(text.begin(), end);
        text = {end, text.end()};
    }
    out += '"';
}

void append_number(std::string& out, std::size_t number) { out += std::to_string(number); }

using mail::ListedAddress;

// RFC 3501 7.4.2: (name route mailbox host); NIL hosts mark the ends of a group.
void append_address(std::string& out, const ListedAddress& address) {
    if (address.kind == ListedAddress::Kind::group_end) {
        out += "(NIL NIL NIL NIL)";
        return;
    }
    out += '(';
    append_nstring(out, address.has_name ? std::optional(address.name) : std::nullopt);
    out += ' ';
    append_nstring(out, address.route.empty() ? std::nullopt : std::optional(address.route));
    out += ' ';
    append_string(out, address.local);
    out += ' ';
    if (address.kind == ListedAddress::Kind::group_start) {
        out += "NIL";
    } else {
        append_string(out, address.domain);  // "" where there is none: NIL would make it a group
    }
    out += ')';
}

void append_addresses(std::string& out, const std::vector<ListedAddress>& list) {
    if (list.empty()) {
        out += "NIL";
        return;
    }
    out += '(';
    for (const auto& address : list) append_address(out, address);
    out += ')';
}

void append_parameters(std::string& out, const std::vector<mail::Parameter>& parameters) {
    if (parameters.empty()) {
        out += "NIL";
        return;
    }
    char before = '(';
    for (const auto& parameter : parameters) {
        out += before;
        append_string(out, parameter.name);
        out += ' ';
        append_string(out, parameter.value);
        before = ' ';
    }
    out += ')';
}

void append_disposition(std::string& out, const mail::MimePart& part) {
    if (!part.disposition) {
        out += "NIL";
        return;
    }
    out += '(';
    append_string(out, part.disposition->kind);
    out += ' ';
    append_parameters(out, part.disposition->parameters);
    out += ')';
}

void append_languages(std::string& out, const std::vector<std::string>& languages) {
    if (languages.empty()) {
        out += "NIL";
    } else if (languages.size() == 1) {
        append_string(out, languages.front());
    } else {
        char before = '(';
        for (const auto& language : languages) {
            out += before;
            append_string(out, language);
            before = ' ';
        }
        out += ')';
    }
}

// body-fld-dsp, -lang, -loc: the end of both kinds of extension data
void append_common_extension(std::string& out, const mail::MimePart& part) {
    out += ' ';
    append_disposition(out, part);
    out += ' ';
    append_languages(out, part.languages);
    out += ' ';
    append_nstring(out, part.location);
}

void append_multipart(std::string& out, std::string_view message, const mail::MimePart& part,
                      bool extended) {
    out += '(';
    for (const auto& child : part.children) append_body(out, message, child, extended);
    // RFC 3501 9: body-type-mpart has at least one part
    if (part.children.empty()) {
        append_body(out, message, mail::parse_mime({}), extended);
    }
    out += ' ';
    append_string(out, part.type.subtype);
    if (extended) {
        out += ' ';
        append_parameters(out, part.type.parameters);
        append_common_extension(out, part);
    }
    out += ')';
}

// What a part without readable structure is called: a message whose body was not read as one must
// not be shown as message/rfc822, which has an envelope.
mail::ContentType shown_type(const mail::MimePart& part) {
    const bool opaque = part.type.is("message", "rfc822") && !part.is_message();
    if (opaque) return {"application", "octet-stream", part.type.parameters};
    return part.type;
}

// Text without a charset is shown with the default that RFC 2045 5.2 gives it.
std::vector<mail::Parameter> shown_parameters(const mail::ContentType& type) {
    std::vector<mail::Parameter> parameters = type.parameters;
    if (type.is("text") && type.parameter("charset") == nullptr)
        parameters.push_back({"charset", "us-ascii"});
    return parameters;
}

void append_single(std::string& out, std::string_view message, const mail::MimePart& part,
                   bool extended) {
    const mail::ContentType type = shown_type(part);
    out += '(';
    append_string(out, type.type);
    out += ' ';
    append_string(out, type.subtype);
    out += ' ';
    append_parameters(out, shown_parameters(type));
    out += ' ';
    append_nstring(out, part.id);
    out += ' ';
    append_nstring(out, part.description);
    out += ' ';
    append_string(out, part.encoding);
    out += ' ';
    append_number(out, part.body_end - part.body_begin);
    const bool enclosed = part.is_message() && type.is("message", "rfc822");
    if (enclosed) {
        const mail::MimePart& child = part.children.front();
        out += ' ';
        append_envelope(out, mail::parse_envelope(child.header(message)));
        out += ' ';
        append_body(out, message, child, extended);
    }
    if (enclosed || type.is("text")) {
        out += ' ';
        append_number(out, part.body_lines);
    }
    if (extended) {
        out += ' ';
        append_nstring(out, part.md5);
        append_common_extension(out, part);
    }
    out += ')';
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
    if (!can_be_quoted(text)) {
        append_literal(out, text);
        return;
    }
    append_quoted(out, text);
}

void append_nstring(std::string& out, const std::optional<std::string>& text) {
    if (text) {
        append_string(out, *text);
    } else {
        out += "NIL";
    }
}

void append_astring(std::string& out, std::string_view text) {
    const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), is_astring_char);
    if (plain && !iequals(text, "NIL")) {
        out += text;
    } else {
        append_string(out, text);
    }
}

void append_mailbox_name(std::string& out, std::string_view name) {
    const bool ascii = std::all_of(name.begin(), name.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (!ascii && can_be_quoted(name, true))
        append_quoted(out, name);
    else
        append_astring(out, name);
}

void append_literal8(std::string& out, std::string_view bytes) {
    out += '~';
    append_literal(out, bytes);
}

void append_literal(std::string& out, std::string_view bytes) {
    out += '{' + std::to_string(bytes.size()) + "}\r\n";
    out += bytes;
}

void append_list(std::string& out, const std::vector<std::string>& words) {
    out += '(' + join(words, " ") + ')';
}

void append_envelope(std::string& out, const mail::Envelope& envelope) {
    out += '(';
    append_nstring(out, envelope.date);
    out += ' ';
    append_nstring(out, envelope.subject);
    for (const auto* list : {&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to,
                             &envelope.cc, &envelope.bcc}) {
        out += ' ';
        append_addresses(out, *list);
    }
    out += ' ';
    append_nstring(out, envelope.in_reply_to);
    out += ' ';
    append_nstring(out, envelope.message_id);
    out += ')';
}

void append_body(std::string& out, std::string_view message, const mail::MimePart& part,
                 bool extended) {
    if (part.is_multipart()) {
        append_multipart(out, message, part, extended);
    } else {
        append_single(out, message, part, extended);
    }
}

}  // namespace postern::imap
