#include "lib/smtp/reply.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"

namespace postern::smtp {
namespace {

// RFC 5321 4.2: a reply line begins with three digits, of which the first is 2 to 5.
bool has_reply_code(std::string_view line) {
    return line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && is_digit(line[1]) &&
           is_digit(line[2]) && (line.size() == 3 || line[3] == ' ' || line[3] == '-');
}

std::size_t digits(std::string_view text, std::size_t at, std::size_t most) {
    std::size_t count = 0;
    while (count <= most && at + count < text.size() && is_digit(text[at + count])) ++count;
    return count;
}

// RFC 2034 4: the status is the first word of the text and its class agrees with the code.
// A status that contradicts the code is ignored.
void find_status(Reply& reply, std::string_view line) {
    std::string_view text = trim_left(line.size() > 4 ? line.substr(4) : std::string_view{});
    std::size_t length = enhanced_status_length(text);
    if (length > 0 && text[0] == line[0] && line[0] != '3') {
        reply.status = text.substr(0, length);
        reply.has_status = true;
    } else {
        reply.status = cat({line.substr(0, 1), ".0.0"});
        reply.has_status = false;
    }
}

}  // namespace

std::string Reply::text() const { return printable(join(lines, " "), kMaxReplyText); }

std::size_t enhanced_status_length(std::string_view text) {
    // RFC 3463 2: class "." subject "." detail, the latter two of one to three digits.
    if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.') {
        return 0;
    }
    std::size_t subject = digits(text, 2, 3);
    if (subject == 0 || subject > 3) return 0;
    std::size_t at = 2 + subject;
    if (at >= text.size() || text[at] != '.') return 0;
    std::size_t detail = digits(text, at + 1, 3);
    if (detail == 0 || detail > 3) return 0;
    at += 1 + detail;
    return at == text.size() || is_space(text[at]) ? at : 0;
}

ReplyParser::Outcome ReplyParser::feed(std::string_view& bytes) {
    while (!bytes.empty()) {
        std::size_t end = bytes.find('\n');
        std::string_view part = bytes.substr(0, end);
        // RFC 5321 4.5.3.1.5 allows 512; what exceeds our limit is dropped.
        line_.append(part.substr(0, kMaxReplyLine - std::min(kMaxReplyLine, line_.size())));
        if (end == std::string_view::npos) {
            bytes = {};
            break;
        }
        bytes.remove_prefix(end + 1);
        Outcome outcome = end_line();
        if (!std::holds_alternative<NeedMore>(outcome)) return outcome;
    }
    return NeedMore{};
}

ReplyParser::Outcome ReplyParser::end_line() {
    std::string line = std::exchange(line_, {});
    while (!line.empty() && line.back() == '\r') line.pop_back();
    if (filter_) {
        if (auto other = filter_(line)) line = std::move(*other).substr(0, kMaxReplyLine);
    }
    if (!has_reply_code(line)) {
        return Error{Errc::invalid, printable(line, 100)};
    }
    bool last = line.size() == 3 || line[3] == ' ';
    if (++line_count_ > kMaxReplyLines) {
        return Error{Errc::invalid, "reply with too many lines"};
    }
    if (last) {
        // RFC 5321 4.2.1: the codes of all lines agree; where they do not, the last one counts.
        reply_.code = *parse_number<int>(std::string_view(line).substr(0, 3));
        find_status(reply_, line);
    }
    if (text_size_ + line.size() <= kMaxReplyText || reply_.lines.empty()) {
        text_size_ += line.size();
        reply_.lines.push_back(std::move(line));
    }
    if (!last) return NeedMore{};
    text_size_ = line_count_ = 0;
    return std::exchange(reply_, {});
}

}  // namespace postern::smtp
