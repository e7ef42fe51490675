#include "lib/imap/command_reader.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/imap/parser.h"

namespace postern::imap {
namespace {

constexpr std::size_t kMaxLiteralMark = 26;  // "{18446744073709551615+}\r"

}  // namespace

bool announces_literal(std::string_view line, CommandReader::Literal& literal) {
    if (!line.ends_with('}')) return false;
    const std::string_view end = line.substr(line.size() - std::min(line.size(), kMaxLiteralMark));
    const auto open = end.rfind('{');
    if (open == std::string_view::npos) return false;
    std::string_view digits = end.substr(open + 1, end.size() - open - 2);
    literal.waits = !digits.ends_with('+');  // RFC 7888 4
    if (!literal.waits) digits.remove_suffix(1);
    if (digits.empty() || !is_digit(digits.front())) return false;
    const auto size = parse_number<std::uint64_t>(digits);
    if (!size) return false;
    literal.size = *size;
    return true;
}

std::string_view tag_or_star(std::string_view text) {
    const std::string_view tag = text.substr(0, text.find(' '));
    const bool good =
        !tag.empty() && tag.size() <= kMaxTag && std::all_of(tag.begin(), tag.end(), is_tag_char);
    return good ? tag : "*";
}

CommandReader::Event CommandReader::feed(std::string_view& input) {
    if (state_ == State::done) clear();
    while (!input.empty() || state_ == State::kept) {
        switch (state_) {
            case State::line:
                if (const Event event = take_line(input); event != Event::need_more) return event;
                break;
            case State::kept: {
                const auto count =
                    static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
                text_.append(input.substr(0, count));
                input.remove_prefix(count);
                left_ -= count;
                if (left_ > 0) return Event::need_more;
                state_ = State::line;
                break;
            }
            case State::done: break;
            case State::drop_line:
            case State::drop_literal:
                if (const Event event = drop(input); event != Event::need_more) return event;
                break;
        }
    }
    return Event::need_more;
}

CommandReader::Event CommandReader::take_line(std::string_view& input) {
    const auto at = input.find('\n');
    const std::string_view piece =
        input.substr(0, at == std::string_view::npos ? input.size() : at + 1);
    if (text_.size() - kept_ + piece.size() > limits_.line_bytes) {
        state_ = State::drop_line;
        tail_.clear();
        if (text_.size() <= kMaxTag)
            text_.append(piece.substr(0, kMaxTag));  // for the answer's tag
        keep_tail(text_);                            // its end may begin the "{n+}" of a literal
        return drop(input);
    }
    text_.append(piece);
    input.remove_prefix(piece.size());
    return at == std::string_view::npos ? Event::need_more : end_line();
}

CommandReader::Event CommandReader::end_line() {
    text_.pop_back();
    if (text_.ends_with('\r')) text_.pop_back();
    if (announces_literal(text_, literal_)) return Event::literal;
    state_ = State::done;
    return Event::complete;
}

void CommandReader::keep_literal() {
    POSTERN_CHECK(fits(literal_));
    text_ += "\r\n";
    kept_ += static_cast<std::size_t>(literal_.size);
    left_ = literal_.size;
    state_ = State::kept;
}

void CommandReader::stream_literal() { text_ += "\r\n"; }

void CommandReader::refuse_literal() {
    if (literal_.waits) {  // RFC 3501 7.5: the client goes on with a new command
        clear();
        return;
    }
    left_ = literal_.size;
    state_ = State::drop_literal;
    answered_ = true;
}

CommandReader::Event CommandReader::drop(std::string_view& input) {
    if (state_ == State::drop_literal) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
        input.remove_prefix(count);
        left_ -= count;
        if (left_ == 0) state_ = State::drop_line;
        tail_.clear();
        return Event::need_more;
    }
    const auto at = input.find('\n');
    keep_tail(input.substr(0, at));
    input.remove_prefix(at == std::string_view::npos ? input.size() : at + 1);
    return at == std::string_view::npos ? Event::need_more : end_dropped_line();
}

void CommandReader::keep_tail(std::string_view piece) {
    tail_.append(piece.substr(piece.size() - std::min(piece.size(), kMaxLiteralMark)));
    if (tail_.size() > kMaxLiteralMark) tail_.erase(0, tail_.size() - kMaxLiteralMark);
}

CommandReader::Event CommandReader::end_dropped_line() {
    if (tail_.ends_with('\r')) tail_.pop_back();
    Literal next;
    if (announces_literal(tail_, next) && !next.waits) {
        left_ = next.size;
        state_ = State::drop_literal;
        return Event::need_more;
    }
    if (answered_) {
        clear();
        return Event::need_more;
    }
    state_ = State::done;
    return Event::too_long;
}

void CommandReader::clear() {
    state_ = State::line;
    text_.clear();
    tail_.clear();
    kept_ = 0;
    left_ = 0;
    answered_ = false;
}

}  // namespace postern::imap
