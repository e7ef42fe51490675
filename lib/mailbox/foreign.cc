#include "lib/mailbox/foreign.h"

#include <fcntl.h>

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::mailbox {
namespace {

// The lines of a text, without their ends; views into it.
std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines = split(text, '\n');
    if (!lines.empty() && lines.back().empty()) lines.pop_back();
    for (std::string_view& line : lines)
        if (line.ends_with('\r')) line.remove_suffix(1);
    return lines;
}

std::string_view base_of_name(std::string_view name) { return name.substr(0, name.find(':')); }

// Makes the list fit to be used: ascending, each name once, next_uid above all.
std::optional<ForeignUids> checked(ForeignUids uids) {
    if (uids.validity == 0) return std::nullopt;
    std::uint32_t last = 0;
    for (const auto& [uid, name] : uids.messages) {
        if (uid <= last || uid == UINT32_MAX || name.empty() ||
            name.find('/') != std::string::npos)
            return std::nullopt;
        last = uid;
    }
    uids.next_uid = std::max(uids.next_uid, last + 1);
    return uids;
}

// "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1", or, from before 2007, "1 V N"
std::optional<ForeignUids> dovecot_header(std::string_view line, bool& with_fields) {
    ForeignUids out;
    const auto words = split_words(line, " ");
    if (words.empty()) return std::nullopt;
    with_fields = words[0] == "3";
    if (words[0] == "1" && words.size() >= 3) {
        out.validity = parse_number<std::uint32_t>(words[1]).value_or(0);
        out.next_uid = parse_number<std::uint32_t>(words[2]).value_or(0);
        return out;
    }
    if (!with_fields) return std::nullopt;
    for (const std::string_view word : words) {
        const auto number = parse_number<std::uint32_t>(word.substr(1));
        if (word.front() == 'V') out.validity = number.value_or(0);
        if (word.front() == 'N') out.next_uid = number.value_or(0);
    }
    return out;
}

std::string without_inbox(std::string_view name) {
    return std::string(istarts_with(name, "INBOX.") ? name.substr(6) : name);
}

}  // namespace

// "25006 W1394 :1276528487.M364837P9451.host,S=1355,W=1394"; version 1 has no fields and no colon.
std::optional<ForeignUids> parse_dovecot_uidlist(std::string_view text) {
    const auto lines = lines_of(text);
    bool with_fields = false;
    auto out = lines.empty() ? std::nullopt : dovecot_header(lines.front(), with_fields);
    if (!out) return std::nullopt;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const auto parts = split_once(lines[i], ' ');
        const auto uid = parts ? parse_number<std::uint32_t>(parts->first) : std::nullopt;
        if (!uid) return std::nullopt;
        std::string_view name = parts->second;
        if (with_fields) {
            const auto colon = name.starts_with(':') ? 0 : name.find(" :");
            if (colon == std::string_view::npos) return std::nullopt;
            name.remove_prefix(name.find(':', colon) + 1);
        }
        out->messages.emplace_back(*uid, base_of_name(name));
    }
    return checked(*std::move(out));
}

// "1 <validity> <next uid>", then "<uid> <name>"
std::optional<ForeignUids> parse_courier_uiddb(std::string_view text) {
    const auto lines = lines_of(text);
    const auto words = lines.empty() ? std::vector<std::string_view>() : split_words(lines[0], " ");
    if (words.size() < 3 || words[0] != "1") return std::nullopt;
    ForeignUids out;
    out.validity = parse_number<std::uint32_t>(words[1]).value_or(0);
    out.next_uid = parse_number<std::uint32_t>(words[2]).value_or(0);
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const auto parts = split_once(lines[i], ' ');
        const auto uid = parts ? parse_number<std::uint32_t>(parts->first) : std::nullopt;
        if (!uid) return std::nullopt;
        out.messages.emplace_back(*uid, base_of_name(parts->second));
    }
    return checked(std::move(out));
}

