#include "lib/content/part_scanner.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/mail/content_type.h"
#include "lib/mail/header.h"

namespace postern::content {
namespace {

constexpr std::size_t kLineLimit = 2048;

}  // namespace

void note_content_field(std::string_view lower_name, std::string_view body, PartType& type) {
    if (lower_name == "content-transfer-encoding") {
        const std::string word = mail::parse_first_word(body);
        const bool binary = iequals(word, "8bit") || iequals(word, "binary");
        const bool transformed = iequals(word, "base64") || iequals(word, "quoted-printable");
        type.encoding = binary        ? PartType::Encoding::eight_bit
                        : transformed ? PartType::Encoding::transformed
                                      : PartType::Encoding::seven_bit;
        type.encoding_name = transformed ? word : std::string();
        type.encoded = !binary && !iequals(word, "7bit");
        return;
    }
    if (lower_name != "content-type") return;
    const auto said = mail::parse_content_type(body);
    type.kind = PartType::Kind::text;
    type.composite = false;
    if (!said) return;
    const bool message = said->is("message", "rfc822") || said->is("message", "global");
    type.composite = message || said->is("multipart") || said->is("message", "partial") ||
                     said->is("message", "external-body");
    if (message) type.kind = PartType::Kind::message;
    if (!said->is("multipart")) return;
    type.kind = PartType::Kind::multipart;
    type.digest = iequals(said->subtype, "digest");
    const std::string* boundary = said->parameter("boundary");
    type.boundary = boundary != nullptr ? *boundary : std::string();
}

PartScanner::PartScanner(const Limits& limits, Reader& reader) : limits_(limits), reader_(reader) {
    begin_header(true);
}

PartScanner::PartScanner(const Limits& limits, Reader& reader, const PartType& type)
    : limits_(limits), reader_(reader) {
    enter(type);
}

// A header's line may be as long as a field; of a line of text the beginning shows what it is.
std::size_t PartScanner::line_limit() const {
    return in_header_ ? std::max(limits_.header_size, kLineLimit) : kLineLimit;
}

void PartScanner::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        const bool whole = end != std::string_view::npos;
        if (rest_ != Rest::none) {
            const std::string_view piece = bytes.substr(0, whole ? end + 1 : end);
            bytes.remove_prefix(piece.size());
            rest_of_line(piece);
            continue;
        }
        // A CR at the limit waits for its LF.
        const std::size_t limit = line_limit();
        const std::size_t room = limit > partial_.size() ? limit - partial_.size() : 1;
        const std::string_view piece = bytes.substr(0, std::min(whole ? end + 1 : end, room));
        bytes.remove_prefix(piece.size());
        const bool complete = piece.ends_with('\n');
        if (complete && partial_.empty()) {
            line(piece, false);
            continue;
        }
        partial_ += piece;
        const bool full = partial_.size() >= limit + (partial_.ends_with('\r') ? 1 : 0);
        if (complete || full) line(std::exchange(partial_, {}), !complete);
    }
}

// Whatever portions the rest of a long line comes in, a field keeps its line end.
void PartScanner::rest_of_line(std::string_view piece) {
    const bool complete = piece.ends_with('\n');
    if (rest_ == Rest::text) reader_.on_text({piece, false, !complete});
    if (rest_ == Rest::dropped && complete && !field_.ends_with('\n')) field_ += "\r\n";
    if (complete) rest_ = Rest::none;
}

void PartScanner::finish() {
    if (!partial_.empty()) line(std::exchange(partial_, {}), false);
    if (in_header_) {
        end_field();
        reader_.on_header_end(part_, {}, false);
    }
}

void PartScanner::line(std::string_view text, bool goes_on) {
    if (!levels_.empty() && text.starts_with("--") && boundary(mail::without_line_end(text))) {
        reader_.on_boundary(text);
        if (goes_on) rest_ = Rest::text;  // blanks only so far
    } else if (in_header_) {
        header_line(text, goes_on);
    } else {
        reader_.on_text({text, true, goes_on});
        if (goes_on) rest_ = Rest::text;
    }
}

// RFC 2046 5.1.2: an outer boundary ends all inner parts. True when the line is one; what it begins
// is set up.
bool PartScanner::boundary(std::string_view text) {
    for (std::size_t i = levels_.size(); i-- > 0;) {
        const std::string& wanted = levels_[i].boundary;
        if (!text.substr(2).starts_with(wanted)) continue;
        const std::string_view rest = trim_right(text.substr(2 + wanted.size()));
        if (!rest.empty() && rest != "--") continue;
        if (in_header_) {
            end_field();
            reader_.on_header_end(part_, {}, false);
        }
        const bool digest = levels_[i].digest;
        levels_.resize(rest.empty() ? i + 1 : i);
        in_header_ = false;
        if (rest.empty()) begin_header(false);
        if (rest.empty() && digest) part_.kind = PartType::Kind::message;
        return true;
    }
    return false;
}

void PartScanner::begin_header(bool attached) {
    in_header_ = true;
    attached_ = attached;
    part_ = {};
}

void PartScanner::header_line(std::string_view text, bool goes_on) {
    const bool continues =
        !field_.empty() && is_space(text.front()) && !mail::without_line_end(text).empty();
    if (continues) {
        const bool fits = field_.size() + text.size() <= limits_.header_size;
        if (fits) field_ += text;
        if (goes_on) rest_ = Rest::dropped;
        return;
    }
    end_field();
    if (field_name_size(text) > 0) {
        field_ = text;
        if (goes_on) rest_ = Rest::dropped;
        return;
    }
    // The empty line belongs to the header; anything else is the first line of the text.
    const bool empty = mail::without_line_end(text).empty() && !goes_on;
    end_header(empty ? text : std::string_view());
    if (!empty) line(text, goes_on);
}

void PartScanner::end_field() {
    if (field_.empty()) return;
    std::string field = std::exchange(field_, {});
    const std::string name = to_lower(std::string_view(field).substr(0, field_name_size(field)));
    note_content_field(name, std::string_view(field).substr(field.find(':') + 1), part_);
    reader_.on_field(std::move(field), name, attached_);
}

void PartScanner::end_header(std::string_view line) {
    in_header_ = false;
    const PartType type = part_;
    const bool opens = enter(type);
    reader_.on_header_end(type, line, opens);
}

bool PartScanner::enter(const PartType& type) {
    if (!limits_.mime_input || levels_.size() >= limits_.mime_nesting) return false;
    if (type.kind == PartType::Kind::multipart && !type.boundary.empty()) {
        levels_.push_back({type.boundary.substr(0, limits_.mime_boundary_length), type.digest});
        return true;
    }
    if (type.kind != PartType::Kind::message || type.encoded) return false;
    begin_header(true);
    return true;
}

}  // namespace postern::content
