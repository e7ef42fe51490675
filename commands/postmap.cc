#include "commands/postmap.h"

#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <span>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/config/config.h"
#include "lib/config/process_wide.h"
#include "lib/log/log.h"
#include "lib/sys/error.h"
#include "lib/table/registry.h"

namespace postern::commands {
namespace {

using Action = MapOptions::Action;

struct MapName {
    std::string type, path;
};

MapName split_map(const MapOptions& options, const std::string& map) {
    const auto parts = split_once(map, ':');
    if (!parts) return {options.default_type, map};
    return {std::string(parts->first), std::string(parts->second)};
}

Result<std::string> read_stream(std::FILE* in) {
    std::string text;
    char buffer[65536];
    for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, in)) > 0;) {
        text.append(buffer, n);
        if (text.size() > table::kMaxFileSize)
            return Error{Errc::invalid, "standard input: too large"};
    }
    return text;
}

// The keys that are wanted.
class Keys {
  public:
    static Result<Keys> read(const MapOptions& options, std::FILE* in) {
        Keys keys;
        if (options.key != "-") {
            keys.list_.push_back(options.key);
            return keys;
        }
        TRY_ASSIGN(keys.text_, read_stream(in));
        const bool message = options.from_message.header || options.from_message.body;
        if (message) keys.list_ = message_keys(keys.text_, options.from_message);
        keys.by_line_ = !message;
        return keys;
    }

    std::vector<std::string_view> all() const {
        if (!by_line_) return {list_.begin(), list_.end()};
        std::string_view text = text_;
        if (text.ends_with('\n')) text.remove_suffix(1);
        return split(text, '\n');
    }

  private:
    std::string text_;
    std::vector<std::string> list_;
    bool by_line_ = false;  // the lines of the text, not the list
};

// The identity of a source file's owner, for as long as its table is written: root does not write
// into other people's folders as root.
class AsOwner {
  public:
    AsOwner(bool wanted, uid_t uid, gid_t gid) {
        if (!wanted || geteuid() != 0 || uid == 0) return;
        changed_ = setegid(gid) == 0 && seteuid(uid) == 0;
    }
    ~AsOwner() {
        if (changed_ && (seteuid(0) != 0 || setegid(getgid()) != 0)) std::abort();
    }
    AsOwner(const AsOwner&) = delete;
    AsOwner& operator=(const AsOwner&) = delete;

  private:
    bool changed_ = false;
};

Result<std::string> file_contents(std::string_view names) {
    std::string all;
    for (const auto& name : table::split_list(names)) {
        TRY_ASSIGN(const std::string one, table::read_file(name));
        all += one;
    }
    return base64_encode(all);
}

// What stands in the way of putting this type of table into a file, in Postfix's words.
Error not_buildable(const std::string& type) {
    for (const auto& known : table::table_types()) {
        if (known == type)
            return {Errc::invalid, cat({"unsupported map type for this operation: ", type})};
    }
    return {Errc::invalid, cat({"unsupported dictionary type: ", type})};
}

std::string folded_key(const MapOptions& options, std::string_view key) {
    if (!options.fold) return std::string(key);
    return options.utf8 ? fold_case(key) : to_lower(key);
}

std::string_view suffix_of(const MapName& name) {
    const auto type = table::buildable_type(name.type);
    return type ? table::map_suffix(*type) : "";
}

struct Target {
    table::MapType type;
    std::string path;
    table::MapBuilder::Options options;
    uid_t uid = 0;
    gid_t gid = 0;
};

// Owner and permissions come from the source, or from the table where there is no source.
Result<Target> target_of(const MapOptions& options, const MapName& name) {
    const auto type = table::buildable_type(name.type);
    if (!type) return not_buildable(name.type);
    Target target{*type, name.path, {}, 0, 0};
    target.options.trailing_null = options.trailing_null;
    struct stat st {};
    if (stat(name.path.c_str(), &st) == 0 ||
        stat(cat({name.path, table::map_suffix(*type)}).c_str(), &st) == 0) {
        target.uid = st.st_uid;
        target.gid = st.st_gid;
        if (options.inherit_permissions) target.options.mode = st.st_mode & 0644;
    }
    return target;
}

Result<void> add_entries(const MapOptions& options, const MapName& name, std::string_view source,
                         table::MapBuilder& builder) {
    const bool replace = options.duplicates == MapOptions::Duplicates::replace;
    for (const auto& line : table::logical_lines(source)) {
        const std::string place = cat({name.path, ", line ", std::to_string(line.number), ": "});
        auto entry = map_entry(options, line.text);
        if (!entry) {
            log::warning("", place + entry.error().what);
            continue;
        }
        if (!options.aliases && entry->key.back() == ':') {
            log::warning("", place + "record is in \"key: value\" format; is this an alias file?");
        }
        if (options.file_values) {
            TRY_ASSIGN(entry->value, file_contents(entry->value));
        }
        TRY_ASSIGN(const bool added, builder.put(entry->key, entry->value, replace));
        if (!added && options.duplicates == MapOptions::Duplicates::warn) {
            log::warning(
                "", cat({name.path, suffix_of(name), ": duplicate entry: \"", entry->key, "\""}));
        }
    }
    return {};
}

