// Footers of refusals, see reply_footer.h.
#include "lib/smtp/reply_footer.h"

#include <utility>
#include <vector>

#include "lib/base/strings.h"

namespace postern::smtp {
namespace {

constexpr std::size_t kMaxFooter = 4096;

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

std::string add_footer(std::string_view reply, std::string_view footer,
                       const std::function<std::string(std::string_view)>& expand) {
    const auto text = trim_right(reply);
    const auto last = text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1;
    if (footer.empty() || text.size() - last < 4) return std::string(reply);
    const bool goes_on = footer.starts_with("\\c");
    if (goes_on) footer.remove_prefix(2);
    const auto code = text.substr(last, 3);
    auto word = text.substr(last + 4);
    word = word.substr(0, word.find(' '));
    const std::string status = is_status(word) ? cat({word, " "}) : std::string();
    std::string out(text);
    bool first = goes_on;
    for (const auto& line : lines_of(footer)) {
        const std::string more = printable(expand(line), kMaxFooter);
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
