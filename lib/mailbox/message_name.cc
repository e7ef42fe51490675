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

bool is_message_name(std::string_view file_name) {
    if (file_name.empty() || file_name.front() == '.' || file_name.size() > 255) return false;
    return std::none_of(file_name.begin(), file_name.end(), is_control);
}

}  // namespace postern::mailbox
