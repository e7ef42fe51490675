#include "lib/table/query.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/table/source.h"

namespace postern::table {
namespace {

// "user@domain" at its last @.
struct Parts {
    std::string_view local, domain;
    bool is_address = false;
};
Parts parts_of(std::string_view text) {
    const std::size_t at = text.rfind('@');
    if (at == text.npos) return {text, {}, false};
    return {text.substr(0, at), text.substr(at + 1), true};
}

std::optional<std::string_view> local_part(std::string_view text) {
    const Parts parts = parts_of(text);
    if (parts.local.empty()) return std::nullopt;
    return parts.local;
}

std::optional<std::string_view> domain_part(std::string_view text) {
    const Parts parts = parts_of(text);
    if (!parts.is_address || parts.domain.empty()) return std::nullopt;
    return parts.domain;
}

// The n-th label from the right: %1 is "org" in user@mail.example.org.
std::optional<std::string_view> label(std::string_view key, std::size_t number) {
    const auto domain = domain_part(key);
    if (!domain) return std::nullopt;
    const auto labels = split(*domain, '.');
    if (number > labels.size()) return std::nullopt;
    return labels[labels.size() - number];
}

std::optional<std::string_view> part(char letter, std::string_view text, std::string_view key) {
    switch (letter) {
        case 's': return text;
        case 'u': return local_part(text);
        case 'd': return domain_part(text);
        case 'S': return key;
        case 'U': return local_part(key);
        case 'D': return domain_part(key);
        default: break;
    }
    if (letter >= '1' && letter <= '9') return label(key, static_cast<std::size_t>(letter - '0'));
    return std::nullopt;
}

}  // namespace

Result<TableSettings> TableSettings::parse(std::string_view path, std::string_view text) {
    TableSettings settings;
    settings.path_ = path;
    for (const auto& line : logical_lines(text)) {
        const auto sides = split_once(line.text, '=');
        if (!sides || trim(sides->first).empty()) {
            return Error{Errc::invalid, cat({path, ", line ", std::to_string(line.number),
                                             ": expected name = value"})};
        }
        settings.values_.insert_or_assign(std::string(trim(sides->first)),
                                          std::string(trim(sides->second)));
    }
    return settings;
}

Result<TableSettings> TableSettings::read(const std::string& path) {
    TRY_ASSIGN(const std::string text, read_file(path));
    return parse(path, text);
}

std::string TableSettings::get(std::string_view name, std::string_view otherwise) const {
    const auto at = values_.find(name);
    return at == values_.end() ? std::string(otherwise) : at->second;
}

Result<std::size_t> TableSettings::number(std::string_view name, std::size_t otherwise) const {
    if (!has(name)) return otherwise;
    const auto value = parse_number<std::size_t>(get(name));
    if (!value)
        return Error{Errc::invalid,
                     cat({path_, ": ", name, " = ", get(name), ": expected a number"})};
    return *value;
}

Result<bool> TableSettings::flag(std::string_view name, bool otherwise) const {
    if (!has(name)) return otherwise;
    if (iequals(get(name), "yes")) return true;
    if (iequals(get(name), "no")) return false;
    return Error{Errc::invalid, cat({path_, ": ", name, " = ", get(name), ": expected yes or no"})};
}

std::vector<std::string> TableSettings::list(std::string_view name) const {
    return split_list(get(name));
}

std::optional<std::string> expand_format(std::string_view format, std::string_view text,
                                         std::string_view key, const Quote& quote) {
    std::string out;
    for (std::size_t at = 0; at < format.size(); ++at) {
        if (format[at] != '%' || at + 1 == format.size()) {
            out += format[at];
            continue;
        }
        const char letter = format[++at];
        if (letter == '%') {
            out += '%';
            continue;
        }
        const auto value = part(letter, text, key);
        if (!value) return std::nullopt;
        out += quote ? quote(*value) : std::string(*value);
    }
    return out;
}

Result<SqlTemplate> SqlTemplate::parse(std::string_view statement) {
    SqlTemplate out;
    out.texts.emplace_back();
    auto parameter = [&](std::string format) {
        out.formats.push_back(std::move(format));
        out.texts.emplace_back();
    };
    for (std::size_t at = 0; at < statement.size(); ++at) {
        const char c = statement[at];
        if (c == '\'' || c == '"') {
            std::string inside;
            std::size_t end = at + 1;
            for (; end < statement.size(); ++end) {
                const bool doubled = end + 1 < statement.size() && statement[end + 1] == c;
                if (statement[end] == c && !doubled) break;
                if (statement[end] == c) ++end;
                inside += statement[end];
            }
            if (end >= statement.size())
                return Error{Errc::invalid, "query: a quote is not closed"};
            if (inside.find('%') == inside.npos) {
                out.texts.back() += statement.substr(at, end + 1 - at);
            } else {
                parameter(std::move(inside));
            }
            at = end;
        } else if (c == '%' && at + 1 < statement.size() && statement[at + 1] == '%') {
            out.texts.back() += '%';
            ++at;
        } else if (c == '%' && at + 1 < statement.size()) {
            parameter(std::string(statement.substr(at, 2)));
            ++at;
        } else {
            out.texts.back() += c;
        }
    }
    return out;
}

Result<std::string> statement_of(const TableSettings& settings) {
    if (settings.has("query")) return settings.get("query");
    for (const char* name : {"table", "select_field", "where_field"}) {
        if (!settings.has(name)) return Error{Errc::invalid, cat({settings.path(), ": no query"})};
    }
    return cat({"SELECT ", settings.get("select_field"), " FROM ", settings.get("table"), " WHERE ",
                settings.get("where_field"), " = '%s' ", settings.get("additional_conditions")});
}

Result<ResultRules> ResultRules::from(const TableSettings& settings) {
    ResultRules rules;
    for (std::string& domain : settings.list("domain")) rules.domains.push_back(fold_case(domain));
    rules.format = settings.get("result_format", settings.get("result_filter", "%s"));
    TRY_ASSIGN(rules.limit, settings.number("expansion_limit", 0));
    return rules;
}

bool ResultRules::admits(std::string_view key) const {
    if (domains.empty()) return true;
    const Parts parts = parts_of(key);
    if (!parts.is_address || parts.local.empty()) return false;
    return std::find(domains.begin(), domains.end(), fold_case(parts.domain)) != domains.end();
}

Result<void> ResultRules::append(std::string& answer, std::size_t& count, std::string_view result,
                                 std::string_view key) const {
    if (result.empty()) return {};
    const auto text = expand_format(format, result, key);
    if (!text || text->empty()) return {};
    if (limit > 0 && ++count > limit) {
        return Error{Errc::temporary, cat({"more than expansion_limit = ", std::to_string(limit),
                                           " results for \"", printable(key, 100), "\""})};
    }
    answer += cat({answer.empty() ? "" : ",", *text});
    return {};
}

}  // namespace postern::table
