// What postconf prints: main.cf parameters and master.cf entries.
#include <algorithm>
#include <set>

#include "commands/postconf.h"
#include "lib/base/strings.h"
#include "lib/config/check.h"
#include "lib/config/params.h"
#include "lib/config/references.h"

namespace postern::commands {
namespace {

using Only = PostconfOptions::Only;
using Subject = PostconfOptions::Subject;

constexpr std::size_t kFoldWidth = 80;

// Prints lines of "name = value" as the options want them.
class Printer {
  public:
    explicit Printer(const PostconfInput& input) : input_(input) {}

    void main_parameter(const std::string& name);
    // names: where $name in the value is looked up (-x).
    void pair(const std::string& name, std::string value, const config::Settings& names);
    void pair(const std::string& name, std::string value) {
        pair(name, std::move(value), input_.settings);
    }
    void line(std::string text) { out_.text += text + "\n"; }
    void warn(std::string text) { out_.warnings.push_back(std::move(text)); }
    std::string json_line(const std::string& name, const std::string& value) const;
    PostconfOutput take() { return std::move(out_); }

  private:
    const PostconfInput& input_;
    PostconfOutput out_;
};

void Printer::pair(const std::string& name, std::string value, const config::Settings& names) {
    const PostconfOptions& options = input_.options;
    if (options.expand) {
        auto expanded = config::expand(value, names);
        if (!expanded) warn(cat({name, ": ", expanded.error().what}));
        if (expanded) value = std::move(*expanded);
    }
    if (options.json) return line(json_line(name, value));
    std::string text = options.names_only    ? name
                       : options.values_only ? value
                                             : cat({name, " = ", value});
    line(fold_line(text, options.fold ? kFoldWidth : SIZE_MAX));
}

std::string Printer::json_line(const std::string& name, const std::string& value) const {
    std::string out =
        cat({"{\"name\":", config::json_text(name), ",\"value\":", config::json_text(value)});
    const auto& set = input_.settings.set_values();
    if (const config::Row* row = config::find_row(name)) {
        out += cat({",\"standing\":", config::json_text(config::standing_text(row->standing)),
                    ",\"readers\":", config::json_text(config::readers(*row))});
    }
    if (auto at = set.find(name); at != set.end() && at->second.line > 0)
        out += cat({",\"line\":", std::to_string(at->second.line)});
    return out + "}";
}

void Printer::main_parameter(const std::string& name) {
    auto value =
        input_.options.defaults ? input_.settings.default_text(name) : input_.settings.raw(name);
    pair(name, value.value_or(std::string()));
}

bool refers_to(std::string_view text, std::string_view name) {
    for (std::string_view form : {"$", "${", "$("}) {
        if (text.find(cat({form, name})) != text.npos) return true;
    }
    return false;
}

// Names that main.cf sets and another value uses, or that are restriction classes.
std::set<std::string> user_parameters(const PostconfInput& input) {
    std::set<std::string> names;
    for (const auto& [name, value] : input.settings.set_values()) {
        if (config::find_row(name) != nullptr) continue;
        for (const auto& [other, text] : input.settings.set_values()) {
            if (other != name && refers_to(text.text, name)) names.insert(name);
        }
    }
    std::string classes = input.settings.raw("smtpd_restriction_classes").value_or("");
    for (std::string_view name : split_words(classes, ", \t\r\n")) names.emplace(name);
    for (const auto& entry : input.master.entries()) {
        for (const auto& [name, value] : entry.overrides) {
            for (const auto& [set, text] : input.settings.set_values()) {
                if (!config::find_row(set) && refers_to(value, set)) names.insert(set);
            }
        }
    }
    return names;
}

struct Known {
    std::set<std::string> selected;  // what the options ask for
    std::set<std::string> all;
};

Known known_parameters(const PostconfInput& input) {
    Known known;
    auto add = [&](Only kind, std::string name) {
        Only wanted = input.options.only;
        if (wanted == Only::all || wanted == kind) known.selected.insert(name);
        known.all.insert(std::move(name));
    };
    for (const config::Row& row : config::rows()) add(Only::builtin, std::string(row.name));
    for (std::string& name : service_parameters(input.master)) {
        if (!known.all.contains(name)) add(Only::service, std::move(name));
    }
    for (const std::string& name : user_parameters(input)) {
        if (!known.all.contains(name)) add(Only::user, name);
    }
    return known;
}

void warn_of_unused(Printer& printer, const PostconfInput& input, const Known& known) {
    for (const auto& [name, value] : input.settings.set_values()) {
        if (known.all.contains(name) || value.line == 0) continue;
        auto near = config::suggest(name);
        printer.warn(cat({input.settings.file(), ": unused parameter: ", name, "=", value.text,
                          near ? cat({" (did you mean ", *near, "?)"}) : ""}));
    }
}

// -o options that set what nobody reads.
void warn_of_unused_overrides(Printer& printer, const PostconfInput& input, const Known& known) {
    const auto& set = input.settings.set_values();
    for (const auto& entry : input.master.entries()) {
        for (const auto& [name, value] : entry.overrides) {
            const auto uses = [&, &name = name](const auto& other) {
                return other.first != name && refers_to(other.second, name);
            };
            const auto main_uses = [&, &name = name](const auto& other) {
                return refers_to(other.second.text, name);
            };
            if (known.all.contains(name) || std::any_of(set.begin(), set.end(), main_uses) ||
                std::any_of(entry.overrides.begin(), entry.overrides.end(), uses))
                continue;
            printer.warn(cat(
                {input.settings.directory(), "/master.cf: unused parameter: ", name, "=", value}));
        }
    }
}

config::Settings settings_of(const config::Settings& settings, const config::MasterEntry& entry) {
    config::Settings own = settings;
    own.set("service_name", entry.name);
    for (const auto& [name, value] : entry.overrides) own.set(name, value);
    return own;
}

// $name of names that have no value anywhere; each is told once.
void warn_of_undefined(Printer& printer, const PostconfInput& input) {
    const config::UndefinedNames undefined(input.settings, input.master);
    std::set<std::string> told;
    const auto look_at = [&](std::string_view file, const std::string& name,
                             const std::string& value) {
        for (const auto& one : undefined.in(name, value)) {
            const std::string text = cat({file, ": undefined parameter: ", one});
            if (told.insert(text).second) printer.warn(text);
        }
    };
    for (const auto& [name, value] : input.settings.set_values())
        look_at(input.settings.file(), name, value.text);
    for (const auto& entry : input.master.entries()) {
        for (const auto& [name, value] : entry.overrides)
            look_at(input.settings.directory() + "/master.cf", name, value);
    }
}

// "smtp/inet" or "smtp" or "" against an entry.
bool entry_matches(const config::MasterEntry& entry, std::string_view name, std::string_view type) {
    return (name.empty() || name == "*" || entry.name == name) &&
           (type.empty() || type == "*" || entry.type_name() == type);
}

std::string command_text(const config::MasterEntry& entry) {
    std::string line = config::master_line(entry);
    // The command is what follows the seven other columns.
    std::size_t at = 0;
    for (int column = 0; column < 7; column++) {
        at = line.find_first_not_of(' ', std::min(line.find(' ', at), line.size()));
    }
    return line.substr(at);
}

void print_fields(Printer& printer, const config::MasterEntry& entry, std::string_view wanted) {
    for (std::size_t i = 0; i < std::size(kServiceFields); i++) {
        if (!wanted.empty() && wanted != "*" && wanted != kServiceFields[i]) continue;
        bool command = i + 1 == std::size(kServiceFields);
        printer.pair(cat({entry.key(), "/", kServiceFields[i]}),
                     command ? command_text(entry) : entry.columns[i]);
    }
}

// Whether there was one.
bool print_overrides(Printer& printer, const config::Settings& settings,
                     const config::MasterEntry& entry, std::string_view wanted) {
    auto sorted = entry.overrides;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    const config::Settings own = settings_of(settings, entry);
    bool any = false;
    for (const auto& [name, value] : sorted) {
        if (!wanted.empty() && wanted != "*" && wanted != name) continue;
        printer.pair(cat({entry.key(), "/", name}), value, own);
        any = true;
    }
    return any;
}

// -x: with the values of its -o options expanded.
config::MasterEntry expanded_entry(const PostconfInput& input, config::MasterEntry entry) {
    const config::Settings own = settings_of(input.settings, entry);
    for (std::size_t i = 1; i < entry.arguments.size(); ++i) {
        const auto parts = split_once(entry.arguments[i], '=');
        if (entry.arguments[i - 1] != "-o" || !parts) continue;
        if (auto value = config::expand(parts->second, own))
            entry.arguments[i] = cat({parts->first, "=", *value});
    }
    return entry;
}

void print_entry(Printer& printer, const PostconfInput& input, const config::MasterEntry& entry) {
    const auto shown = input.options.expand ? expanded_entry(input, entry) : entry;
    printer.line(input.options.json ? printer.json_line(entry.key(), config::master_line(shown))
                                    : config::master_line(shown, input.options.fold));
}

}  // namespace

std::string fold_line(std::string_view line, std::size_t limit) {
    std::string out;
    std::size_t column = 0;
    for (std::string_view word : split_words(line)) {
        if (column > 0 && limit - column < 1 + word.size()) {
            out += "\n    ";
            column = 4;
        } else if (column > 0) {
            out += ' ';
            column++;
        }
        out += word;
        column += word.size();
    }
    return out;
}

std::vector<std::string> service_parameters(const config::MasterFile& master) {
    constexpr std::string_view agents[] = {"local", "virtual", "smtp", "lmtp", "error", "pipe"};
    std::vector<std::string> names;
    for (const config::MasterEntry& entry : master.entries()) {
        if (entry.type != config::MasterEntry::Type::unix_socket) continue;
        bool agent =
            std::find(std::begin(agents), std::end(agents), entry.command) != std::end(agents);
        bool timed = entry.command == "pipe" || entry.command == "spawn";
        for (const config::ServiceSuffix& suffix : config::service_suffixes()) {
            bool time_limit = suffix.suffix == "_time_limit";
            if (time_limit ? timed : agent) names.push_back(cat({entry.name, suffix.suffix}));
        }
    }
    return names;
}

PostconfOutput show_main(const PostconfInput& input, const std::vector<std::string>& names) {
    Printer printer(input);
    Known known = known_parameters(input);
    if (names.empty()) {
        for (const std::string& name : known.selected) {
            if (input.options.set_only && !input.settings.set_values().contains(name)) continue;
            printer.main_parameter(name);
        }
    }
    for (const std::string& name : names) {
        if (!known.all.contains(name)) {
            auto near = config::suggest(name);
            printer.warn(cat(
                {name, ": unknown parameter", near ? cat({" (did you mean ", *near, "?)"}) : ""}));
        } else if (auto text = input.options.names_only ? describe(name) : std::nullopt) {
            printer.line(std::string(trim_right(*text)));
        } else {
            printer.main_parameter(name);
        }
    }
    if (input.options.defaults) return printer.take();
    warn_of_undefined(printer, input);
    warn_of_unused(printer, input, known);
    warn_of_unused_overrides(printer, input, known);
    return printer.take();
}

PostconfOutput show_master(const PostconfInput& input, const std::vector<std::string>& patterns) {
    Printer printer(input);
    std::vector<std::string> wanted = patterns;
    if (wanted.empty()) wanted.emplace_back("*");
    for (const std::string& pattern : wanted) {
        auto parts = split(pattern, '/');
        parts.resize(std::max<std::size_t>(parts.size(), 3));
        bool any = false;
        for (const config::MasterEntry& entry : input.master.entries()) {
            if (!entry_matches(entry, parts[0], parts[1])) continue;
            if (input.options.subject == Subject::master_params) {
                any = print_overrides(printer, input.settings, entry, parts[2]) || any;
                continue;
            }
            any = true;
            if (input.options.subject == Subject::master) print_entry(printer, input, entry);
            if (input.options.subject == Subject::master_fields)
                print_fields(printer, entry, parts[2]);
        }
        if (!any && pattern != "*") printer.warn("unmatched request: \"" + pattern + "\"");
    }
    warn_of_undefined(printer, input);
    warn_of_unused_overrides(printer, input, known_parameters(input));
    return printer.take();
}

}  // namespace postern::commands
