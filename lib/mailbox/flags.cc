#include "lib/mailbox/flags.h"

#include <array>
#include <utility>

#include "lib/base/strings.h"

namespace postern::mailbox {
namespace {

constexpr std::array<std::pair<SystemFlags, std::string_view>, 5> kNames{{
    {kAnswered, "\\Answered"},
    {kFlagged, "\\Flagged"},
    {kDeleted, "\\Deleted"},
    {kSeen, "\\Seen"},
    {kDraft, "\\Draft"},
}};

// RFC 3501 9: ATOM-CHAR excludes these, space and controls; also "]", which would end a response
// code such as [PERMANENTFLAGS (...)] too early in simple clients.
constexpr std::string_view kNotAtom = "(){%*\"\\] ";

}  // namespace

std::optional<SystemFlags> system_flag(std::string_view name) {
    for (const auto& [bit, text] : kNames)
        if (iequals(name, text)) return bit;
    return std::nullopt;
}

std::string_view system_flag_name(SystemFlags bit) {
    for (const auto& [known, text] : kNames)
        if (known == bit) return text;
    return "";
}

bool is_keyword(std::string_view name) {
    if (name.empty() || name.size() > kMaxKeywordSize) return false;
    for (const char c : name)
        if (c <= ' ' || c == 127 || kNotAtom.find(c) != std::string_view::npos) return false;
    return true;
}

}  // namespace postern::mailbox
