#include "lib/config/expand.h"

#include <algorithm>
#include <vector>

#include "lib/base/strings.h"

namespace postern::config {
namespace {

constexpr std::size_t kMaxDepth = 100;
constexpr std::size_t kMaxSteps = 20'000;
constexpr std::size_t kMaxSize = 1 << 20;

constexpr bool is_name_char(char c) { return is_alnum(c) || c == '_'; }

Error malformed(std::string_view what, std::string_view text) {
    return Error{Errc::invalid, cat({what, " in \"$", printable(text, 100), "\""})};
}

// Takes "{…}" with nested braces off the front of text; text begins with the opening character.
Result<std::string_view> take_block(std::string_view& text) {
    char open = text.front();
    char close = open == '(' ? ')' : '}';
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] == open) depth++;
        if (text[i] == close && --depth == 0) {
            std::string_view inside = text.substr(1, i - 1);
            text.remove_prefix(i + 1);
            return inside;
        }
    }
    return malformed(close == ')' ? "missing )" : "missing }", text);
}

// Orders two texts: as numbers when both are, else by their bytes. "level": 3.10 comes after 3.9.
int compare(std::string_view a, std::string_view b, bool level) {
    if (level) {
        auto left = split(a, '.'), right = split(b, '.');
        for (std::size_t i = 0; i < std::max(left.size(), right.size()); i++) {
            int order =
                compare(i < left.size() ? left[i] : "0", i < right.size() ? right[i] : "0", false);
            if (order != 0) return order;
        }
        return 0;
    }
    auto x = parse_number<long>(a), y = parse_number<long>(b);
    if (x && y) return *x < *y ? -1 : *x > *y;
    return a.compare(b);
}

std::optional<bool> holds(std::string_view op, std::string_view a, std::string_view b) {
    bool level = op.ends_with("level");
    if (level) op.remove_suffix(5);
    int order = compare(a, b, level);
    if (op == "==") return order == 0;
    if (op == "!=") return order != 0;
    if (op == "<") return order < 0;
    if (op == "<=") return order <= 0;
    if (op == ">") return order > 0;
    if (op == ">=") return order >= 0;
    return std::nullopt;
}

class Expander {
  public:
    Expander(const Names& names, Recursion recursion) : names_(names), recursion_(recursion) {}

    Result<std::string> text(std::string_view text);

  private:
    Result<std::string> reference(std::string_view& text);
    Result<std::string> braced(std::string_view inside);
    Result<std::string> relation(std::string_view inside);
    Result<std::string> name(std::string_view name);
    Result<std::string> choose(bool condition, std::string_view rest);

    const Names& names_;
    Recursion recursion_;
    std::vector<std::string_view> within_;  // names being expanded, outermost first
    std::size_t nesting_ = 0;
    std::size_t steps_ = 0;
};

Result<std::string> Expander::text(std::string_view text) {
    if (++nesting_ > kMaxDepth) return Error{Errc::invalid, "expansion is nested too deeply"};
    std::string out;
    while (!text.empty()) {
        std::size_t dollar = std::min(text.find('$'), text.size());
        out += text.substr(0, dollar);
        text.remove_prefix(dollar);
        if (text.empty()) break;
        text.remove_prefix(1);
        TRY_ASSIGN(std::string value, reference(text));
        out += value;
        if (out.size() > kMaxSize) return Error{Errc::invalid, "expansion is longer than 1 MB"};
    }
    nesting_--;
    return out;
}

// What follows a "$"; takes it off the front of text.
Result<std::string> Expander::reference(std::string_view& text) {
    if (++steps_ > kMaxSteps) return Error{Errc::invalid, "expansion takes too many steps"};
    if (text.empty()) return malformed("nothing after $ (write $$ for a dollar sign)", text);
    if (text.front() == '$') {
        text.remove_prefix(1);
        return std::string("$");
    }
    if (text.front() == '{' || text.front() == '(') {
        TRY_ASSIGN(std::string_view inside, take_block(text));
        return braced(inside);
    }
    std::size_t end = 0;
    while (end < text.size() && is_name_char(text[end])) end++;
    if (end == 0) return malformed("no name after $ (write $$ for a dollar sign)", text);
    std::string_view simple = text.substr(0, end);
    text.remove_prefix(end);
    return name(simple);
}

Result<std::string> Expander::braced(std::string_view inside) {
    inside = trim_left(inside);
    if (!inside.empty() && inside.front() == '{') return relation(inside);
    std::size_t end = 0;
    while (end < inside.size() && is_name_char(inside[end])) end++;
    std::string_view key = inside.substr(0, end), rest = trim_left(inside.substr(end));
    if (key.empty()) return malformed("no name", inside);
    TRY_ASSIGN(std::string value, name(key));
    if (rest.empty()) return value;
    if (rest.front() == '?') return choose(!value.empty(), rest.substr(1));
    if (rest.front() != ':') return malformed("expected } ? or : after the name", inside);
    // ${name:text} is text when there is no value, and nothing (not the value) when there is.
    return choose(value.empty(), rest.substr(1));
}

// rest is "text", "{a}" or "{a}:{b}".
Result<std::string> Expander::choose(bool condition, std::string_view rest) {
    std::string_view trimmed = trim_left(rest);
    if (trimmed.empty() || trimmed.front() != '{') return condition ? text(rest) : std::string();
    TRY_ASSIGN(std::string_view yes, take_block(trimmed));
    trimmed = trim(trimmed);
    std::string_view no;
    if (!trimmed.empty()) {
        if (trimmed.front() != ':') return malformed("expected : after }", rest);
        no = trim_left(trimmed.substr(1));
        if (!no.empty() && no.front() == '{') {
            TRY_ASSIGN(std::string_view block, take_block(no));
            if (!trim(no).empty()) return malformed("text after the last }", rest);
            no = block;
        }
    }
    return text(condition ? yes : no);
}

Result<std::string> Expander::relation(std::string_view inside) {
    std::string_view rest = inside;
    TRY_ASSIGN(std::string_view left, take_block(rest));
    rest = trim_left(rest);
    std::size_t end = std::min(rest.find_first_of(" \t\r\n{"), rest.size());
    std::string_view op = rest.substr(0, end);
    rest = trim_left(rest.substr(end));
    if (rest.empty() || rest.front() != '{') return malformed("expected {a} == {b}", inside);
    TRY_ASSIGN(std::string_view right, take_block(rest));
    TRY_ASSIGN(std::string a, text(left));
    TRY_ASSIGN(std::string b, text(right));
    auto outcome = holds(op, a, b);
    if (!outcome) return malformed("expected one of == != < <= > >=", inside);
    rest = trim_left(rest);
    if (rest.empty()) return std::string(*outcome ? "true" : "");
    if (rest.front() != '?' && rest.front() != ':')
        return malformed("expected ? after the comparison", inside);
    return choose(*outcome == (rest.front() == '?'), rest.substr(1));
}

Result<std::string> Expander::name(std::string_view key) {
    auto value = names_.raw(key);
    if (!value) return std::string();
    if (recursion_ == Recursion::none) return std::move(*value);
    if (std::find(within_.begin(), within_.end(), key) != within_.end()) {
        std::string path;
        for (std::string_view outer : within_) path += cat({"$", outer, " -> "});
        return Error{Errc::invalid, cat({"refers to itself: ", path, "$", key})};
    }
    within_.push_back(key);
    auto expanded = text(*value);
    within_.pop_back();
    return expanded;
}

}  // namespace

Result<std::string> expand(std::string_view text, const Names& names, Recursion recursion) {
    return Expander(names, recursion).text(text);
}

}  // namespace postern::config
