#include "lib/content/body_filter.h"

#include "lib/base/unicode.h"
#include "lib/mail/header.h"

namespace postern::content {

// Parts have headers only where there are parts.
bool BodyFilter::needed(const Rules& rules, const Limits& limits, const PartType& type) {
    const bool parts = limits.mime_input && type.kind != PartType::Kind::text &&
                       (rules.wants(Kind::mime_header) || rules.wants(Kind::nested_header));
    return parts || limits.strict.any() || rules.wants(Kind::body);
}

BodyFilter::BodyFilter(Rules& rules, const Limits& limits, Effects& effects, const PartType& type)
    : rules_(rules),
      limits_(limits),
      effects_(effects),
      scanner_(limits, *this, type),
      encoding_(type.encoding) {
    check_encoding(type);
}

void BodyFilter::feed(std::string_view bytes, std::string& out) {
    out_ = &out;
    scanner_.feed(bytes);
}

void BodyFilter::finish(std::string& out) {
    out_ = &out;
    scanner_.finish();
}

void BodyFilter::on_boundary(std::string_view line) {
    *out_ += line;
    seen_ = 0;
}

void BodyFilter::on_field(std::string field, std::string_view lower_name, bool attached) {
    if (limits_.strict.headers) check_field(field, effects_);
    const auto kind =
        attached && !is_mime_field(lower_name) ? Kind::nested_header : Kind::mime_header;
    if (const auto made = judge_field(rules_, kind, std::move(field), effects_, *out_)) {
        effects_.utf8_header = effects_.utf8_header || is_utf8_field(*made);
        *out_ += *made;
    }
}

void BodyFilter::on_header_end(const PartType& type, std::string_view line, bool) {
    *out_ += line;
    seen_ = 0;
    encoding_ = type.encoding;
    check_encoding(type);
}

// strict_mime_encoding_domain.
void BodyFilter::check_encoding(const PartType& type) {
    if (limits_.strict.domain && type.composite && type.encoding == PartType::Encoding::transformed)
        refuse_mime(effects_, "invalid message/* or multipart/* encoding domain",
                    type.encoding_name);
}

void BodyFilter::on_text(const TextPiece& piece) {
    if (!piece.begins) {
        *out_ += piece.bytes;
        return;
    }
    if (limits_.strict.body && encoding_ == PartType::Encoding::seven_bit && !is_ascii(piece.bytes))
        refuse_mime(effects_, "improper use of 8-bit data in message body", piece.bytes);
    const bool looked_at = seen_ < limits_.body_checks_size && rules_.wants(Kind::body);
    seen_ += piece.bytes.size();
    if (!looked_at) {
        *out_ += piece.bytes;
        return;
    }
    const Fate fate = judge(rules_, Kind::body, mail::without_line_end(piece.bytes), effects_);
    if (!fate.prepend.empty()) *out_ += fate.prepend + "\r\n";
    if (fate.keep && fate.replaced) *out_ += fate.text + "\r\n";
    if (fate.keep && !fate.replaced) *out_ += piece.bytes;
    // The rest of a long line that is gone would be another one.
    if ((!fate.keep || fate.replaced) && piece.goes_on) *out_ += "\r\n";
}

}  // namespace postern::content
