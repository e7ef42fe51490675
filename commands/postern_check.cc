#include "commands/postern_check.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/config/restriction_check.h"
#include "lib/config/value.h"
#include "lib/log/log.h"
#include "lib/table/registry.h"

#include "commands/value_check.h"
#include "commands/postern_permissions.h"

namespace postern::commands {

namespace {

// In a list of hosts or addresses some words may be tables. Only types that are files are looked
// for: "unix:" and "inet:" may begin an address.
bool is_file_table(std::string_view word) {
    constexpr std::string_view kTypes[] = {"btree", "cdb",  "cidr",   "hash",
                                           "lmdb",  "pcre", "regexp", "texthash"};
    const auto type = word.substr(0, word.find(':'));
    return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

// Restriction lists are examined by themselves.
bool may_name_tables(const config::SetParameter& set) {
    if (set.row == nullptr || set.row->standing != config::Standing::honoured) return false;
    return set.row->type == config::Type::Tables ||
           (set.row->type == config::Type::List && !set.name.ends_with("_restrictions"));
}

config::Settings settings_of(const config::Snapshot& snapshot) {
    config::Settings main(snapshot.directory);
    std::vector<config::Problem> told_already;
    main.parse(snapshot.main_cf, told_already);
    main.compute();
    return main;
}

// The tables that parameters name, with the -o options of each service.
std::vector<config::UsedTable> parameter_tables(const config::Report& report,
                                                const config::Settings& main) {
    std::vector<config::UsedTable> tables;
    for (const config::SetParameter& set : report.set) {
        if (!may_name_tables(set)) continue;
        const bool option = !set.service.empty();
        auto text = option ? config::expand(set.value, main) : main.expanded(set.name);
        for (std::string& word : config::split_list(std::move(text).value_or(""))) {
            word.erase(0, word.find_first_not_of('!'));
            if (word.find(':') == word.npos) continue;
            if (set.row->type == config::Type::List && !is_file_table(word)) continue;
            tables.push_back({std::move(word),
                              {set.file, set.line, option ? set.service : set.name,
                               option ? cat({"-o ", set.name, ": "}) : ""}});
        }
    }
    return tables;
}

void log_problem(const config::Problem& problem) {
    if (problem.error) log::error("", problem.str());
    if (!problem.error) log::warning("", problem.str());
}

}  // namespace

void examine_use(config::Report& report, const config::Snapshot& snapshot) {
    const config::Settings main = settings_of(snapshot);
    auto tables = parameter_tables(report, main);
    config::RestrictionReport restrictions = config::examine_restrictions(snapshot);
    for (auto& used : restrictions.tables) tables.push_back(std::move(used));
    std::vector<config::Problem> problems = std::move(restrictions.problems);
    for (auto& [spec, place] : tables) {
        const auto table = table::open_table(spec);
        if (table) {
            for (auto& warning : (*table)->warnings())
                problems.push_back({place.file, place.line, place.parameter,
                                    cat({place.text, spec, ": ", warning}), false});
            continue;
        }
        place.text += cat({spec, ": ", table.error().what});
        problems.push_back(std::move(place));
    }
    report.add(std::move(problems));
    report.add(value_problems(report, main));
}

void log_problems(const config::Report& report) {
    for (const config::Problem& problem : report.problems) log_problem(problem);
}

bool log_restriction_problems(const config::Snapshot& snapshot) {
    config::Report report;
    report.add(config::examine_restrictions(snapshot).problems);
    log_problems(report);
    return report.has_errors();
}

Result<int> check(const std::string& directory, const std::vector<std::string>& words) {
    bool json = words.size() == 1 && words[0] == "-j";
    if (!words.empty() && !json) return Error{Errc::invalid, "usage: postern check [-j]"};
    TRY_ASSIGN(const config::Snapshot snapshot, config::Snapshot::read(directory));
    config::Report report = config::examine(snapshot);
    examine_use(report, snapshot);
    const std::string text = json ? config::report_json(report) : config::report_text(report);
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) != 0) return Error{Errc::temporary, "write error"};
    auto config = config::Config::from(snapshot);
    if (!config) return 1;  // told above
    TRY_ASSIGN(const bool fine, check_permissions(*config));
    return fine && !report.has_errors() ? 0 : 1;
}

}  // namespace postern::commands
