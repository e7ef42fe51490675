#include "lib/mail/header.h"

#include "lib/base/strings.h"

namespace postern::mail {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_empty_line(std::string_view line) { return line == "\n" || line == "\r\n"; }

// RFC 5322 2.2: printable US-ASCII except the colon. Bytes above 127 are let through (RFC 6532).
bool is_name(std::string_view name) {
    for (char c : name) {
        if (is_control(c) || c == ' ') return false;
    }
    return !name.empty();
}

HeaderField make_field(std::string_view raw) {
    HeaderField field;
    field.raw = raw;
    const std::string_view text = without_line_end(raw);
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        field.body = text;
        return field;
    }
    // RFC 5322 4.5: obsolete syntax has white space before the colon.
    const std::string_view name = trim_right(text.substr(0, colon));
    if (is_name(name)) field.name = name;
    field.body = field.name.empty() ? text : text.substr(colon + 1);
    return field;
}

}  // namespace

std::size_t line_length(std::string_view text) {
    const auto at = text.find('\n');
    return at == std::string_view::npos ? text.size() : at + 1;
}

std::string_view without_line_end(std::string_view line) {
    if (!line.empty() && line.back() == '\n') {
        line.remove_suffix(1);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    }
    return line;
}

SplitMessage split_message(std::string_view message) {
    std::size_t at = 0;
    while (at < message.size()) {
        const std::size_t length = line_length(message.substr(at));
        const bool empty = is_empty_line(message.substr(at, length));
        at += length;
        if (empty) break;
    }
    return {message.substr(0, at), message.substr(at)};
}

std::optional<HeaderField> HeaderCursor::next() {
    std::size_t length = line_length(rest_);
    if (length == 0 || is_empty_line(rest_.substr(0, length))) return std::nullopt;
    // RFC 5322 2.2.3: a line that starts with white space continues the field.
    while (length < rest_.size() && is_blank(rest_[length]))
        length += line_length(rest_.substr(length));
    const HeaderField field = make_field(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return field;
}

std::optional<HeaderField> find_field(std::string_view header, std::string_view name) {
    HeaderCursor cursor(header);
    while (auto field = cursor.next()) {
        if (iequals(field->name, name)) return field;
    }
    return std::nullopt;
}

std::string field_text(std::string_view header, std::string_view name) {
    const auto field = find_field(header, name);
    return field ? std::string(trim(unfold(field->body))) : std::string();
}

std::string unfold(std::string_view body) {
    std::string out;
    out.reserve(body.size());
    while (!body.empty()) {
        const std::size_t length = line_length(body);
        out += without_line_end(body.substr(0, length));
        body.remove_prefix(length);
    }
    return out;
}

}  // namespace postern::mail
