#include "lib/mailbox/mbox_text.h"

#include <span>

#include "lib/base/strings.h"
#include "lib/mail/date.h"

namespace postern::mailbox {
namespace {

struct StatusLetter {
    char letter;
    SystemFlags flag;
};
constexpr StatusLetter kStatus[] = {{'R', kSeen}};
constexpr StatusLetter kXStatus[] = {
    {'A', kAnswered}, {'F', kFlagged}, {'D', kDeleted}, {'T', kDraft}};

// The line with its end, off the front of the text.
std::string_view take_line(std::string_view& text) {
    const auto at = text.find('\n');
    const auto line = text.substr(0, at == std::string_view::npos ? text.size() : at + 1);
    text.remove_prefix(line.size());
    return line;
}

// ">From ", ">>From ": mboxrd's quoting, when `depth` is at least 1; "From " itself at 0.
bool is_from_line(std::string_view line, std::size_t depth) {
    const auto quotes = line.find_first_not_of('>');
    return quotes != std::string_view::npos && quotes >= depth &&
           line.substr(quotes).starts_with("From ");
}

// True: the field said flags and is not part of the message.
bool take_status(std::string_view line, MboxMessage& out) {
    const auto parts = split_once(line, ':');
    if (!parts) return false;
    const auto letters = [&](const auto& table) {
        for (const StatusLetter& row : table)
            if (parts->second.find(row.letter) != std::string_view::npos) out.flags |= row.flag;
        return true;
    };
    if (iequals(parts->first, "Status")) return letters(kStatus);
    if (iequals(parts->first, "X-Status")) return letters(kXStatus);
    if (iequals(parts->first, "X-Keywords")) {
        for (const std::string_view word : split_words(parts->second))
            if (is_keyword(word)) out.keywords.emplace_back(word);
        return true;
    }
    if (iequals(parts->first, "X-UID")) {
        out.uid = parse_number<std::uint32_t>(trim(parts->second)).value_or(0);
        return true;
    }
    const bool of_internal = iequals(parts->first, "X-IMAP");
    if (!of_internal && !iequals(parts->first, "X-IMAPbase")) return false;
    out.base = trim(parts->second);
    out.internal = out.internal || of_internal;
    return true;
}

// A field that says something about the message in this mailbox.
bool is_status_field(std::string_view line) {
    MboxMessage ignored;
    return take_status(line, ignored);
}

std::int64_t date_of_from_line(std::string_view line) {
    line.remove_prefix(5);
    const auto at = line.find(' ');  // behind the sender
    const auto date =
        at == std::string_view::npos ? std::nullopt : mail::parse_date(trim(line.substr(at)));
    return date ? date->seconds : 0;
}

// "Thu Jan  1 00:00:00 1970", in UTC
std::string asctime_of(std::int64_t seconds) {
    // "Wed, 17 Jul 1996 02:23:25 +0000"
    const std::string text = mail::format_date({seconds, 0});
    const auto words = split_words(text, " ,");
    const std::string day = words[1].size() == 1 ? cat({" ", words[1]}) : std::string(words[1]);
    return cat({words[0], " ", words[2], " ", day, " ", words[4], " ", words[3]});
}

std::string letters_of(SystemFlags flags, std::span<const StatusLetter> table) {
    std::string out;
    for (const StatusLetter& row : table)
        if ((flags & row.flag) != 0) out += row.letter;
    return out;
}

constexpr std::size_t kSpareForKeywords = 24;

// The fields, of `size` bytes altogether where they fit into that, else with some to spare.
std::string fields_in(const MboxFields& fields, std::string_view end, std::size_t size) {
    std::string out;
    if (!fields.base.empty()) out += cat({"X-IMAPbase: ", fields.base, end});
    if (fields.uid != 0) out += cat({"X-UID: ", std::to_string(fields.uid), end});
    out += cat({"Status: ", letters_of(fields.flags, kStatus), "O", end});
    out += cat({"X-Status: ", letters_of(fields.flags, kXStatus), end});
    out += cat({"X-Keywords: ", join(fields.keywords, " ")});
    const std::size_t bare = out.size() + end.size();
    out.append(bare <= size ? size - bare : kSpareForKeywords, ' ');
    return out.append(end);
}

}  // namespace

std::optional<MboxNumbers> numbers_of_base(std::string_view base) {
    const auto words = split_words(base);
    if (words.size() < 2) return std::nullopt;
    const auto validity = parse_number<std::uint32_t>(words[0]);
    const auto last = parse_number<std::uint32_t>(words[1]);
    if (!validity || *validity == 0 || !last || *last == UINT32_MAX) return std::nullopt;
    return MboxNumbers{*validity, *last};
}

// Of fixed width, as other programs have it too: the numbers change in their place.
std::string format_base(const MboxNumbers& numbers, const std::vector<std::string>& keywords) {
    const auto ten = [](std::uint32_t number) {
        const std::string digits = std::to_string(number);
        return std::string(10 - digits.size(), '0') + digits;
    };
    std::string out = cat({ten(numbers.validity), " ", ten(numbers.last_uid)});
    for (const std::string& keyword : keywords) out += cat({" ", keyword});
    return out;
}

std::size_t find_next_message(std::string_view text, std::size_t from) {
    for (auto at = text.find("\nFrom ", from); at != std::string_view::npos;
         at = text.find("\nFrom ", at + 1)) {
        const std::string_view before = text.substr(0, at);
        if (before.ends_with('\n') || before.ends_with("\n\r")) return at + 1;
    }
    return std::string_view::npos;
}

std::size_t header_size_of(std::string_view message) {
    std::string_view rest = message;
    while (!rest.empty()) {
        const auto line = take_line(rest);
        if (line == "\n" || line == "\r\n") break;
    }
    return message.size() - rest.size();
}

std::string with_fields(std::string_view header, const MboxFields& fields, bool internal) {
    const std::string_view end =
        header.substr(0, header.find('\n')).ends_with('\r') ? "\r\n" : "\n";
    std::string kept;
    std::size_t known = 0;  // bytes of the fields
    bool skipping = false, first = true;
    for (std::string_view rest = header; !rest.empty(); first = false) {
        const std::string_view line = take_line(rest);
        const std::string_view bare = line.substr(0, line.find_last_not_of("\r\n") + 1);
        if (bare.empty()) break;
        if (!first && !bare.starts_with(' ') && !bare.starts_with('\t')) {
            skipping = is_status_field(bare);
            if (internal && iequals(bare.substr(0, bare.find(':')), "X-IMAP")) {
                kept += cat({"X-IMAP: ", fields.base, end});
                continue;
            }
        }
        if (skipping && !internal)
            known += line.size();
        else
            kept += line;
    }
    if (!kept.ends_with('\n')) kept += end;
    if (!internal) kept += fields_in(fields, end, known);
    return kept.append(end);
}

// Up to the next "From " line behind an empty line.
std::string_view MboxReader::take_message() {
    std::string_view text = rest_;
    take_line(text);
    bool after_empty = false;
    while (!text.empty()) {
        if (after_empty && text.starts_with("From ")) break;
        const auto line = take_line(text);
        after_empty = line == "\n" || line == "\r\n";
    }
    const auto message = rest_.substr(0, rest_.size() - text.size());
    rest_ = text;
    return message;
}

std::optional<MboxMessage> MboxReader::next() {
    while (rest_.starts_with('\n') || rest_.starts_with("\r\n")) take_line(rest_);
    if (!rest_.starts_with("From ")) return std::nullopt;
    MboxMessage out;
    std::string_view text = take_message();
    out.date = date_of_from_line(take_line(text));
    bool header = true, skipping = false;
    while (!text.empty()) {
        std::string_view line = take_line(text);
        std::string_view bare = line.substr(0, line.find_last_not_of("\r\n") + 1);
        if (bare.empty()) header = false;
        if (header && !(bare.starts_with(' ') || bare.starts_with('\t')))
            skipping = take_status(bare, out);
        if (header && skipping) continue;
        if (is_from_line(bare, 1)) bare.remove_prefix(1);
        out.text += cat({bare, "\n"});
    }
    out.internal = out.internal && out.text.find("FOLDER INTERNAL DATA") != std::string::npos;
    // The empty line before the next message is not the message's.
    if (out.text.ends_with("\n\n")) out.text.pop_back();
    return out;
}

std::string to_mbox(const MboxMessage& message) {
    std::string out = cat({"From MAILER-DAEMON ", asctime_of(message.date), "\n"});
    std::string fields = cat({"Status: ", letters_of(message.flags, kStatus), "O\n"});
    if (!message.base.empty()) fields += cat({"X-IMAPbase: ", message.base, "\n"});
    if (message.uid != 0) fields += cat({"X-UID: ", std::to_string(message.uid), "\n"});
    const std::string other = letters_of(message.flags, kXStatus);
    if (!other.empty()) fields += cat({"X-Status: ", other, "\n"});
    if (!message.keywords.empty())
        fields += cat({"X-Keywords: ", join(message.keywords, " "), "\n"});
    bool header = true;
    std::string_view text = message.text;
    while (!text.empty()) {
        std::string_view line = take_line(text);
        const std::string_view bare = line.substr(0, line.find_last_not_of("\r\n") + 1);
        if (header && bare.empty()) {
            header = false;
            out += fields;
        }
        if (is_from_line(bare, 0)) out += '>';
        out += cat({bare, "\n"});
    }
    if (header) out += fields;
    return out + "\n";
}

}  // namespace postern::mailbox
