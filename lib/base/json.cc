#include "lib/base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/base/unicode.h"

namespace postern {
namespace {

// Precondition: a code point that UTF-8 has.
void append_code_point(std::string& out, char32_t code) {
    const auto add = [&out](char32_t byte) { out += static_cast<char>(byte); };
    const auto tail = [&](int shift) { add(0x80 | ((code >> shift) & 0x3F)); };
    if (code < 0x80) return add(code);
    if (code < 0x800) {
        add(0xC0 | (code >> 6));
    } else {
        if (code < 0x10000) add(0xE0 | (code >> 12));
        if (code >= 0x10000) add(0xF0 | (code >> 18));
        if (code >= 0x10000) tail(12);
        tail(6);
    }
    tail(0);
}

}  // namespace

// One descent through the text. Every function leaves rest_ behind what it took.
class JsonParser {
  public:
    explicit JsonParser(std::string_view text) : text_(text), rest_(text) {}

    Result<Json> whole() {
        TRY_ASSIGN(Json value, this->value(0));
        skip_space();
        if (!rest_.empty()) return wrong("more after the end");
        return value;
    }

  private:
    Error wrong(std::string_view what) const {
        return {Errc::invalid,
                cat({"JSON: ", what, " at byte ", std::to_string(text_.size() - rest_.size())}), 0};
    }
    void skip_space() {
        while (!rest_.empty() &&
               (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\n' || rest_[0] == '\r'))
            rest_.remove_prefix(1);
    }
    bool eat(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    // Behind white space.
    bool next_is(char c) {
        skip_space();
        return eat({&c, 1});
    }

    Result<Json> value(int depth);
    Result<void> object(Json& into, int depth);
    Result<void> array(Json& into, int depth);
    Result<std::string> string();
    Result<void> escape(std::string& out);
    Result<char32_t> code_unit();
    Result<std::string> number();

    std::string_view text_, rest_;
};

Result<Json> JsonParser::value(int depth) {
    if (depth > Json::kMaxDepth) return wrong("nested too deep");
    Json value;
    skip_space();
    if (eat("{")) {
        TRY(object(value, depth));
    } else if (eat("[")) {
        TRY(array(value, depth));
    } else if (eat("\"")) {
        value.kind_ = Json::Kind::string;
        TRY_ASSIGN(value.text_, string());
    } else if (eat("true")) {
        value.kind_ = Json::Kind::boolean;
        value.boolean_ = true;
    } else if (eat("false")) {
        value.kind_ = Json::Kind::boolean;
    } else if (!eat("null")) {
        value.kind_ = Json::Kind::number;
        TRY_ASSIGN(value.text_, number());
    }
    return value;
}

Result<void> JsonParser::object(Json& into, int depth) {
    into.kind_ = Json::Kind::object;
    if (next_is('}')) return {};
    do {
        if (!next_is('"')) return wrong("no name");
        TRY_ASSIGN(std::string name, string());
        if (!next_is(':')) return wrong("no colon");
        // Of two, one reader would believe the first, another one the second.
        if (into.find(name) != nullptr) return wrong("a name twice");
        if (into.names_.size() >= Json::kMaxMembers) return wrong("too many names");
        TRY_ASSIGN(Json one, value(depth + 1));
        into.names_.push_back(std::move(name));
        into.elements_.push_back(std::move(one));
    } while (next_is(','));
    if (!next_is('}')) return wrong("no closing brace");
    return {};
}

Result<void> JsonParser::array(Json& into, int depth) {
    into.kind_ = Json::Kind::array;
    if (next_is(']')) return {};
    do {
        TRY_ASSIGN(Json one, value(depth + 1));
        into.elements_.push_back(std::move(one));
    } while (next_is(','));
    if (!next_is(']')) return wrong("no closing bracket");
    return {};
}

Result<std::string> JsonParser::string() {
    std::string out;
    while (!rest_.empty() && rest_[0] != '"') {
        const char c = rest_[0];
        if (static_cast<unsigned char>(c) < ' ') return wrong("a control character");
        rest_.remove_prefix(1);
        if (c != '\\') {
            out += c;
            continue;
        }
        TRY(escape(out));
    }
    if (!eat("\"")) return wrong("no closing quote");
    return out;
}

Result<void> JsonParser::escape(std::string& out) {
    constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (const auto at = rest_.empty() ? std::string_view::npos : kFrom.find(rest_[0]);
        at != std::string_view::npos) {
        out += kTo[at];
        rest_.remove_prefix(1);
        return {};
    }
    if (!eat("u")) return wrong("an unknown escape");
    TRY_ASSIGN(char32_t code, code_unit());
    if (code >= 0xD800 && code < 0xDC00 && eat("\\u")) {
        TRY_ASSIGN(const char32_t low, code_unit());
        if (low < 0xDC00 || low > 0xDFFF) return wrong("half a character");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code >= 0xD800 && code < 0xE000) return wrong("half a character");
    append_code_point(out, code);
    return {};
}

Result<char32_t> JsonParser::code_unit() {
    const auto code =
        rest_.size() < 4 ? std::nullopt : parse_number<unsigned>(rest_.substr(0, 4), 16);
    if (!code) return wrong("an unknown escape");
    rest_.remove_prefix(4);
    return static_cast<char32_t>(*code);
}

// RFC 8259 6: [ "-" ] int [ frac ] [ exp ]
Result<std::string> JsonParser::number() {
    std::string_view at = rest_;
    const auto digits = [&at] {
        std::size_t count = 0;
        while (!at.empty() && is_digit(at[0])) {
            at.remove_prefix(1);
            ++count;
        }
        return count;
    };
    const auto take = [&at](std::string_view any) {
        if (at.empty() || any.find(at[0]) == std::string_view::npos) return false;
        at.remove_prefix(1);
        return true;
    };
    take("-");
    const bool zero = at.starts_with('0');
    const std::size_t whole = digits();
    if (whole == 0 || (zero && whole > 1)) return wrong("no value");
    if (take(".") && digits() == 0) return wrong("a number without digits");
    if (take("eE")) {
        take("+-");
        if (digits() == 0) return wrong("a number without digits");
    }
    std::string text(rest_.substr(0, rest_.size() - at.size()));
    rest_ = at;
    return text;
}

Result<Json> Json::parse(std::string_view text) {
    if (text.size() > kMaxText) return Error{Errc::invalid, "JSON: too long", 0};
    if (!is_utf8(text)) return Error{Errc::invalid, "JSON: not UTF-8", 0};
    return JsonParser(text).whole();
}

const Json* Json::find(std::string_view name) const {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at == names_.end()) return nullptr;
    return &elements_[static_cast<std::size_t>(at - names_.begin())];
}

std::optional<std::string_view> Json::string() const {
    if (kind_ != Kind::string) return std::nullopt;
    return text_;
}

std::optional<bool> Json::boolean() const {
    if (kind_ != Kind::boolean) return std::nullopt;
    return boolean_;
}

std::optional<std::int64_t> Json::integer() const {
    constexpr double kExact = 9007199254740992.0;  // 2^53, RFC 8259 6
    if (kind_ != Kind::number) return std::nullopt;
    double value = 0;
    const auto read = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (read.ec != std::errc() || std::abs(value) > kExact) return std::nullopt;
    return static_cast<std::int64_t>(value);
}

std::string json_quote(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) >= ' ') {
            out += c;
            continue;
        }
        out += cat({"\\u00", hex_encode({&c, 1})});
    }
    return out + '"';
}

}  // namespace postern
