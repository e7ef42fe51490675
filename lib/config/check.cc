#include "lib/config/check.h"

#include <algorithm>
#include <iterator>

#include "lib/base/strings.h"
#include "lib/sys/port.h"

#include "lib/config/references.h"
#include "lib/config/value.h"

namespace postern::config {
namespace {

bool has_judged_value(Type type) {
    return type == Type::Seconds || type == Type::Bytes || type == Type::Count ||
           type == Type::Flag || type == Type::Choice;
}

// What is wrong with the value of one name; nothing when it can be used.
std::optional<Problem> bad_value(const Settings& settings, std::string_view name) {
    auto problem = [&](std::string what) {
        auto set = settings.set_values().find(name);
        int line = set == settings.set_values().end() ? 0 : set->second.line;
        return Problem{line > 0 ? settings.file() : "", line, std::string(name), std::move(what)};
    };
    auto text = settings.expanded(name);
    if (!text) return problem(text.error().what);
    const Row* row = governing_row(name);
    if (row == nullptr) return std::nullopt;
    auto value = parse_value(*row, *text);
    if (!value) return problem(value.error().what);
    return std::nullopt;
}

// "$name" of a name that there is not is the empty text: seldom what was meant.
void examine_references(Report& report, const Settings& settings, const MasterFile& master,
                        const std::string& master_file) {
    const UndefinedNames undefined(settings, master);
    const auto text = [](const std::string& name) {
        return cat({"refers to $", name, ", which is not defined"});
    };
    for (const auto& [name, value] : settings.set_values()) {
        for (const auto& one : undefined.in(name, value.text))
            report.problems.push_back({settings.file(), value.line, name, text(one), false});
    }
    for (const MasterEntry& entry : master.entries()) {
        for (const auto& [name, value] : entry.overrides) {
            for (const auto& one : undefined.in(name, value))
                report.problems.push_back({master_file, entry.line, entry.key(),
                                           cat({"-o ", name, ": ", text(one)}), false});
        }
    }
}

// Adds what one master.cf entry sets, and what is wrong with it.
void examine_entry(Report& report, const Settings& main, const MasterEntry& entry,
                   const std::string& file) {
    Settings settings = main;
    settings.set("service_name", entry.name);
    for (const auto& [name, text] : entry.overrides) settings.set(name, text);
    for (const auto& [name, text] : entry.overrides) {
        SetParameter set{name, text, file, entry.line, entry.key(), governing_row(name)};
        set.known = set.row != nullptr || settings.is_user_defined(name);
        set.is_default = text == main.default_text(name);
        report.set.push_back(std::move(set));
        if (!report.set.back().known) {
            report.problems.push_back({file, entry.line, entry.key(),
                                       cat({"-o ", name, ": ", unknown_text(name)}), false});
        }
        if (auto bad = bad_value(settings, name)) {
            report.problems.push_back(
                {file, entry.line, entry.key(),
                 cat({"-o ", name, "=", printable(text, 200), ": ", bad->text})});
        }
    }
    // A default may go wrong because of what an option sets.
    for (Problem& problem : bad_values(settings)) {
        bool of_main = problem.line > 0 || main.set_values().contains(problem.parameter);
        bool told = std::any_of(entry.overrides.begin(), entry.overrides.end(),
                                [&](const auto& o) { return o.first == problem.parameter; });
        if (of_main || told) continue;
        problem.text = cat({"because of -o options: ", problem.parameter, ": ", problem.text});
        problem.file = file;
        problem.line = entry.line;
        problem.parameter = entry.key();
        report.problems.push_back(std::move(problem));
    }
}

// A malformed word of known_tcp_ports is left out: worth telling, and no reason not to start.
void bad_ports(Report& report, const Settings& settings) {
    constexpr std::string_view kName = "known_tcp_ports";
    const auto set = settings.set_values().find(kName);
    if (set == settings.set_values().end()) return;
    for (const auto& word : split_list(settings.expanded(kName).value_or(std::string()))) {
        if (auto ports = sys::parse_known_port(word); !ports)
            report.problems.push_back({settings.file(), set->second.line, std::string(kName),
                                       std::move(ports).error().what, false});
    }
}

void examine_main(Report& report, const Settings& settings) {
    for (const auto& [name, value] : settings.set_values()) {
        SetParameter set{name, value.text, settings.file(), value.line, "", governing_row(name)};
        set.known = set.row != nullptr || settings.is_user_defined(name);
        set.is_default = value.text == settings.default_text(name);
        report.set.push_back(std::move(set));
    }
    std::sort(report.set.begin(), report.set.end(),
              [](const auto& a, const auto& b) { return a.line < b.line; });
    for (Problem& problem : bad_values(settings)) report.problems.push_back(std::move(problem));
    for (Problem& problem : settings.notes()) report.problems.push_back(std::move(problem));
    bad_ports(report, settings);
}

std::string reader_list(const Row& row) {
    std::string_view programs = readers(row);
    if (programs == "all") return "every program";
    if (programs == "$name") return "the values that mention it";
    std::string out;
    for (std::string_view program : split_words(programs))
        out += cat({out.empty() ? "" : ", ", program});
    return out;
}

// What follows the standing: by whom it is honoured, or why it is not.
std::string remark(const SetParameter& set) {
    if (set.row == nullptr) return {};
    if (set.row->standing == Standing::honoured) return "by " + reader_list(*set.row);
    if (set.row->standing == Standing::no_effect) {
        std::string text(trim(set.row->documentation));
        std::replace(text.begin(), text.end(), '\n', ' ');
        return text;
    }
    return set.is_default ? "(but this is the default)" : "";
}

}  // namespace

std::string json_text(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += is_control(c) ? ' ' : c;
    }
    return out + '"';
}

