#include "lib/log/address_form.h"

#include <algorithm>

namespace postern::log {
namespace {

// The quoted string that begins here, without its quotes (RFC 5321 4.1.2), and how long it was; of
// a text that is none, nothing.
std::string unquoted(std::string_view text, std::size_t& length) {
    std::string out;
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '"') {
            length = at + 1;
            return out;
        }
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        out += text[at];
    }
    length = 0;
    return {};
}

}  // namespace

std::string with_internal_addresses(std::string_view line) {
    std::string out;
    for (;;) {
        // All three names end in it: from=<", to=<", orig_to=<".
        const std::size_t open = line.find("=<\"");
        out += line.substr(0, std::min(open, line.size()));
        if (open == line.npos) return out;
        line.remove_prefix(open + 2);
        out += "=<";
        const bool address = out.ends_with("from=<") || out.ends_with("to=<");
        std::size_t length = 0;
        const std::string local = unquoted(line, length);
        if (!address || length == 0) {
            out += line.front();
            line.remove_prefix(1);
            continue;
        }
        out += local;
        line.remove_prefix(length);
    }
}

}  // namespace postern::log