std::map<char, std::string> parse_dovecot_keywords(std::string_view text) {
    std::map<char, std::string> out;
    for (const std::string_view line : lines_of(text)) {
        const auto parts = split_once(line, ' ');
        const auto index = parts ? parse_number<unsigned>(parts->first) : std::nullopt;
        if (index && *index < kDovecotKeywords)
            out[static_cast<char>('a' + *index)] = std::string(parts->second);
    }
    return out;
}

// Names of keywords, an empty line, then "name:0 2"
KeywordsByBase parse_courier_keywords(std::string_view text) {
    KeywordsByBase out;
    std::vector<std::string> names;
    const auto lines = lines_of(text);
    std::size_t at = 0;
    for (; at < lines.size() && !lines[at].empty(); ++at) names.emplace_back(lines[at]);
    for (++at; at < lines.size(); ++at) {
        const auto parts = split_once(lines[at], ':');
        if (!parts) continue;
        auto& keywords = out[std::string(parts->first)];
        for (const std::string_view word : split_words(parts->second, " ")) {
            const auto index = parse_number<std::size_t>(word);
            if (index && *index < names.size()) keywords.push_back(names[*index]);
        }
    }
    return out;
}

// "/3 <next> <validity>", then "<name> <size> <number>:<validity>:<flag>" a line
UidlByBase parse_courier_pop3(std::string_view text) {
    UidlByBase out;
    const auto lines = lines_of(text);
    if (lines.empty() || !lines.front().starts_with("/3 ")) return out;
    for (std::size_t at = 1; at < lines.size(); ++at) {
        const auto words = split_words(lines[at], " ");
        if (words.size() != 3) continue;
        const auto numbers = split(words[2], ':');
        const auto number = parse_number<std::uint64_t>(numbers[0]);
        const auto validity =
            numbers.size() > 1 ? parse_number<std::uint64_t>(numbers[1]) : std::nullopt;
        if (!number || !validity) continue;
        const std::string base(words[0].substr(0, words[0].find(':')));
        out[base] = *number == 0
                        ? base
                        : cat({"UID", std::to_string(*number), "-", std::to_string(*validity)});
    }
    return out;
}

// Version 2 begins with "V\t2" and has tabs between levels.
std::vector<std::string> parse_dovecot_subscriptions(std::string_view text) {
    std::vector<std::string> out;
    const auto lines = lines_of(text);
    const bool second = !lines.empty() && lines.front() == "V\t2";
    for (std::size_t i = second ? 1 : 0; i < lines.size(); ++i) {
        if (lines[i].empty()) continue;
        std::string name(lines[i]);
        if (second) std::replace(name.begin(), name.end(), '\t', '.');
        out.push_back(without_inbox(name));
    }
    return out;
}

std::vector<std::string> parse_courier_subscriptions(std::string_view text) {
    std::vector<std::string> out;
    for (const std::string_view line : lines_of(text))
        if (!line.empty()) out.push_back(without_inbox(line));
    return out;
}

Result<std::string> read_small_file(sys::Fs& fs, const std::string& path, std::size_t limit) {
    TRY_ASSIGN(const Fd file, fs.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    TRY_ASSIGN(const auto info, fs.info(file.get()));
    if (info.kind != sys::FileInfo::Kind::regular || info.size > limit)
        return Error{Errc::corrupt, path + ": not a regular file, or too large", 0};
    return fs.read_at(file.get(), 0, static_cast<std::size_t>(info.size));
}

std::string format_dovecot_uidlist(const ForeignUids& uids, std::string_view guid) {
    std::string out = cat({"3 V", std::to_string(uids.validity), " N",
                           std::to_string(uids.next_uid), " G", guid, "\n"});
    for (const auto& [uid, name] : uids.messages)
        out += cat({std::to_string(uid), " :", name, "\n"});
    return out;
}

std::string format_dovecot_keywords(const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t i = 0; i < names.size() && i < kDovecotKeywords; ++i)
        out += cat({std::to_string(i), " ", names[i], "\n"});
    return out;
}

std::string format_dovecot_subscriptions(const std::vector<std::string>& names) {
    std::string out = "V\t2\n\n";
    for (std::string name : names) {
        std::replace(name.begin(), name.end(), '.', '\t');
        out += name + "\n";
    }
    return out;
}

}  // namespace postern::mailbox