Result<void> build(const MapOptions& options, const MapName& name, std::FILE* in) {
    TRY_ASSIGN(Target target, target_of(options, name));
    target.options.keep_entries = options.action == Action::add;
    TRY_ASSIGN(const std::string source,
               options.action == Action::add ? read_stream(in) : table::read_file(name.path));
    target.options.room = source.size();
    const AsOwner owner(!options.keep_root, target.uid, target.gid);
    TRY_ASSIGN(auto builder, table::MapBuilder::start(target.type, target.path, target.options));
    TRY(add_entries(options, name, source, builder));
    // Sendmail knows by this entry that the file is complete.
    if (options.aliases) TRY(builder.put("@", "@", true));
    return builder.commit();
}

Result<bool> remove(const MapOptions& options, const MapName& name, const Keys& keys) {
    TRY_ASSIGN(Target target, target_of(options, name));
    target.options.keep_entries = true;
    const AsOwner owner(!options.keep_root, target.uid, target.gid);
    TRY(table::stamp_of(cat({name.path, suffix_of(name)})));
    TRY_ASSIGN(auto builder, table::MapBuilder::start(target.type, target.path, target.options));
    bool removed = false;
    for (const auto key : keys.all()) {
        TRY_ASSIGN(const bool one, builder.remove(folded_key(options, key)));
        removed = removed || one;
    }
    if (removed) TRY(builder.commit());
    return removed;
}

Result<std::unique_ptr<table::Table>> open(const MapOptions& options, const MapName& name) {
    return table::open_table(cat({name.type, ":", name.path}),
                             options.fold ? table::Fold::lower : table::Fold::keep);
}

Result<std::string> shown(const MapOptions& options, std::string value) {
    if (!options.file_values) return value;
    auto decoded = base64_decode(value);
    if (!decoded) return Error{Errc::invalid, "table value is not in base64 form"};
    return *std::move(decoded);
}

using Tables = std::vector<std::unique_ptr<table::Table>>;

// A key is looked up in one map after the other; the first that has it answers.
Result<void> answer(const MapOptions& options, const Tables& tables, std::string_view key,
                    std::string& answers) {
    for (const auto& table : tables) {
        auto found = table->lookup(key);
        if (found.failed()) return std::move(found).error();
        if (found.not_found()) continue;
        TRY_ASSIGN(const std::string value, shown(options, std::move(found).value()));
        if (options.key == "-") answers += cat({key, "\t"});
        answers += cat({value, "\n"});
        return {};
    }
    return {};
}

// Some keys at a time; the answers are written when nobody has to wait for a table of ours.
Result<int> query(const MapOptions& options, std::FILE* in, std::FILE* out) {
    constexpr std::size_t kAtATime = 256;
    Tables tables;
    for (const auto& map : options.maps) {
        TRY_ASSIGN(auto table, open(options, split_map(options, map)));
        for (const auto& warning : table->warnings()) log::warning("", warning);
        tables.push_back(std::move(table));
    }
    bool any = false;
    TRY_ASSIGN(const auto keys, Keys::read(options, in));
    Result<void> done;
    const auto all = keys.all();
    for (std::span<const std::string_view> left = all; done && !left.empty();) {
        std::string answers;
        for (const auto& table : tables) table->hold();
        const auto some = left.first(std::min(left.size(), kAtATime));
        for (auto key = some.begin(); done && key != some.end(); ++key)
            done = answer(options, tables, *key, answers);
        for (const auto& table : tables) table->release();
        std::fwrite(answers.data(), 1, answers.size(), out);
        any = any || !answers.empty();
        left = left.subspan(some.size());
    }
    TRY(done);
    return any ? 0 : 1;
}

Result<void> list(const MapOptions& options, const MapName& name, std::FILE* out) {
    TRY_ASSIGN(auto table, open(options, name));
    return table->each([&](std::string_view key, std::string_view value) {
        const std::string line = cat({key, "\t", value, "\n"});
        std::fwrite(line.data(), 1, line.size(), out);
    });
}

Result<void> check_message_options(const MapOptions& options) {
    const MessageKeys& wanted = options.from_message;
    if (!wanted.header && !wanted.body && !wanted.mime) return {};
    if (options.action != Action::query || options.key != "-")
        return Error{Errc::invalid, "specify -b -h or -m only with \"-q -\""};
    if (!wanted.header && !wanted.body) log::warning("", "ignoring -m option without -b or -h");
    return {};
}

