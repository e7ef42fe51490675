#include "bounce/threading.h"

#include <algorithm>
#include <vector>

#include "lib/base/strings.h"
#include "lib/mail/header.h"

namespace postern::bounce {
namespace {

constexpr std::size_t kMaxId = 900;         // RFC 5322 2.1.1: a line has 998 at most
constexpr std::size_t kMaxReferences = 30;  // of a long conversation, the last ones

// The message-ids of a field; comments and what else stands between them are passed over.
std::vector<std::string> message_ids(std::string_view text) {
    std::vector<std::string> ids;
    for (std::size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
        const std::size_t end = text.find_first_of("<> \t\r\n", at + 1);
        if (end == text.npos || text[end] != '>') continue;
        const std::string_view id = text.substr(at, end + 1 - at);
        const bool plain = std::all_of(id.begin(), id.end(), [](char c) {
            return c > ' ' && static_cast<unsigned char>(c) < 127;
        });
        if (plain && id.size() > 2 && id.size() <= kMaxId) ids.emplace_back(id);
    }
    return ids;
}

}  // namespace

std::string thread_fields(std::string_view header) {
    const auto own = message_ids(mail::field_text(header, "Message-ID"));
    if (own.empty()) return "";
    auto references = message_ids(mail::field_text(header, "References"));
    if (references.empty()) {
        references = message_ids(mail::field_text(header, "In-Reply-To"));
        if (references.size() > 1) references.clear();
    }
    references.push_back(own.front());
    if (references.size() > kMaxReferences)
        references.erase(references.begin(), references.end() - kMaxReferences);
    std::string out = "References:";
    for (const std::string& id : references) out += cat({" ", id, "\r\n"});
    return cat({out, "In-Reply-To: ", own.front(), "\r\n"});
}

}  // namespace postern::bounce
