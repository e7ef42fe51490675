#include "lib/mailbox/message_name.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/base/strings.h"

namespace postern::mailbox {
namespace {

constexpr std::array<std::pair<char, SystemFlags>, 5> kLetters{{
    {'D', kDraft},
    {'F', kFlagged},
    {'R', kAnswered},
    {'S', kSeen},
    {'T', kDeleted},
}};
constexpr char kPassed = 'P';

SystemFlags flag_of_letter(char letter) {
    for (const auto& [known, flag] : kLetters)
        if (known == letter) return flag;
    return 0;
}

std::string_view letters_of(std::string_view info) {
    return info.starts_with(":2,") ? info.substr(3) : std::string_view();
}

}  // namespace

MessageName MessageName::parse(std::string_view file_name) {
    const auto colon = file_name.find(':');
    if (colon == std::string_view::npos) return {file_name, {}};
    return {file_name.substr(0, colon), file_name.substr(colon)};
}

Flags flags_of_info(std::string_view info) {
    Flags flags;
    for (const char letter : letters_of(info)) {
        flags.system = static_cast<SystemFlags>(flags.system | flag_of_letter(letter));
        if (letter == kPassed) flags.keywords |= 1;
    }
    return flags;
}

std::string info_of_flags(const Flags& flags, std::string_view old_info) {
    std::string letters;
    for (const auto& [letter, flag] : kLetters)
        if ((flags.system & flag) != 0) letters += letter;
    if ((flags.keywords & 1) != 0) letters += kPassed;
    for (const char letter : letters_of(old_info))
        if (letter != kPassed && flag_of_letter(letter) == 0) letters += letter;
    std::sort(letters.begin(), letters.end());
    letters.erase(std::unique(letters.begin(), letters.end()), letters.end());
    return ":2," + letters;
}

std::optional<std::uint64_t> size_in_name(std::string_view base, char key) {
    const char marker[] = {',', key, '='};
    const auto at = base.find(std::string_view(marker, sizeof marker));
    if (at == std::string_view::npos) return std::nullopt;
    base.remove_prefix(at + sizeof marker);
    return parse_number<std::uint64_t>(base.substr(0, base.find(',')));
}

namespace {

constexpr std::uint64_t kFnvPrime = 0x100000001b3;
constexpr std::int64_t kYear9999 = 253402300799;

std::uint64_t fnv(std::string_view text, std::uint64_t hash) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
    return hash;
}

// RFC 8474 7: objectid = 1*255(ALPHA / DIGIT / "_" / "-")
bool is_object_id(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return is_alnum(c) || c == '_' || c == '-';
    });
}

std::string_view text_in_name(std::string_view base, std::string_view marker) {
    const auto at = base.find(marker);
    if (at == std::string_view::npos) return {};
    base.remove_prefix(at + marker.size());
    return base.substr(0, base.find(','));
}

}  // namespace

std::string email_id_of(std::string_view base) {
    if (const auto kept = text_in_name(base, ",I="); is_object_id(kept)) return std::string(kept);
    const auto stem = base.substr(0, base.find(','));
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string out = "M";
    for (const std::uint64_t seed : {0xcbf29ce484222325U, 0x9e3779b97f4a7c15U}) {
        std::uint64_t hash = fnv(stem, seed);
        hash ^= hash >> 32;
        for (int i = 0; i < 16; ++i, hash >>= 4) out += kHex[hash & 15];
    }
    return out;
}

std::int64_t save_date_of(std::string_view base, std::int64_t internal_date) {
    const auto end = std::find_if_not(base.begin(), base.end(), is_digit);
    const auto seconds = base.substr(0, static_cast<std::size_t>(end - base.begin()));
    const auto made = parse_number<std::int64_t>(seconds);
    std::string_view rest = base.substr(seconds.size());
    if (!made || *made <= 0 || *made > kYear9999 || !rest.starts_with('.')) return internal_date;
    if (!rest.starts_with(".M")) return *made;
    rest.remove_prefix(2);
    while (!rest.empty() && is_digit(rest.front())) rest.remove_prefix(1);
    return rest.starts_with('Q') ? internal_date : *made;
}

bool is_message_name(std::string_view file_name) {
    if (file_name.empty() || file_name.front() == '.' || file_name.size() > 255) return false;
    return std::none_of(file_name.begin(), file_name.end(),
                        [](char c) { return is_control(c) || c == '/'; });
}

}  // namespace postern::mailbox
