// The message for milters, see text.h.
#include "lib/milter/text.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::milter {
namespace {

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
        return c > ' ' && c < 127 && c != ':';
    });
}

// Lines of a milter's value end in LF or CRLF; one that does not begin with white space would begin
// another field, or end the header: it gets a tab. Empty ones go.
std::string folded(std::string_view value) {
    std::string out;
    for (auto line : split(value, '\n')) {
        while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (trim(line).empty() && !out.empty()) continue;
        if (!out.empty()) out += line[0] == ' ' || line[0] == '\t' ? "\r\n" : "\r\n\t";
        for (const char c : line) {
            if (c != '\r' && c != '\0') out += c;
        }
    }
    return out;
}

std::string field_of(std::string_view name, std::string_view value) {
    const auto text = folded(value);
    const bool spaced = text.empty() || text[0] == ' ' || text[0] == '\t' || text[0] == '\r';
    return cat({name, spaced ? ":" : ": ", text, "\r\n"});
}

}  // namespace

Text::Text(std::string_view message, bool own_received) : own_received_(own_received) {
    while (!message.empty()) {
        const auto end = message.find('\n');
        const auto line = message.substr(0, end == std::string_view::npos ? end : end + 1);
        message.remove_prefix(line.size());
        if (line == "\r\n" || line == "\n") break;
        const bool goes_on = (line[0] == ' ' || line[0] == '\t') && !fields_.empty();
        if (goes_on) {
            fields_.back() += line;
        } else {
            fields_.emplace_back(line);
        }
    }
    body_ = message;
    if (fields_.empty()) own_received_ = false;
}

std::string_view Text::name(std::size_t field) const {
    const std::string_view text = fields_[field];
    return trim_right(text.substr(0, text.find(':')));
}

std::string Text::value(std::size_t field) const {
    const std::string_view text = fields_[field];
    const auto colon = text.find(':');
    std::string out;
    if (colon == std::string_view::npos) return out;
    for (const char c : text.substr(colon + 1)) {
        if (c != '\r') out += c;
    }
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

std::optional<std::string> Text::made(std::string_view name, std::string_view value) const {
    std::string field = field_of(name, value);
    return filter_ ? filter_(std::move(field)) : std::move(field);
}

bool Text::add(std::string_view name, std::string_view value) {
    if (!is_name(name) || fields_.size() >= kMaxFields) return false;
    if (auto field = made(name, value)) fields_.push_back(std::move(*field));
    return true;
}

bool Text::insert(std::uint32_t at, std::string_view name, std::string_view value) {
    if (!is_name(name) || fields_.size() >= kMaxFields) return false;
    auto field = made(name, value);
    if (!field) return true;
    const auto place = std::min<std::size_t>(at, fields_.size());
    if (own_received_ && place == 0)
        own_received_ = false;  // it is the second from now on, and to be seen
    fields_.insert(fields_.begin() + static_cast<std::ptrdiff_t>(place), std::move(*field));
    return true;
}

bool Text::change(std::uint32_t n, std::string_view name, std::string_view value) {
    if (!is_name(name)) return false;
    std::uint32_t seen = 0;
    for (std::size_t i = first_field(); i < fields_.size(); ++i) {
        if (!iequals(this->name(i), name) || ++seen < n) continue;
        if (value.empty()) {
            fields_.erase(fields_.begin() + static_cast<std::ptrdiff_t>(i));
        } else if (auto field = made(name, value)) {
            fields_[i] = std::move(*field);
        }
        return true;
    }
    return value.empty() || add(name, value);
}

void Text::finish_body() {
    std::string wire;
    wire.reserve(body_.size() + 2);
    for (std::size_t i = 0; i < body_.size(); ++i) {
        const char c = body_[i];
        const bool pair = c == '\r' && i + 1 < body_.size() && body_[i + 1] == '\n';
        if (c == '\r' && !pair) continue;
        if (c == '\n' && (wire.empty() || wire.back() != '\r')) wire += '\r';
        wire += c;
    }
    if (!wire.empty() && !wire.ends_with("\r\n")) wire += "\r\n";
    body_ = std::move(wire);
}

std::string Text::str() const {
    std::string out;
    out.reserve(size());
    for (const auto& field : fields_) out += field;
    out += "\r\n";
    return out + body_;
}

bool Text::has_dot_lines() const {
    return body_.starts_with('.') || body_.find("\n.") != std::string::npos;
}

std::size_t Text::size() const {
    std::size_t size = body_.size() + 2;
    for (const auto& field : fields_) size += field.size();
    return size;
}

}  // namespace postern::milter