// default_database_type, for maps without a type. Without a readable main.cf it is hash.
void read_config(MapOptions& options) {
    auto directory = options.config_directory.empty()
                         ? config::choose_directory()
                         : config::choose_directory(options.config_directory);
    if (!directory) return;
    auto config = config::Config::load(*directory);
    if (!config) return;
    options.default_type = config->get(param::default_database_type);
    options.utf8 = config->get(param::smtputf8_enable);
    if (auto set = config::set_process_wide(*config); !set) log::warning("", set.error().what);
}

}  // namespace

std::string map_usage(const MapOptions& options) {
    return cat({"usage: ", options.program,
                options.aliases ? " [-Nfinoprsuvw]" : " [-NbfFhimnoprsuUvw]",
                " [-c config_dir] [-d key] [-q key] [map_type:]file..."});
}

Result<table::KeyValue> map_entry(const MapOptions& options, std::string_view line) {
    if (options.utf8 && !is_utf8(line))
        return Error{Errc::invalid,
                     cat({"non-UTF-8 input \"", printable(line, 100), "\" -- ignoring this line"})};
    auto entry = options.aliases ? table::split_alias_entry(line) : table::split_map_entry(line);
    if (!entry && options.aliases) return Error{Errc::invalid, "need name:value pair"};
    if (!entry)
        return Error{Errc::invalid, "expected format: key whitespace value -- ignoring this line"};
    if (options.aliases && entry->key.find('@') != std::string::npos) {
        return Error{Errc::invalid, "name must be local"};
    }
    entry->key = folded_key(options, entry->key);
    return *std::move(entry);
}

Result<MapOptions> parse_map_options(int argc, char** argv) {
    MapOptions options;
    const std::string_view path = argv[0];
    const auto base = path.rfind('/') + 1;
    options.program = path.substr(base);
    argv[0] += base;  // getopt's messages begin with the name alone
    options.aliases = options.program == "postalias";
    const auto usage = [&] { return Error{Errc::invalid, map_usage(options)}; };
    const char* letters = options.aliases ? "+Nc:d:finopq:rsuvw" : "+Nbc:d:fFhimnopq:rsuUvw";
    optind = 0;  // getopt forgets what it knew, the place within a word too
    for (int option = 0; (option = getopt(argc, argv, letters)) != -1;) {
        const std::string value = optarg != nullptr ? optarg : "";
        switch (option) {
            case 'N': options.trailing_null = table::TrailingNull::with; break;
            case 'n': options.trailing_null = table::TrailingNull::without; break;
            case 'c': options.config_directory = value; break;
            case 'd':
            case 'q':
                if (options.action == Action::query || options.action == Action::remove ||
                    options.action == Action::list) {
                    return Error{Errc::invalid, "specify only one of -q or -d"};
                }
                options.action = option == 'd' ? Action::remove : Action::query;
                options.key = value;
                break;
            case 's':
                if (options.action == Action::query || options.action == Action::remove) {
                    return Error{Errc::invalid, "specify only one of -s or -q or -d"};
                }
                options.action = Action::list;
                break;
            case 'i': options.action = Action::add; break;
            case 'f': options.fold = false; break;
            case 'F': options.file_values = true; break;
            case 'o': options.keep_root = true; break;
            case 'p': options.inherit_permissions = false; break;
            case 'r': options.duplicates = MapOptions::Duplicates::replace; break;
            case 'w': options.duplicates = MapOptions::Duplicates::ignore; break;
            case 'u': options.wants_utf8 = false; break;
            case 'U': options.wants_utf8 = true; break;
            case 'v': log::set_debug(true); break;
            case 'b': options.from_message.body = true; break;
            case 'h': options.from_message.header = true; break;
            case 'm': options.from_message.mime = true; break;
            default: return usage();
        }
    }
    for (int at = optind; at < argc; ++at) options.maps.emplace_back(argv[at]);
    if (options.maps.empty()) return usage();
    TRY(check_message_options(options));
    read_config(options);
    options.utf8 = options.wants_utf8.value_or(options.utf8);
    return options;
}

Result<int> run_map(const MapOptions& options, std::FILE* in, std::FILE* out) {
    if (options.action == Action::query) return query(options, in, out);
    if (options.action == Action::remove) {
        TRY_ASSIGN(const auto keys, Keys::read(options, in));
        bool removed = false;
        for (const auto& map : options.maps) {
            TRY_ASSIGN(const bool one, remove(options, split_map(options, map), keys));
            removed = removed || one;
        }
        return removed ? 0 : 1;
    }
    for (const auto& map : options.maps) {
        const MapName name = split_map(options, map);
        if (options.action == Action::list) {
            TRY(list(options, name, out));
        } else {
            TRY(build(options, name, in));
        }
    }
    return 0;
}

}  // namespace postern::commands
