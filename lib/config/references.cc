#include "lib/config/references.h"

#include "lib/base/strings.h"

namespace postern::config {

UndefinedNames::UndefinedNames(const Settings& settings, const MasterFile& master)
    : settings_(settings), options_{"service_name"} {
    for (const auto& entry : master.entries()) {
        for (const auto& [name, value] : entry.overrides) options_.insert(name);
    }
}

std::vector<std::string> UndefinedNames::in(std::string_view name, std::string_view text) const {
    const Row* row = find_row(name);
    if (row != nullptr && row->type == Type::Template) return {};
    const auto is_name = [](char c) { return is_alnum(c) || c == '_'; };
    std::vector<std::string> names;
    for (std::size_t at = text.find('$'); at < text.size(); at = text.find('$', at)) {
        if (++at == text.size()) break;
        const char open = text[at];
        if (open == '$') {  // "$$" is one $
            ++at;
            continue;
        }
        if (open == '{' || open == '(') ++at;
        const std::size_t begin = at;
        while (at < text.size() && is_name(text[at])) ++at;
        std::string one(text.substr(begin, at - begin));
        if (!one.empty() && !settings_.raw(one) && !options_.contains(one))
            names.push_back(std::move(one));
    }
    return names;
}

}  // namespace postern::config
