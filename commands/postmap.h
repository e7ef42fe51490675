// postmap and postalias: build lookup tables from text, and query, change and list them.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/table/map_builder.h"
#include "lib/table/source.h"
#include "lib/table/table.h"

#include "commands/message_keys.h"

namespace postern::commands {

struct MapOptions {
    enum class Action : unsigned char { build, add, query, remove, list };
    enum class Duplicates : unsigned char { warn, replace, ignore };

    std::string program = "postmap";
    bool aliases = false;  // the source is in aliases(5) form
    Action action = Action::build;
    std::string key;           // query, remove; "-": keys from standard input
    MessageKeys from_message;  // query with "-": standard input is a message
    Duplicates duplicates = Duplicates::warn;
    bool fold = true;
    bool utf8 = false;  // smtputf8_enable, -U, -u: sources are UTF-8, and all letters are folded
    std::optional<bool> wants_utf8;   // -U, -u
    bool keep_root = false;           // -o
    bool inherit_permissions = true;  // no -p
    bool file_values = false;         // -F
    std::optional<table::TrailingNull> trailing_null;
    std::string default_type = "hash";
    std::string config_directory;  // -c
    std::vector<std::string> maps;
};

// Error::what is to be printed after "fatal: ".
Result<MapOptions> parse_map_options(int argc, char** argv);
std::string map_usage(const MapOptions& options);

// Does it; the exit status, or a fatal error. Results go to `out`.
Result<int> run_map(const MapOptions& options, std::FILE* in, std::FILE* out);

// One entry of a source file, or why the line is ignored.
Result<table::KeyValue> map_entry(const MapOptions& options, std::string_view line);

}  // namespace postern::commands
