#include "commands/postern_check.h"

#include <cstdio>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/config/value.h"
#include "lib/log/log.h"
#include "lib/table/registry.h"

#include "commands/postern_permissions.h"

namespace postern::commands {

void examine_tables(config::Report& report, const config::Snapshot& snapshot) {
    config::Settings settings(snapshot.directory);
    std::vector<config::Problem> told_already;
    settings.parse(snapshot.main_cf, told_already);
    settings.compute();
    for (const config::SetParameter& set : report.set) {
        bool tables = set.row != nullptr && set.row->type == config::Type::Tables &&
                      set.row->standing == config::Standing::honoured && set.service.empty();
        if (!tables) continue;
        for (const std::string& word :
             config::split_list(settings.expanded(set.name).value_or(""))) {
            if (word.find(':') == word.npos || word.starts_with('!')) continue;
            auto table = table::open_table(word);
            if (table) continue;
            report.problems.push_back(
                {set.file, set.line, set.name, cat({word, ": ", table.error().what})});
        }
    }
}

void log_problems(const config::Report& report) {
    for (const config::Problem& problem : report.problems) {
        if (problem.error) log::error("", problem.str());
        if (!problem.error) log::warning("", problem.str());
    }
}

Result<int> check(const std::string& directory, const std::vector<std::string>& words) {
    bool json = words.size() == 1 && words[0] == "-j";
    if (!words.empty() && !json) return Error{Errc::invalid, "usage: postern check [-j]"};
    TRY_ASSIGN(const config::Snapshot snapshot, config::Snapshot::read(directory));
    config::Report report = config::examine(snapshot);
    examine_tables(report, snapshot);
    const std::string text = json ? config::report_json(report) : config::report_text(report);
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) != 0) return Error{Errc::temporary, "write error"};
    auto config = config::Config::from(snapshot);
    if (!config) return 1;  // told above
    TRY_ASSIGN(const bool fine, check_permissions(*config));
    return fine && !report.has_errors() ? 0 : 1;
}

}  // namespace postern::commands
