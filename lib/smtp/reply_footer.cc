// Footers of refusals, see reply_footer.h.
#include "lib/smtp/reply_footer.h"

#include <vector>

#include "lib/base/strings.h"

namespace postern::smtp {
namespace {

constexpr std::size_t kMaxFooter = 4096;
constexpr int kMaxExpansionDepth = 10;

bool in_name(char c) { return is_alnum(c) || c == '_'; }

// The text in brackets at the beginning of `text`, and how long it is with them; nothing without an
// end.
std::optional<std::pair<std::string_view, std::size_t>> bracketed(std::string_view text) {
    const char open = text.front(), close = open == '{' ? '}' : ')';
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == open) ++depth;
        if (text[i] == close && --depth == 0) return {{text.substr(1, i - 1), i + 1}};
    }
    return std::nullopt;
}

class Expander {
  public:
    explicit Expander(const FooterValue& value) : value_(value) {}

    std::string expand(std::string_view text, int depth = 0) const {
        std::string out;
        while (!text.empty() && out.size() < kMaxFooter) {
            const auto dollar = text.find('$');
            out += text.substr(0, dollar);
            if (dollar == text.npos) break;
            text.remove_prefix(dollar + 1);
            if (text.starts_with('$')) {
                out += '$';
                text.remove_prefix(1);
            } else if (text.starts_with('{') || text.starts_with('(')) {
                const auto inner = bracketed(text);
                if (!inner) break;
                if (depth < kMaxExpansionDepth) out += one(inner->first, depth);
                text.remove_prefix(inner->second);
            } else {
                std::size_t size = 0;
                while (size < text.size() && in_name(text[size])) ++size;
                out += value_(text.substr(0, size)).value_or(std::string());
                text.remove_prefix(size);
            }
        }
        return out;
    }

  private:
    // name, name?text, name:text, name?{text}:{text}
    std::string one(std::string_view text, int depth) const {
        const auto end = text.find_first_of("?:");
        const auto value = value_(text.substr(0, end)).value_or(std::string());
        if (end == text.npos) return value;
        std::string_view then = text.substr(end + 1), otherwise;
        if (then.starts_with('{')) {
            const auto inner = bracketed(then);
            if (!inner) return {};
            otherwise = then.substr(inner->second);
            then = inner->first;
            if (otherwise.starts_with(':')) otherwise.remove_prefix(1);
            if (const auto rest = otherwise.starts_with('{') ? bracketed(otherwise) : std::nullopt)
                otherwise = rest->first;
        }
        if (text[end] == ':') std::swap(then, otherwise);
        return expand(value.empty() ? otherwise : then, depth + 1);
    }

    const FooterValue& value_;
};

// The lines of a footer: at "\n", as main.cf writes it, and at real line ends.
std::vector<std::string> lines_of(std::string_view footer) {
    std::vector<std::string> lines(1);
    for (std::size_t i = 0; i < footer.size(); ++i) {
        const bool escaped = footer[i] == '\\' && i + 1 < footer.size() && footer[i + 1] == 'n';
        if (escaped) ++i;
        if (escaped || footer[i] == '\n') {
            lines.emplace_back();
        } else {
            lines.back() += footer[i];
        }
    }
    return lines;
}

bool is_status(std::string_view word) {
    const auto parts = split(word, '.');
    return parts.size() == 3 && parts[0].size() == 1 && is_digit(parts[0][0]);
}

}  // namespace

std::string add_footer(std::string_view reply, std::string_view footer, const FooterValue& value) {
    const auto text = trim_right(reply);
    const auto last = text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1;
    if (footer.empty() || text.size() - last < 4) return std::string(reply);
    const bool goes_on = footer.starts_with("\\c");
    if (goes_on) footer.remove_prefix(2);
    const auto code = text.substr(last, 3);
    auto word = text.substr(last + 4);
    word = word.substr(0, word.find(' '));
    const std::string status = is_status(word) ? cat({word, " "}) : std::string();
    // Expanded after it is taken apart: what a client says makes no lines.
    const Expander expander(value);
    std::string out(text);
    bool first = goes_on;
    for (const auto& line : lines_of(footer)) {
        const std::string more = printable(expander.expand(line), kMaxFooter);
        if (std::exchange(first, false)) {
            out += more;
            continue;
        }
        out[out.rfind('\n') == out.npos ? 3 : out.rfind('\n') + 4] = '-';
        out += cat({"\r\n", code, " ", status, more});
    }
    return out + "\r\n";
}

}  // namespace postern::smtp
