// What is wrong with a configuration, all of it at once, and what the suite does with each
// parameter that is set. "postern check" prints the whole; master logs what nobody honours yet;
// Config::load, which daemons use, stops at the first error of the same kinds. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/config/config.h"
#include "lib/config/main_cf.h"

namespace postern::config {

// A parameter that main.cf or an -o option sets.
struct SetParameter {
    std::string name;
    std::string value;  // as written
    std::string file;
    int line = 0;
    std::string service;  // "smtp/inet": set by -o of this entry; empty: main.cf
    // The row that governs it: its own, or for slow_destination_rate_delay the general one. Null
    // for names of the administrator's own, and for unknown ones.
    const Row* row = nullptr;
    bool known = true;        // false: nobody reads it, and no other value mentions it
    bool is_default = false;  // the value is what it would be anyway
};

struct Report {
    std::vector<Problem> problems;  // errors and warnings, main.cf first, by line
    std::vector<SetParameter> set;

    bool has_errors() const;
    void add(std::vector<Problem> more);  // in their places
};

Report examine(const Snapshot& snapshot, const Host& host = SystemHost::instance());

// Every value that cannot be used, of what is set and of defaults that depend on it.
std::vector<Problem> bad_values(const Settings& settings);

// One line for each set parameter that does nothing yet although it says something else than the
// default: "file, line 3: content_filter: not honoured yet".
std::vector<std::string> not_yet_warnings(const Report& report);

// "honoured", "no effect", "not yet"; "user-defined" and "unknown" for names without a row.
std::string_view standing_text(const SetParameter& parameter);
std::string_view standing_text(Standing standing);

// The report as people read it, and as one JSON object.
std::string report_text(const Report& report);
std::string report_json(const Report& report);
// A JSON string, with its quotes.
std::string json_text(std::string_view text);

}  // namespace postern::config
