#include "lib/imap/client_response.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::imap {
namespace {

constexpr std::size_t kMaxValues = 100'000;

Error bad_response(std::string_view what) {
    return {Errc::invalid, cat({"the server's response is no IMAP: ", what}), 0};
}

class ResponseParser {
  public:
    explicit ResponseParser(std::string_view rest) : rest_(rest) {}

    Result<std::vector<Value>> values(std::size_t depth) {
        std::vector<Value> out;
        for (;;) {
            while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
            if (rest_.empty() || rest_.front() == ')') return out;
            TRY_ASSIGN(Value one, value(depth));
            out.push_back(std::move(one));
            if (++count_ > kMaxValues) return bad_response("too many values");
        }
    }
    std::string_view rest() const { return rest_; }

  private:
    Result<Value> value(std::size_t depth) {
        if (rest_.front() == '(') return list(depth);
        if (rest_.front() == '"') return quoted();
        if (rest_.front() == '{' || rest_.starts_with("~{")) return literal();
        // Brackets belong to an atom: BODY[HEADER.FIELDS (TO)]<0>
        std::size_t size = 0;
        for (int brackets = 0; size < rest_.size(); ++size) {
            const char c = rest_[size];
            if (c == '[') ++brackets;
            if (c == ']') --brackets;
            if (brackets <= 0 && (c == ' ' || c == '(' || c == ')')) break;
        }
        Value out{Value::Kind::atom, std::string(rest_.substr(0, size)), {}};
        if (size == 0) return bad_response("an empty atom");
        rest_.remove_prefix(size);
        if (iequals(out.text, "NIL")) out = {};
        return out;
    }

    Result<Value> list(std::size_t depth) {
        if (depth >= kMaxResponseDepth) return bad_response("too many parentheses");
        rest_.remove_prefix(1);
        Value out{Value::Kind::list, {}, {}};
        TRY_ASSIGN(out.items, values(depth + 1));
        if (rest_.empty()) return bad_response("a list without its end");
        rest_.remove_prefix(1);
        return out;
    }

    Result<Value> quoted() {
        Value out{Value::Kind::string, {}, {}};
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            if (rest_[i] == '"') {
                rest_.remove_prefix(i + 1);
                return out;
            }
            if (rest_[i] == '\\' && i + 1 < rest_.size()) ++i;
            out.text += rest_[i];
        }
        return bad_response("a string without its end");
    }

    Result<Value> literal() {
        const auto end = rest_.find("}\r\n");
        const auto size =
            end == std::string_view::npos ? std::nullopt : literal_at_end(rest_.substr(0, end + 1));
        if (!size) return bad_response("a literal without its size");
        rest_.remove_prefix(end + 3);
        if (*size > rest_.size()) return bad_response("a literal that is cut off");
        Value out{Value::Kind::string, std::string(rest_.substr(0, *size)), {}};
        rest_.remove_prefix(*size);
        return out;
    }

    std::string_view rest_;
    std::size_t count_ = 0;
};

std::string_view take_word(std::string_view& text) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    return word;
}

}  // namespace

std::optional<std::uint64_t> literal_at_end(std::string_view line) {
    if (!line.ends_with('}')) return std::nullopt;
    const auto open = line.rfind('{');
    if (open == std::string_view::npos) return std::nullopt;
    return parse_number<std::uint64_t>(line.substr(open + 1, line.size() - open - 2));
}

Result<ServerResponse> parse_server_response(std::string_view bytes) {
    ServerResponse out;
    out.tag = take_word(bytes);
    if (out.tag.empty()) return bad_response("no tag");
    if (out.tag == "+") {
        out.text = bytes;
        return out;
    }
    std::string_view word = take_word(bytes);
    out.number = parse_number<std::uint32_t>(word);
    if (out.number) word = take_word(bytes);
    out.label = to_upper(word);
    if (!out.is_status()) {
        ResponseParser parser(bytes);
        TRY_ASSIGN(out.values, parser.values(0));
        if (!parser.rest().empty()) return bad_response("a parenthesis too much");
        return out;
    }
    const auto end = bytes.starts_with('[') ? bytes.find(']') : std::string_view::npos;
    if (end != std::string_view::npos) {
        out.code = bytes.substr(1, end - 1);
        bytes.remove_prefix(std::min(end + 2, bytes.size()));
    }
    out.text = bytes;
    return out;
}

const Value* find_value(const std::vector<Value>& pairs, std::string_view name) {
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2)
        if (pairs[i].is_text() && iequals(pairs[i].text, name)) return &pairs[i + 1];
    return nullptr;
}

std::optional<std::string> quoted_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (is_control(c) || static_cast<unsigned char>(c) >= 0x80) return std::nullopt;
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

}  // namespace postern::imap
