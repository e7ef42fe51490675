#include "lib/config/settings.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/base/ip_address.h"
#include "lib/base/strings.h"
#include "lib/sys/file.h"

#include "lib/config/main_cf.h"
#include "lib/config/spelling.h"
#include "lib/config/value.h"

namespace postern::config {
namespace {

// True when text refers to $name in one of its forms.
bool mentions(std::string_view text, std::string_view name) {
    for (std::size_t at = 0; (at = text.find(name, at)) != text.npos; at++) {
        std::size_t end = at + name.size();
        if (end < text.size() && (is_alnum(text[end]) || text[end] == '_')) continue;
        std::string_view before = trim_right(text.substr(0, at));
        if (before.size() < at && before.ends_with('$')) continue;  // "$ name" is no reference
        if (before.ends_with('$') || before.ends_with("${") || before.ends_with("$(")) return true;
    }
    return false;
}

// "192.0.2.2/24" cut to its network: "192.0.2.0/24", in the form that mynetworks uses.
std::string network_text(const InterfaceAddress& interface, int prefix) {
    std::string base = interface.address;
    if (auto address = IpAddress::parse(base)) {
        std::string bytes(address->bytes());
        for (int bit = prefix; bit < address->bits(); bit++) {
            auto& byte = bytes[static_cast<std::size_t>(bit / 8)];
            byte = static_cast<char>(byte & ~(0x80 >> (bit % 8)));
        }
        if (auto network = IpAddress::from_bytes(bytes)) base = network->str();
    }
    if (interface.ipv6) base = cat({"[", base, "]"});
    return cat({base, "/", std::to_string(prefix)});
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
    return sys::read_file(path, kMaxFile);
}

std::optional<std::string_view> suggest(std::string_view name) {
    std::vector<std::string_view> names;
    for (const Row& row : rows()) names.push_back(row.name);
    return nearest_word(name, names);
}

std::string unknown_text(std::string_view name) {
    auto near = suggest(name);
    return near ? cat({"unknown parameter (did you mean ", *near, "?)"}) : "unknown parameter";
}

Settings::Settings(std::string directory) : directory_(std::move(directory)) {
    computed_["config_directory"] = directory_;
    computed_["process_name"] = program_invocation_short_name;
    computed_["process_id"] = std::to_string(getpid());
}

Result<void> Settings::read() {
    TRY_ASSIGN(std::string text, read_file(file()));
    return parse(text);
}

Result<void> Settings::parse(std::string_view text) {
    TRY_ASSIGN(auto entries, parse_main_cf(text, file()));
    take(std::move(entries));
    return {};
}

void Settings::parse(std::string_view text, std::vector<Problem>& problems) {
    take(parse_main_cf(text, file(), problems));
}

void Settings::take(std::vector<MainEntry> entries) {
    for (MainEntry& entry : entries) {
        auto [at, added] = set_.try_emplace(entry.name);
        if (!added) {
            doubles_.push_back(
                {file(), entry.line, "",
                 cat({"overriding earlier entry: ", entry.name, "=", at->second.text}), false});
        }
        at->second = {std::move(entry.value), entry.line};
    }
}

void Settings::set(std::string_view name, std::string_view text) {
    set_.insert_or_assign(std::string(name), Value{std::string(text), 0});
}

void Settings::compute(const Host& host) {
    std::string name = host.name();
    computed_["mydomain"] = mydomain_default(host);
    if (name.find('.') == name.npos) {
        name += "." + expand("$mydomain", *this).value_or(std::string("localdomain"));
    }
    computed_["myhostname"] = name;
    computed_["mynetworks"] = set_.contains("mynetworks") ? "" : mynetworks_default(host);
}

// The host's name without its first part.
std::string Settings::mydomain_default(const Host& host) const {
    std::string name = host.name();
    if (auto set = set_.find("myhostname"); set != set_.end()) {
        name = expand(set->second.text, *this).value_or(std::string());
    }
    std::size_t dot = name.find('.');
    if (dot == name.npos || dot + 1 == name.size()) return "localdomain";
    return name.substr(dot + 1);
}

std::string Settings::mynetworks_default(const Host& host) const {
    std::string style = expanded("mynetworks_style").value_or(std::string("host"));
    auto protocols = split_list(expanded("inet_protocols").value_or(std::string("all")));
    auto enabled = [&](std::string_view protocol) {
        return std::any_of(protocols.begin(), protocols.end(),
                           [&](const std::string& p) { return p == "all" || p == protocol; });
    };
    std::string out;
    for (const InterfaceAddress& interface : host.addresses()) {
        if (!enabled(interface.ipv6 ? "ipv6" : "ipv4")) continue;
        int prefix = interface.ipv6 ? 128 : 32;
        if (style != "host") prefix = interface.prefix;
        if (style == "class" && !interface.ipv6) {
            int first = parse_number<int>(split(interface.address, '.')[0]).value_or(192);
            prefix = first < 128 ? 8 : first < 192 ? 16 : 24;
        }
        std::string network = network_text(interface, prefix);
        std::string spaced = cat({" ", out, " "});
        if (spaced.find(cat({" ", network, " "})) != spaced.npos) continue;
        out += cat({out.empty() ? "" : " ", network});
    }
    return out;
}

std::optional<std::string> Settings::default_text(std::string_view name) const {
    if (const Row* row = find_row(name)) {
        if (row->default_text != kComputed) return std::string(row->default_text);
        auto computed = computed_.find(name);
        return computed == computed_.end() ? std::string() : computed->second;
    }
    if (const ServiceSuffix* suffix = find_service_suffix(name))
        return cat({"$", suffix->fallback});
    return std::nullopt;
}

std::optional<std::string> Settings::raw(std::string_view name) const {
    if (auto set = set_.find(name); set != set_.end()) return set->second.text;
    return default_text(name);
}

Result<std::string> Settings::expanded(std::string_view name) const {
    auto text = raw(name);
    if (!text) return std::string();
    const Row* row = find_row(name);
    if (row != nullptr && row->type == Type::Template) return std::move(*text);
    // Expanding "$name" rather than its text makes a value that names itself a cycle.
    return expand(cat({"${", name, "}"}), *this);
}

bool Settings::is_user_defined(std::string_view name) const {
    for (const auto& [other, value] : set_) {
        if (mentions(value.text, name)) return true;
    }
    for (const Row& row : rows()) {
        if (mentions(row.default_text, name)) return true;
    }
    auto classes = split_list(raw("smtpd_restriction_classes").value_or(""));
    return std::find(classes.begin(), classes.end(), name) != classes.end();
}

std::vector<Problem> Settings::notes() const {
    std::vector<Problem> out = doubles_;
    for (const auto& [name, value] : set_) {
        if (find_row(name) || find_service_suffix(name) || is_user_defined(name)) continue;
        out.push_back({value.line > 0 ? file() : "", value.line, name, unknown_text(name), false});
    }
    return out;
}

std::vector<std::string> Settings::warnings() const {
    std::vector<std::string> out;
    for (const Problem& note : notes()) out.push_back(note.str());
    return out;
}

std::string Settings::place_of(std::string_view name) const {
    auto set = set_.find(name);
    if (set == set_.end() || set->second.line == 0) return {};
    return place(file(), set->second.line);
}

}  // namespace postern::config
