#include "lib/config/master_cf.h"

#include <algorithm>
#include <array>

#include "lib/base/strings.h"

#include "lib/config/main_cf.h"

namespace postern::config {
namespace {

constexpr std::size_t kColumns = 8;
constexpr std::size_t kFoldWidth = 80;  // of postconf -f
constexpr std::array<std::string_view, 5> kTypes = {"inet", "unix", "fifo", "pass", "unix-dgram"};

constexpr std::string_view kBuiltIn =
    "policy unix - - n - 20 policy\n"
    "peername unix - - n - 1 peername\n"
    "anvil unix - - n - 1 anvil\n"
    "verify unix - - n - 1 verify\n"
    "postern-auth unix - - n - 1 auth\n"
    "postern-introspect unix - - n - 20 introspect\n"
    "imapd  unix - n n - 0  imapd\n"
    "pop3d  unix - n n - 0  pop3d\n";

struct Word {
    std::string text;
    bool braced = false;
};

Error invalid(std::string what) { return Error{Errc::invalid, std::move(what)}; }

// Words at white space; "{ … }" is one word without its braces.
Result<std::vector<Word>> split_arguments(std::string_view text) {
    std::vector<Word> words;
    while (!(text = trim_left(text)).empty()) {
        if (text.front() != '{') {
            std::size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
            words.push_back({std::string(text.substr(0, end)), false});
            text.remove_prefix(end);
            continue;
        }
        int depth = 0;
        std::size_t end = 0;
        for (; end < text.size(); end++) {
            if (text[end] == '{') depth++;
            if (text[end] == '}' && --depth == 0) break;
        }
        if (end == text.size()) return invalid("missing } after {");
        words.push_back({std::string(trim(text.substr(1, end - 1))), true});
        text.remove_prefix(end + 1);
        if (!text.empty() && !is_space(text.front()))
            return invalid("expected white space after }");
    }
    return words;
}

Result<bool> parse_yes_no(std::string_view column, std::string_view text, bool otherwise) {
    if (text == "-") return otherwise;
    if (text == "y") return true;
    if (text == "n") return false;
    return invalid(cat(
        {"bad value \"", printable(text, 40), "\" in column ", column, ": expected y, n or -"}));
}

Result<void> parse_numbers(MasterEntry& entry) {
    std::string_view wakeup = entry.columns[5], limit = entry.columns[6];
    if (wakeup != "-") {
        entry.wakeup_if_used = wakeup.ends_with('?');
        if (entry.wakeup_if_used) wakeup.remove_suffix(1);
        auto seconds = parse_number<int>(wakeup);
        if (!seconds || *seconds < 0) {
            return invalid(cat({"bad value \"", printable(entry.columns[5], 40),
                                "\" in column wakeup: expected seconds, seconds? or -"}));
        }
        entry.wakeup_seconds = *seconds;
    }
    if (limit != "-") {
        auto processes = parse_number<int>(limit);
        if (!processes || *processes < 0) {
            return invalid(cat({"bad value \"", printable(limit, 40),
                                "\" in column maxproc: expected a number of processes or -"}));
        }
        entry.process_limit = *processes;
    }
    return {};
}

Result<void> parse_type(MasterEntry& entry) {
    for (std::size_t i = 0; i < kTypes.size(); i++) {
        if (entry.columns[1] != kTypes[i]) continue;
        entry.type = static_cast<MasterEntry::Type>(i);
        return {};
    }
    return invalid(cat({"bad value \"", printable(entry.columns[1], 40),
                        "\" in column type: expected inet, unix, fifo, pass or unix-dgram"}));
}

Result<void> parse_columns(MasterEntry& entry) {
    entry.name = entry.columns[0];
    TRY(parse_type(entry));
    bool inet = entry.type == MasterEntry::Type::inet;
    TRY_ASSIGN(entry.is_private, parse_yes_no("private", entry.columns[2], true));
    if (inet && entry.is_private) {
        return invalid("an inet service cannot be private: expected n in column private");
    }
    TRY_ASSIGN(entry.unprivileged, parse_yes_no("unpriv", entry.columns[3], true));
    TRY_ASSIGN(entry.chroot, parse_yes_no("chroot", entry.columns[4], false));
    TRY(parse_numbers(entry));
    entry.command = entry.columns[7];
    if (inet && entry.port().empty())
        return invalid("expected port or host:port as the service name");
    if (!inet && entry.name.find_first_of("/.") == 0) return invalid("bad service name");
    return {};
}

// Arguments that set parameters: -o name=value, -oname=value, -o { name = value }. They end at the
// first word that is not an option.
Result<void> parse_overrides(MasterEntry& entry, const std::vector<Word>& words) {
    for (std::size_t i = 0; i < words.size() && words[i].text.starts_with('-'); i++) {
        if (!words[i].text.starts_with("-o") || words[i].braced) continue;
        std::string_view assignment = std::string_view(words[i].text).substr(2);
        if (assignment.empty()) {
            if (++i == words.size()) return invalid("expected name=value after -o");
            assignment = words[i].text;
        }
        auto parsed = parse_assignment(assignment);
        if (!parsed) return std::move(parsed).error().within("-o");
        entry.overrides.emplace_back(std::move(parsed->name), std::move(parsed->value));
    }
    return {};
}

Result<MasterEntry> parse_entry(const LogicalLine& line) {
    MasterEntry entry;
    entry.line = line.line;
    std::string_view rest = line.text;
    while (entry.columns.size() < kColumns && !(rest = trim_left(rest)).empty()) {
        std::size_t end = std::min(rest.find_first_of(" \t\r\n"), rest.size());
        entry.columns.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end);
    }
    if (entry.columns.size() < kColumns) {
        return invalid(cat({"only ", std::to_string(entry.columns.size()),
                            " columns: expected service, type, private, unpriv, chroot, wakeup, "
                            "maxproc, command"}));
    }
    TRY(parse_columns(entry));
    TRY_ASSIGN(auto words, split_arguments(rest));
    TRY(parse_overrides(entry, words));
    for (Word& word : words) entry.arguments.push_back(std::move(word.text));
    return entry;
}

// An argument as it must be written in the file: in braces where it holds white space.
std::string written(const std::string& argument, bool after_o) {
    bool plain = !argument.empty() && argument.front() != '{';
    if (plain && std::none_of(argument.begin(), argument.end(), is_space)) return argument;
    auto assignment = after_o ? parse_assignment(argument) : Result<MainEntry>(invalid(""));
    if (assignment) return cat({"{", assignment->name, "=", assignment->value, "}"});
    return cat({"{", argument, "}"});
}

}  // namespace

