#include "lib/config/references.h"

#include "lib/base/strings.h"

namespace postern::config {

std::vector<std::string> undefined_names(std::string_view text, const Settings& settings) {
    const auto is_name = [](char c) { return is_alnum(c) || c == '_'; };
    std::vector<std::string> names;
    for (std::size_t at = text.find('$'); at < text.size(); at = text.find('$', at)) {
        if (++at == text.size()) break;
        const char open = text[at];
        if (open == '$') {  // "$$" is one $
            ++at;
            continue;
        }
        const char close = open == '{' ? '}' : open == '(' ? ')' : '\0';
        if (close != '\0') ++at;
        const std::size_t begin = at;
        while (at < text.size() && is_name(text[at])) ++at;
        const bool whole = close == '\0' || (at < text.size() && text[at] == close);
        const std::string name(text.substr(begin, at - begin));
        if (whole && !name.empty() && !settings.raw(name)) names.push_back(name);
    }
    return names;
}

}  // namespace postern::config
