#include "login/login_engine.h"

namespace postern::login {

std::optional<LineCutter::Line> LineCutter::cut(std::string_view& input, std::size_t limit) {
    const auto lf = input.find('\n');
    if (lf == std::string_view::npos) {
        if (skipping_ || input.size() > limit) {
            skipping_ = true;
            input = {};
        }
        return std::nullopt;
    }
    std::string_view text = input.substr(0, lf);
    input.remove_prefix(lf + 1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    const bool too_long = skipping_ || text.size() > limit;
    skipping_ = false;
    return Line{too_long ? std::string_view() : text, too_long};
}

}  // namespace postern::login
