#include "lib/content/body_filter.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"

namespace postern::content {
namespace {

constexpr std::size_t kLineLimit = 2048;

std::string_view without_end(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

// The value of a parameter of a structured field, without quotes; RFC 2045 5.1. Comments are not
// understood: a boundary that hides behind one is not found, and its parts pass as text.
std::string parameter(std::string_view body, std::string_view wanted) {
    for (std::size_t at = body.find(';'); at != std::string_view::npos; at = body.find(';', at)) {
        ++at;
        while (at < body.size() && (is_space(body[at]) || body[at] == '\r' || body[at] == '\n'))
            ++at;
        const std::size_t equals = body.find('=', at);
        if (equals == std::string_view::npos) return {};
        const bool fits = iequals(trim(body.substr(at, equals - at)), wanted);
        std::size_t end = equals + 1;
        while (end < body.size() && is_space(body[end])) ++end;
        std::string value;
        if (end < body.size() && body[end] == '"') {
            for (++end; end < body.size() && body[end] != '"'; ++end) {
                if (body[end] == '\\' && end + 1 < body.size()) ++end;
                value += body[end];
            }
        } else {
            while (end < body.size() && body[end] != ';' && !is_space(body[end]) &&
                   !is_control(body[end]))
                value += body[end++];
        }
        if (fits) return value;
        at = std::min(end, body.size());
    }
    return {};
}

}  // namespace

void note_content_field(std::string_view lower_name, std::string_view body, PartType& type) {
    body = trim(body);
    if (lower_name == "content-transfer-encoding") {
        const bool binary = iequals(body, "8bit") || iequals(body, "binary");
        const bool transformed = iequals(body, "base64") || iequals(body, "quoted-printable");
        type.encoding = binary        ? PartType::Encoding::eight_bit
                        : transformed ? PartType::Encoding::transformed
                                      : PartType::Encoding::seven_bit;
        type.encoding_name = transformed ? std::string(body) : std::string();
        type.encoded = !iequals(body, "7bit") && !iequals(body, "8bit") && !iequals(body, "binary");
        return;
    }
    if (lower_name != "content-type") return;
    const std::string what = to_lower(trim(body.substr(0, body.find(';'))));
    type.kind = PartType::Kind::text;
    type.composite = what.starts_with("multipart/") || what == "message/rfc822" ||
                     what == "message/global" || what == "message/partial" ||
                     what == "message/external-body";
    if (what == "message/rfc822" || what == "message/global") type.kind = PartType::Kind::message;
    if (!what.starts_with("multipart/")) return;
    type.kind = PartType::Kind::multipart;
    type.digest = what == "multipart/digest";
    type.boundary = parameter(body, "boundary");
}

// Parts have headers only where there are parts.
bool BodyFilter::needed(const Rules& rules, const Limits& limits, const PartType& type) {
    const bool parts = limits.mime_input && type.kind != PartType::Kind::text &&
                       (rules.wants(Kind::mime_header) || rules.wants(Kind::nested_header));
    return parts || limits.strict.any() || rules.wants(Kind::body);
}

BodyFilter::BodyFilter(Rules& rules, const Limits& limits, Effects& effects, const PartType& type)
    : rules_(rules), limits_(limits), effects_(effects) {
    part_ = type;
    check_encoding(type);
    if (limits_.mime_input) enter(type);
}

void BodyFilter::feed(std::string_view bytes, std::string& out) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        const bool whole = end != std::string_view::npos;
        const std::string_view piece = bytes.substr(0, whole ? end + 1 : end);
        bytes.remove_prefix(piece.size());
        if (overlong_) {
            out += piece;
            overlong_ = !whole;
            continue;
        }
        partial_ += piece;
        if (!whole && partial_.size() <= kLineLimit) return;
        overlong_ = !whole;
        std::string text;
        text.swap(partial_);
        line(text, out);
    }
}

void BodyFilter::finish(std::string& out) {
    std::string text;
    text.swap(partial_);
    if (!text.empty()) line(text, out);
    end_field(out);
}

