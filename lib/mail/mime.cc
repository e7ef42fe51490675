#include "lib/mail/mime.h"

#include <algorithm>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/mail/header.h"

namespace postern::mail {
namespace {

// RFC 2046 5.1.1 allows 70. Longer ones are compared as far as this.
constexpr std::size_t kMaxBoundary = 10000;

ContentType default_type(bool in_digest) {
    // RFC 2046 5.1.5, RFC 2045 5.2
    if (in_digest) return {"message", "rfc822", {}};
    return {"text", "plain", {{"charset", "us-ascii"}}};
}

// "charset'language'a%20b", or what is left of it in a later piece: the bytes (RFC 2231 4). A "%"
// that begins no byte stands for itself.
std::string extended_bytes(std::string_view value, bool with_charset) {
    for (int i = 0; i < 2 && with_charset; ++i) value.remove_prefix(value.find('\'') + 1);
    std::string out;
    for (std::size_t at = 0; at < value.size(); ++at) {
        const auto byte = value[at] == '%' ? hex_decode(value.substr(at + 1, 2)) : std::nullopt;
        if (byte && byte->size() == 1) at += 2;
        out += byte && byte->size() == 1 ? byte->front() : value[at];
    }
    return out;
}

// As it stands in most messages; else in the forms of RFC 2231, whole or in pieces.
std::string boundary_of(const ContentType& type) {
    constexpr int kMaxPieces = 20;
    if (const auto* plain = type.parameter("boundary")) return *plain;
    if (const auto* extended = type.parameter("boundary*")) return extended_bytes(*extended, true);
    std::string out;
    for (int i = 0; i < kMaxPieces; ++i) {
        const std::string name = cat({"boundary*", std::to_string(i)});
        if (const auto* plain = type.parameter(name))
            out += *plain;
        else if (const auto* extended = type.parameter(name + "*"))
            out += extended_bytes(*extended, i == 0);
        else
            break;
    }
    return out;
}

// Why a stretch of lines ended.
struct Stop {
    int level = -1;  // index of the boundary in the stack; -1: end of the text
    bool closing = false;
};

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    MimePart run() {
        MimePart root;
        entity(root, 0, false);
        return root;
    }

  private:
    // Reads header and body of one entity; pos_ ends after the boundary line that stopped it.
    Stop entity(MimePart& part, int depth, bool in_digest) {
        ++parts_;
        part.header_begin = pos_;
        if (auto stop = header_lines(part)) {
            // The line end before the boundary is the boundary's.
            part.body_begin = part.body_end = end_before_boundary(part.header_begin);
            if (part.header_lines > 0) --part.header_lines;
            read_fields(part, in_digest);
            return *stop;
        }
        part.body_begin = pos_;
        read_fields(part, in_digest);
        const bool deeper = depth < kMaxMimeDepth && parts_ < kMaxMimeParts;
        const std::string boundary = part.is_multipart() ? boundary_of(part.type) : "";
        Stop stop;
        if (deeper && !boundary.empty()) {
            stop = multipart(part, boundary.substr(0, kMaxBoundary), depth);
        } else if (deeper && encloses_message(part)) {
            part.children.emplace_back();
            stop = entity(part.children.back(), depth + 1, false);
            part.body_end = part.children.back().body_end;
            part.body_lines = part.children.back().header_lines + part.children.back().body_lines;
        } else {
            stop = skip_to_boundary(part.body_lines);
            part.body_end = end_before_boundary(part.body_begin);
        }
        return stop;
    }

    static bool encloses_message(const MimePart& part) {
        if (!part.type.is("message", "rfc822") && !part.type.is("message", "global")) return false;
        // RFC 2046 5.2.1 allows only identity encodings here; encoded, it is opaque to us.
        return !iequals(part.encoding, "base64") && !iequals(part.encoding, "quoted-printable");
    }

    Stop multipart(MimePart& part, std::string boundary, int depth) {
        const bool digest = iequals(part.type.subtype, "digest");
        const int level = static_cast<int>(boundaries_.size());
        boundaries_.push_back(std::move(boundary));
        const std::size_t first_line = lines_;
        std::size_t ignored = 0;
        Stop stop = skip_to_boundary(ignored);  // the preamble
        while (stop.level == level && !stop.closing) {
            if (parts_ >= kMaxMimeParts) {
                stop = skip_to_boundary(ignored);
                continue;
            }
            part.children.emplace_back();
            stop = entity(part.children.back(), depth + 1, digest);
        }
        boundaries_.pop_back();
        if (stop.level == level) stop = skip_to_boundary(ignored);  // the epilogue
        part.body_end = end_before_boundary(part.body_begin);
        // An empty last part ends after the line end that would be the boundary's.
        if (!part.children.empty())
            part.body_end = std::max(part.body_end, part.children.back().body_end);
        part.body_lines = lines_before_boundary(part, first_line, stop);
        return stop;
    }

    // Line ends between the start of the body and its end: all lines read, less the boundary line
    // that stopped us and the line end before it, which belongs to the boundary.
    std::size_t lines_before_boundary(const MimePart& part, std::size_t first_line,
                                      Stop stop) const {
        std::size_t lines = lines_ - first_line;
        if (stop.level < 0) return lines;
        const auto boundary = text_.substr(boundary_begin_, pos_ - boundary_begin_);
        if (boundary.ends_with('\n')) --lines;
        if (part.body_end < boundary_begin_) --lines;
        return lines;
    }

