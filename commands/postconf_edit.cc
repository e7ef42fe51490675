// What postconf -e, -# and -X change. Texts in, texts out; the caller replaces the file.
#include <algorithm>

#include "commands/postconf.h"
#include "lib/base/strings.h"
#include "lib/config/main_cf.h"

namespace postern::commands {
namespace {

using Change = PostconfOptions::Change;
using Subject = PostconfOptions::Subject;

Error bad_request(std::string_view expected, std::string_view got) {
    return Error{Errc::invalid,
                 cat({"expected ", expected, " instead of \"", printable(got, 100), "\""})};
}

// "smtp/inet/chroot" -> entry key "smtp/inet" and the third part, if any.
struct MasterName {
    std::string key;
    std::string part;
};
Result<MasterName> parse_name(std::string_view text) {
    auto parts = split(text, '/');
    if (parts.size() < 2 || parts.size() > 3)
        return bad_request("service/type or service/type/name", text);
    return MasterName{cat({parts[0], "/", parts[1]}),
                      parts.size() == 3 ? std::string(parts[2]) : ""};
}

const config::MasterEntry* find_key(const config::MasterFile& file, std::string_view key) {
    for (const config::MasterEntry& entry : file.entries()) {
        if (entry.key() == key) return &entry;
    }
    return nullptr;
}

Result<std::string> set_entry(std::string_view text, std::string_view key, std::string_view line) {
    TRY_ASSIGN(config::MasterFile parsed, config::MasterFile::parse(line, "new entry"));
    if (parsed.entries().size() != 1) return bad_request("one master.cf entry", line);
    const config::MasterEntry& entry = parsed.entries().front();
    if (entry.key() != key) return bad_request(cat({"an entry for ", key}), line);
    return config::edit_master_cf(text, key, config::MasterChange::set, &entry);
}

// Replaces the entry by one that reads back from its changed columns and arguments.
Result<std::string> rewrite_entry(std::string_view text, const config::MasterEntry& changed,
                                  std::string_view key) {
    TRY_ASSIGN(config::MasterFile parsed,
               config::MasterFile::parse(config::master_line(changed), "changed entry"));
    return config::edit_master_cf(text, key, config::MasterChange::set, &parsed.entries().front());
}

// The keys of the entries that "name/type" means; * stands for any name or type.
Result<std::vector<std::string>> matching_keys(std::string_view text, std::string_view key) {
    TRY_ASSIGN(config::MasterFile file, config::MasterFile::parse(text));
    const auto wanted = split_once(key, '/');
    std::vector<std::string> keys;
    for (const config::MasterEntry& entry : file.entries()) {
        bool name = wanted->first == "*" || wanted->first == entry.name;
        bool type = wanted->second == "*" || wanted->second == entry.type_name();
        if (name && type) keys.push_back(entry.key());
    }
    if (keys.empty()) return Error{Errc::not_found, cat({"no such entry: ", key})};
    return keys;
}

Result<std::string> set_field(std::string_view text, const MasterName& name,
                              std::string_view value) {
    TRY_ASSIGN(config::MasterFile file, config::MasterFile::parse(text));
    const config::MasterEntry* entry = find_key(file, name.key);
    if (entry == nullptr) return Error{Errc::not_found, "no such entry: " + name.key};
    auto field = std::find(std::begin(kServiceFields), std::end(kServiceFields), name.part);
    if (field == std::end(kServiceFields)) return bad_request("a field name", name.part);
    config::MasterEntry changed = *entry;
    changed.columns[static_cast<std::size_t>(field - std::begin(kServiceFields))] = value;
    if (name.part == "command") changed.arguments.clear();
    return rewrite_entry(text, changed, name.key);
}

// The arguments without those that set this parameter.
std::vector<std::string> without_override(const std::vector<std::string>& arguments,
                                          std::string_view name) {
    std::vector<std::string> kept;
    for (std::size_t i = 0; i < arguments.size(); i++) {
        bool option = arguments[i] == "-o" && i + 1 < arguments.size();
        auto sides = option ? split_once(arguments[i + 1], '=') : std::nullopt;
        if (sides && trim(sides->first) == name) {
            i++;
            continue;
        }
        kept.push_back(arguments[i]);
        if (option) kept.push_back(arguments[++i]);
    }
    return kept;
}

Result<std::string> set_override(std::string_view text, const MasterName& name, Change change,
                                 std::string_view value) {
    TRY_ASSIGN(config::MasterFile file, config::MasterFile::parse(text));
    const config::MasterEntry* entry = find_key(file, name.key);
    if (entry == nullptr) return Error{Errc::not_found, "no such entry: " + name.key};
    config::MasterEntry changed = *entry;
    changed.arguments = without_override(entry->arguments, name.part);
    if (change == Change::set) {
        bool spaces = value.find_first_of(" \t") != value.npos;
        std::string setting = cat({name.part, spaces ? " = " : "=", value});
        changed.arguments.insert(changed.arguments.begin(), {"-o", setting});
    }
    return rewrite_entry(text, changed, name.key);
}

Result<std::string> edit_master_once(std::string_view text, const PostconfOptions& options,
                                     std::string_view argument) {
    auto sides = split_once(argument, '=');
    if ((options.change == Change::set) != sides.has_value()) {
        return bad_request(options.change == Change::set ? "name = value" : "a name without value",
                           argument);
    }
    TRY_ASSIGN(MasterName name, parse_name(trim(sides ? sides->first : argument)));
    std::string_view value = sides ? trim(sides->second) : std::string_view();
    if ((options.subject == Subject::master) != name.part.empty()) {
        return bad_request("service/type with or without a name, as the option asks", argument);
    }
    if (options.subject == Subject::master_fields && options.change != Change::set)
        return bad_request("-e with -F", argument);
    bool entry = options.subject == Subject::master;
    if (entry && options.change == Change::set) return set_entry(text, name.key, value);
    TRY_ASSIGN(const auto keys, matching_keys(text, name.key));
    std::string current(text);
    for (const std::string& key : keys) {
        name.key = key;
        if (options.subject == Subject::master_params) {
            TRY_ASSIGN(current, set_override(current, name, options.change, value));
        } else if (options.subject == Subject::master_fields) {
            TRY_ASSIGN(current, set_field(current, name, value));
        } else {
            bool remove = options.change == Change::remove;
            TRY_ASSIGN(current, config::edit_master_cf(current, key,
                                                       remove ? config::MasterChange::remove
                                                              : config::MasterChange::comment_out));
        }
    }
    return current;
}

}  // namespace

Result<std::string> edit_main(std::string_view text, Change change,
                              const std::vector<std::string>& arguments) {
    using Kind = config::MainEdit::Kind;
    std::vector<config::MainEdit> edits;
    for (const std::string& argument : arguments) {
        if (argument.find('\n') != argument.npos) return bad_request("a single line", argument);
        if (change == Change::set) {
            TRY_ASSIGN(auto entry, config::parse_assignment(argument));
            edits.push_back({Kind::set, std::move(entry.name), std::move(entry.value)});
            continue;
        }
        if (argument.find('=') != argument.npos)
            return bad_request("a name without value", argument);
        Kind kind = change == Change::remove ? Kind::remove : Kind::comment_out;
        edits.push_back({kind, std::string(trim(argument)), ""});
    }
    return config::edit_main_cf(text, edits);
}

Result<std::string> edit_master(std::string_view text, const PostconfOptions& options,
                                const std::vector<std::string>& arguments) {
    std::string current(text);
    for (const std::string& argument : arguments) {
        TRY_ASSIGN(current, edit_master_once(current, options, argument));
    }
    return current;
}

}  // namespace postern::commands