void BodyFilter::line(std::string_view text, std::string& out) {
    if (!levels_.empty() && text.starts_with("--") && boundary(without_end(text))) {
        end_field(out);
        out += text;
    } else if (in_header_) {
        header_line(text, out);
    } else {
        text_line(text, out);
    }
}

// RFC 2046 5.1.2: an outer boundary ends all inner parts. True when the line is one; what it begins
// is set up.
bool BodyFilter::boundary(std::string_view text) {
    for (std::size_t i = levels_.size(); i-- > 0;) {
        const std::string& wanted = levels_[i].boundary;
        if (!text.substr(2).starts_with(wanted)) continue;
        const std::string_view rest = trim_right(text.substr(2 + wanted.size()));
        if (!rest.empty() && rest != "--") continue;
        const bool digest = levels_[i].digest;
        levels_.resize(rest.empty() ? i + 1 : i);
        in_header_ = false;
        seen_ = 0;
        if (rest.empty()) begin_part(false);
        if (rest.empty() && digest) part_.kind = PartType::Kind::message;
        return true;
    }
    return false;
}

void BodyFilter::begin_part(bool message) {
    in_header_ = true;
    at_nested_ = message;
    part_ = {};
    seen_ = 0;
}

void BodyFilter::header_line(std::string_view text, std::string& out) {
    const bool continues = !field_.empty() && is_space(text.front()) && !without_end(text).empty();
    if (continues) {
        if (field_.size() + text.size() <= limits_.header_size) field_ += text;
        return;
    }
    end_field(out);
    if (field_name_size(text) > 0) {
        field_ = text;
        return;
    }
    end_header();
    // The empty line belongs to the header; anything else is the first line of the text.
    if (without_end(text).empty())
        out += text;
    else
        line(text, out);
}

void BodyFilter::end_field(std::string& out) {
    if (field_.empty()) return;
    std::string field;
    field.swap(field_);
    const std::string name = to_lower(std::string_view(field).substr(0, field_name_size(field)));
    note_content_field(name, std::string_view(field).substr(field.find(':') + 1), part_);
    if (limits_.strict.headers) check_field(field, effects_);
    const auto kind = at_nested_ && !is_mime_field(name) ? Kind::nested_header : Kind::mime_header;
    if (const auto made = judge_field(rules_, kind, std::string(field), effects_, out)) {
        effects_.utf8_header = effects_.utf8_header || is_utf8_field(*made);
        out += *made;
    }
}

void BodyFilter::end_header() {
    in_header_ = false;
    seen_ = 0;
    const PartType type = part_;
    check_encoding(type);
    enter(type);
}

// strict_mime_encoding_domain.
void BodyFilter::check_encoding(const PartType& type) {
    if (limits_.strict.domain && type.composite && type.encoding == PartType::Encoding::transformed)
        refuse_mime(effects_, "invalid message/* or multipart/* encoding domain",
                    type.encoding_name);
}

void BodyFilter::enter(const PartType& type) {
    if (levels_.size() >= limits_.mime_nesting) return;
    if (type.kind == PartType::Kind::multipart && !type.boundary.empty()) {
        levels_.push_back({type.boundary.substr(0, limits_.mime_boundary_length), type.digest});
    } else if (type.kind == PartType::Kind::message && !type.encoded) {
        begin_part(true);
    }
}

void BodyFilter::text_line(std::string_view text, std::string& out) {
    if (limits_.strict.body && part_.encoding == PartType::Encoding::seven_bit && !is_ascii(text))
        refuse_mime(effects_, "improper use of 8-bit data in message body", text);
    const bool looked_at = seen_ < limits_.body_checks_size && rules_.wants(Kind::body);
    seen_ += text.size();
    if (!looked_at) {
        out += text;
        return;
    }
    const Fate fate = judge(rules_, Kind::body, without_end(text), effects_);
    if (!fate.prepend.empty()) out += fate.prepend + "\r\n";
    if (fate.keep && fate.replaced) out += fate.text + "\r\n";
    if (fate.keep && !fate.replaced) out += text;
    // The rest of an overlong line that is gone would be another one.
    if ((!fate.keep || fate.replaced) && overlong_) out += "\r\n";
}

}  // namespace postern::content