std::string_view MasterEntry::type_name() const { return kTypes[static_cast<std::size_t>(type)]; }

std::string MasterEntry::key() const { return cat({name, "/", type_name()}); }

std::string MasterEntry::host() const {
    std::size_t colon = name.rfind(':');
    if (colon == name.npos) return {};
    std::string_view host = std::string_view(name).substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return std::string(host);
}

std::string MasterEntry::port() const {
    std::size_t colon = name.rfind(':');
    return colon == name.npos ? name : name.substr(colon + 1);
}

MasterFile MasterFile::parse(std::string_view text, std::string_view file,
                             std::vector<Problem>& problems) {
    MasterFile master;
    for (const LogicalLine& line : logical_lines(text, file, problems)) {
        auto entry = parse_entry(line);
        if (!entry) {
            std::string name(line.text.substr(0, line.text.find_first_of(" \t")));
            problems.push_back(
                {std::string(file), line.line, printable(name, 80), entry.error().what});
            continue;
        }
        if (auto same = master.find(entry->name, entry->type); same != nullptr) {
            master.warnings_.push_back(
                {std::string(file), line.line, entry->key(),
                 cat({"second entry of this name (the first is in line ",
                      std::to_string(same->line), "): the last one is used"}),
                 false});
            std::erase_if(master.entries_, [&](const MasterEntry& e) { return &e == same; });
        }
        master.entries_.push_back(std::move(*entry));
    }
    return master;
}

Result<MasterFile> MasterFile::parse(std::string_view text, std::string_view file) {
    std::vector<Problem> problems;
    MasterFile master = parse(text, file, problems);
    if (!problems.empty()) return Error{Errc::invalid, problems.front().str()};
    return master;
}

const MasterEntry* MasterFile::find(std::string_view name) const {
    for (const MasterEntry& entry : entries_) {
        if (entry.name == name) return &entry;
    }
    return nullptr;
}

const MasterEntry* MasterFile::find(std::string_view name, MasterEntry::Type type) const {
    for (const MasterEntry& entry : entries_) {
        if (entry.name == name && entry.type == type) return &entry;
    }
    return nullptr;
}

void MasterFile::add_built_in() {
    auto built_in = parse(kBuiltIn, "built-in services");
    POSTERN_CHECK(built_in.has_value());
    for (MasterEntry& entry : built_in->entries_) {
        if (find(entry.name, entry.type) != nullptr) continue;
        entry.line = 0;
        entries_.push_back(std::move(entry));
    }
}

std::string master_line(const MasterEntry& entry, bool folded) {
    // Postfix's columns begin at these places; a longer word moves the rest along.
    constexpr std::array<std::size_t, kColumns> starts = {0, 11, 17, 25, 33, 41, 49, 57};
    std::string out;
    for (std::size_t i = 0; i < kColumns; i++) {
        if (i > 0) out.append(out.size() < starts[i] ? starts[i] - out.size() : 1, ' ');
        out += entry.columns[i];
    }
    bool after_o = false;
    for (const std::string& argument : entry.arguments) {
        std::string text = written(argument, after_o);
        std::size_t column = out.size() - (out.rfind('\n') + 1);  // npos + 1 is 0
        bool option = !after_o && argument.starts_with("-o");
        bool fold = folded && (option || (!after_o && column + 1 + text.size() >= kFoldWidth));
        out += cat({fold ? "\n    " : " ", text});
        after_o = argument == "-o";
    }
    return out;
}

Result<std::string> edit_master_cf(std::string_view text, std::string_view key, MasterChange change,
                                   const MasterEntry* replacement) {
    TRY_ASSIGN(MasterFile file, MasterFile::parse(text));
    int first = 0;
    for (const MasterEntry& entry : file.entries()) {
        if (entry.key() == key) first = entry.line;
    }
    std::string line = replacement ? master_line(*replacement, true) + "\n" : std::string();
    std::string out;
    bool within = false;
    for (int number = 1; !text.empty(); number++) {
        std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
        std::string_view physical = text.substr(0, end);
        text.remove_prefix(end);
        std::string_view visible = trim(physical);
        bool comment = visible.empty() || visible.front() == '#';
        if (!comment && !is_space(physical.front())) within = number == first;
        if (number == first && change == MasterChange::set) out += line;
        // Comments between the lines of an entry stay, except inside one that is replaced as a
        // whole.
        if (!within || comment) out += physical;
        if (within && !comment && change == MasterChange::comment_out) out += cat({"#", physical});
    }
    if (first == 0 && change != MasterChange::set) return invalid(cat({"no such entry: ", key}));
    if (!out.empty() && out.back() != '\n') out += '\n';
    if (first == 0) out += line;
    return out;
}

}  // namespace postern::config