    // Advances over header lines; a boundary line among them ends the entity.
    std::optional<Stop> header_lines(MimePart& part) {
        while (pos_ < text_.size()) {
            const std::string_view line = next_line();
            if (auto stop = boundary_at(line)) return stop;
            if (line.ends_with('\n')) ++part.header_lines;
            if (without_line_end(line).empty()) break;
        }
        return std::nullopt;
    }

    Stop skip_to_boundary(std::size_t& line_count) {
        const std::size_t begin = pos_;
        while (pos_ < text_.size()) {
            const std::string_view line = next_line();
            if (auto stop = boundary_at(line)) {
                // The last line end belongs to the boundary, RFC 2046 5.1.1.
                if (boundary_begin_ > begin && line_count > 0) --line_count;
                return *stop;
            }
            if (line.ends_with('\n')) ++line_count;
        }
        boundary_begin_ = text_.size();
        stopped_at_end_ = true;
        return {};
    }

    std::string_view next_line() {
        const std::string_view line = text_.substr(pos_, line_length(text_.substr(pos_)));
        pos_ += line.size();
        if (line.ends_with('\n')) ++lines_;
        return line;
    }

    // RFC 2046 5.1.2: it suffices that the line begins with the boundary. Of several that it begins
    // with the longest is meant. Outer ones count too: an inner multipart that was never closed
    // ends there.
    std::optional<Stop> boundary_at(std::string_view line) {
        if (boundaries_.empty() || !line.starts_with("--")) return std::nullopt;
        const std::string_view rest = without_line_end(line).substr(2);
        const std::string* best = nullptr;
        for (const std::string& boundary : boundaries_) {
            if (rest.starts_with(boundary) && (best == nullptr || boundary.size() >= best->size()))
                best = &boundary;
        }
        if (best == nullptr) return std::nullopt;
        boundary_begin_ = pos_ - line.size();
        stopped_at_end_ = false;
        return Stop{static_cast<int>(best - boundaries_.data()),
                    rest.substr(best->size()).starts_with("--")};
    }

    // End of what precedes the boundary line that stopped us (or the text's end).
    std::size_t end_before_boundary(std::size_t begin) const {
        if (stopped_at_end_) return text_.size();
        std::size_t end = boundary_begin_;
        if (end > begin && text_[end - 1] == '\n') --end;
        if (end > begin && end < boundary_begin_ && text_[end - 1] == '\r') --end;
        return std::max(end, begin);
    }

    void read_fields(MimePart& part, bool in_digest) {
        part.type = default_type(in_digest);
        HeaderCursor cursor(part.header(text_));
        while (const auto field = cursor.next()) {
            if (istarts_with(field->name, "content-"))
                read_field(part, field->name.substr(8), field->body);
        }
    }

    static void read_field(MimePart& part, std::string_view name, std::string_view body) {
        if (iequals(name, "type")) {
            if (auto type = parse_content_type(body)) part.type = std::move(*type);
        } else if (iequals(name, "transfer-encoding")) {
            if (auto word = parse_first_word(body); !word.empty()) {
                part.encoding = std::move(word);
                part.has_encoding = true;
            }
        } else if (iequals(name, "disposition")) {
            part.disposition = parse_disposition(body);
        } else if (iequals(name, "language")) {
            part.languages = parse_word_list(body);
        } else if (iequals(name, "id")) {
            part.id = std::string(trim(unfold(body)));
        } else if (iequals(name, "description")) {
            part.description = std::string(trim(unfold(body)));
        } else if (iequals(name, "md5")) {
            part.md5 = std::string(trim(unfold(body)));
        } else if (iequals(name, "location")) {
            part.location = std::string(trim(unfold(body)));
        }
    }

    std::string_view text_;
    std::size_t pos_ = 0;
    std::size_t lines_ = 0;  // line ends passed so far
    std::size_t parts_ = 0;
    std::size_t boundary_begin_ = 0;
    bool stopped_at_end_ = true;
    std::vector<std::string> boundaries_;
};

}  // namespace

MimePart parse_mime(std::string_view message) { return Parser(message).run(); }

const MimePart* find_part(const MimePart& message, std::span<const std::uint32_t> path) {
    // What IMAP has in a multipart that has nothing: RFC 9051 9, 1*body.
    static const MimePart kNothing{.type = default_type(false)};
    const MimePart* part = &message;
    bool numbered = false;  // whether part was reached by a number, rather than being a message
    for (const std::uint32_t number : path) {
        if (numbered && part->is_message()) {
            part = &part->children.front();
            numbered = false;
        }
        if (number == 0) return nullptr;
        if (part->is_multipart() && !part->children.empty()) {
            if (number > part->children.size()) return nullptr;
            part = &part->children[number - 1];
        } else if (part->is_multipart() && number == 1) {
            part = &kNothing;
        } else if (number != 1 || numbered) {
            return nullptr;
        }
        numbered = true;
    }
    return part;
}

}  // namespace postern::mail
