#include "pipe/attributes.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::pipe {
namespace {

Error invalid(std::initializer_list<std::string_view> parts) { return {Errc::invalid, cat(parts)}; }

Result<Flags> parse_flags(std::string_view text) {
    Flags flags;
    const std::pair<char, bool*> known[] = {
        {'B', &flags.blank_line}, {'D', &flags.delivered},   {'F', &flags.from_line},
        {'O', &flags.original},   {'R', &flags.return_path}, {'X', &flags.final},
        {'h', &flags.fold_host},  {'q', &flags.quote},       {'u', &flags.fold_user},
        {'.', &flags.stuff_dots}, {'>', &flags.quote_from},
    };
    for (const char c : text) {
        const auto* found = std::find_if(std::begin(known), std::end(known),
                                         [c](const auto& one) { return one.first == c; });
        if (found == std::end(known))
            return invalid({"flags=", text, ": unknown flag \"", std::string(1, c), "\""});
        *found->second = true;
    }
    return flags;
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// The escapes of C, as in eol=\r\n.
std::string unescaped(std::string_view text) {
    constexpr std::string_view kNames = "abfnrtv", kValues = "\a\b\f\n\r\t\v";
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\' || at + 1 == text.size()) {
            out += text[at];
            continue;
        }
        const char c = text[++at];
        if (is_octal(c)) {
            unsigned value = 0;
            for (int i = 0; i < 3 && at < text.size() && is_octal(text[at]); ++i, ++at)
                value = value * 8 + static_cast<unsigned>(text[at] - '0');
            --at;
            out += static_cast<char>(value);
        } else {
            const auto known = kNames.find(c);
            out += known == std::string_view::npos ? c : kValues[known];
        }
    }
    return out;
}

Result<void> set(Attributes& attributes, std::string_view name, std::string_view value) {
    if (name == "flags") {
        TRY_ASSIGN(attributes.flags, parse_flags(value));
    } else if (name == "user") {
        const auto parts = split_once(value, ':');
        attributes.user = parts ? parts->first : value;
        attributes.group = parts ? parts->second : std::string_view();
        if (attributes.user.empty() || (parts && attributes.group.empty()))
            return invalid({"user=", value, ": need name or name:group"});
    } else if (name == "chroot" || name == "directory") {
        if (!value.starts_with('/')) return invalid({name, "=", value, ": need an absolute path"});
        (name == "chroot" ? attributes.chroot : attributes.directory) = value;
    } else if (name == "eol") {
        attributes.eol = unescaped(value);
    } else if (name == "null_sender") {
        attributes.null_sender = value;
    } else if (name == "size") {
        const auto size = parse_number<std::uint64_t>(value);
        if (!size) return invalid({"size=", value, ": need a number"});
        attributes.size = *size;
    } else {
        return invalid({"unknown attribute: ", name, "=", value});
    }
    return {};
}

}  // namespace

Result<Attributes> parse_attributes(const std::vector<std::string>& arguments) {
    Attributes attributes;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& word = arguments[i];
        if (word.starts_with('-')) {
            if (word == "-o") ++i;  // with its name=value
            continue;
        }
        const auto pair = split_once(word, '=');
        if (!pair) return invalid({"unknown attribute: ", word});
        if (pair->first == "argv") {
            attributes.argv.emplace_back(pair->second);
            attributes.argv.insert(attributes.argv.end(),
                                   arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                   arguments.end());
            break;
        }
        TRY(set(attributes, pair->first, pair->second));
    }
    if (attributes.user.empty()) return invalid({"missing user= attribute"});
    if (attributes.argv.empty() || attributes.argv.front().empty())
        return invalid({"missing argv= attribute"});
    return attributes;
}

}  // namespace postern::pipe