bool Report::has_errors() const {
    return std::any_of(problems.begin(), problems.end(), [](const Problem& p) { return p.error; });
}

void Report::add(std::vector<Problem> more) {
    problems.insert(problems.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
    std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
        return std::pair(a.file, a.line) < std::pair(b.file, b.line);
    });
}

std::vector<Problem> bad_values(const Settings& settings) {
    std::vector<Problem> problems;
    auto look_at = [&](std::string_view name) {
        if (auto bad = bad_value(settings, name)) problems.push_back(std::move(*bad));
    };
    for (const auto& [name, value] : settings.set_values()) look_at(name);
    for (const Row& row : rows()) {
        bool depends = row.default_text.find('$') != std::string_view::npos;
        if (!depends || !has_judged_value(row.type)) continue;
        if (!settings.set_values().contains(row.name)) look_at(row.name);
    }
    std::stable_sort(problems.begin(), problems.end(),
                     [](const Problem& a, const Problem& b) { return a.line < b.line; });
    return problems;
}

Report examine(const Snapshot& snapshot, const Host& host) {
    Report report;
    Settings settings(snapshot.directory);
    settings.parse(snapshot.main_cf, report.problems);
    settings.compute(host);
    examine_main(report, settings);
    std::string file = snapshot.directory + "/master.cf";
    MasterFile master = MasterFile::parse(snapshot.master_cf, file, report.problems);
    for (const MasterEntry& entry : master.entries()) examine_entry(report, settings, entry, file);
    examine_references(report, settings, master, file);
    for (const Problem& warning : master.warnings()) report.problems.push_back(warning);
    report.add({});
    return report;
}

std::vector<std::string> not_yet_warnings(const Report& report) {
    std::vector<std::string> out;
    for (const SetParameter& set : report.set) {
        bool later = set.row != nullptr && set.row->standing == Standing::not_yet;
        if (!later || set.is_default) continue;
        std::string who = set.service.empty() ? set.name : cat({set.service, ": -o ", set.name});
        out.push_back(cat({place(set.file, set.line), who, ": not honoured yet, has no effect"}));
    }
    return out;
}

std::string_view standing_text(Standing standing) {
    switch (standing) {
        case Standing::honoured: return "honoured";
        case Standing::no_effect: return "no effect";
        case Standing::not_yet: break;
    }
    return "not yet";
}

std::string_view standing_text(const SetParameter& parameter) {
    if (parameter.row != nullptr) return standing_text(parameter.row->standing);
    return parameter.known ? "user-defined" : "unknown";
}

std::string report_text(const Report& report) {
    std::string out;
    for (const Problem& problem : report.problems) {
        out += cat({problem.error ? "error: " : "warning: ", problem.str(), "\n"});
    }
    for (const SetParameter& set : report.set) {
        std::string where = set.service.empty() ? std::string("main.cf") : set.service;
        where += cat({":", std::to_string(set.line)});
        std::string name = set.name;
        where.resize(std::max<std::size_t>(where.size(), 14), ' ');
        name.resize(std::max<std::size_t>(name.size(), 36), ' ');
        std::string_view standing = standing_text(set);
        out += cat({where, " ", name, " ", standing, " ", remark(set)});
        out.erase(out.find_last_not_of(' ') + 1);
        out += '\n';
    }
    return out;
}

std::string report_json(const Report& report) {
    std::string out = "{\"problems\":[";
    for (const Problem& problem : report.problems) {
        out += cat({out.back() == '[' ? "" : ",", "{\"severity\":\"",
                    problem.error ? "error" : "warning", "\",\"file\":", json_text(problem.file),
                    ",\"line\":", std::to_string(problem.line), ",\"parameter\":",
                    json_text(problem.parameter), ",\"text\":", json_text(problem.text), "}"});
    }
    out += "],\"parameters\":[";
    for (const SetParameter& set : report.set) {
        out += cat({out.back() == '[' ? "" : ",", "{\"name\":", json_text(set.name),
                    ",\"value\":", json_text(set.value), ",\"file\":", json_text(set.file),
                    ",\"line\":", std::to_string(set.line), ",\"service\":", json_text(set.service),
                    ",\"standing\":", json_text(standing_text(set)),
                    ",\"is_default\":", set.is_default ? "true" : "false",
                    ",\"remark\":", json_text(remark(set)), "}"});
    }
    return out + "]}\n";
}

}  // namespace postern::config
