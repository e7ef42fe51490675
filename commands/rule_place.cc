#include "commands/rule_place.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/config/main_cf.h"
#include "lib/config/master_cf.h"
#include "lib/config/params.h"
#include "lib/config/value.h"
#include "lib/table/source.h"

namespace postern::commands {
namespace {

// Types whose source is a text file of the same name, with keys that stand there as they are.
constexpr std::string_view kFileTypes[] = {"hash", "btree", "lmdb",    "cdb",
                                           "dbm",  "sdbm",  "texthash"};

bool is_parameter(std::string_view word) {
    return !word.empty() &&
           std::all_of(word.begin(), word.end(), [](char c) { return is_alnum(c) || c == '_'; }) &&
           (word.find('_') != std::string_view::npos || word == "relayhost");
}

}  // namespace

RulePlaces::RulePlaces(const config::Config& config, std::string directory, ReadSource read)
    : config_(config), directory_(std::move(directory)), read_(std::move(read)) {}

const std::optional<SourceText>& RulePlaces::source(const std::string& path) {
    auto at = sources_.find(path);
    if (at == sources_.end()) at = sources_.emplace(path, read_(path)).first;
    return at->second;
}

std::string RulePlaces::changed_since(const std::string& path, WallTime decided) {
    const auto& text = source(path);
    return text && text->changed > decided ? " [changed since]" : "";
}

std::string RulePlaces::describe(std::string_view rule, std::string_view service,
                                 WallTime decided) {
    std::string all;
    while (!rule.empty()) {
        const auto end = std::min(rule.find("; "), rule.size());
        all += cat({all.empty() ? "" : "; ", describe_one(rule.substr(0, end), service, decided)});
        rule.remove_prefix(std::min(end + 2, rule.size()));
    }
    return all;
}

std::string RulePlaces::describe_one(std::string_view rule, std::string_view service,
                                     WallTime decided) {
    std::string_view in_brackets;
    if (rule.ends_with(')')) {
        if (const auto open = rule.find(" ("); open != std::string_view::npos) {
            in_brackets = rule.substr(open + 2, rule.size() - open - 3);
            rule = rule.substr(0, open);
        }
    }
    const auto parameter = rule.substr(0, rule.find(' '));
    const auto rest = trim(rule.substr(parameter.size()));
    const auto restriction = rest.substr(0, rest.find(' '));
    std::string text(rule);
    if (is_parameter(parameter))
        text = cat({parameter_place(parameter, restriction, service, decided), " ", rule});
    if (!in_brackets.empty()) text += cat({", ", table_place(in_brackets, decided)});
    return text;
}

std::string RulePlaces::parameter_place(std::string_view parameter, std::string_view restriction,
                                        std::string_view service, WallTime decided) {
    const std::string master = directory_ + "/master.cf";
    if (const auto& text = source(master); text && !service.empty()) {
        std::vector<config::Problem> problems;
        const auto file = config::MasterFile::parse(text->text, master, problems);
        const auto* entry = file.find(service, config::MasterEntry::Type::inet);
        const bool overridden =
            entry != nullptr &&
            std::any_of(entry->overrides.begin(), entry->overrides.end(),
                        [&](const auto& one) { return one.first == parameter; });
        if (overridden)
            return cat({"master.cf:",
                        std::to_string(config::line_of_word(text->text, entry->line, parameter)),
                        changed_since(master, decided)});
    }
    const std::string main = directory_ + "/main.cf";
    if (const auto& text = source(main)) {
        std::vector<config::Problem> problems;
        int line = 0;
        for (const auto& entry : config::parse_main_cf(text->text, main, problems)) {
            if (entry.name == parameter) line = entry.line;  // the last one counts
        }
        if (line != 0)
            return cat(
                {"main.cf:", std::to_string(config::line_of_word(text->text, line, restriction)),
                 changed_since(main, decided)});
    }
    return "default:";
}

// "hash:/etc/access, key 192.0.2.1" or "cidr:/etc/access line 3, key 192.0.2.1"
std::string RulePlaces::table_place(std::string_view in_brackets, WallTime decided) {
    const auto comma = in_brackets.find(", key ");
    const auto key =
        comma == std::string_view::npos ? std::string_view() : in_brackets.substr(comma + 6);
    auto spec = in_brackets.substr(0, comma);
    const std::string told = key.empty() ? std::string() : cat({" (key ", key, ")"});
    if (const auto at = spec.find(" line "); at != std::string_view::npos) {
        const auto line = spec.substr(at + 6);
        spec = spec.substr(0, at);
        const std::string path(
            spec.substr(spec.rfind(":/") == spec.npos ? 0 : spec.rfind(":/") + 1));
        return cat({path, ":", line, changed_since(path, decided), told});
    }
    std::string found = find_key(spec, key, decided);
    return found.empty() ? cat({spec, told}) : cat({found, told});
}

std::string RulePlaces::find_key(std::string_view spec, std::string_view key, WallTime decided) {
    if (spec.starts_with("proxy:")) spec.remove_prefix(6);
    const auto type = spec.substr(0, spec.find(':'));
    if (std::find(std::begin(kFileTypes), std::end(kFileTypes), type) == std::end(kFileTypes))
        return {};
    const std::string path(spec.substr(std::min(type.size() + 1, spec.size())));
    const auto& text = source(path);
    if (!text) return {};
    for (const auto& line : table::logical_lines(text->text)) {
        auto entry = table::split_map_entry(line.text);
        // "name: value" is how aliases are written.
        if (entry && !iequals(entry->key, key)) entry = table::split_alias_entry(line.text);
        if (entry && iequals(entry->key, key))
            return cat({path, ":", std::to_string(line.number), changed_since(path, decided)});
    }
    return {};
}

std::string RulePlaces::line_of_key(std::string_view maps, const std::vector<std::string>& keys,
                                    WallTime decided) {
    for (const auto& spec : table::split_list(config_.text(maps))) {
        for (const auto& key : keys) {
            std::string found = find_key(spec, key, decided);
            if (!found.empty()) return cat({found, " (key ", key, ")"});
        }
    }
    return {};
}

}  // namespace postern::commands
