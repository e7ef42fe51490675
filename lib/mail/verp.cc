#include "lib/mail/verp.h"

#include "lib/base/strings.h"
#include "lib/mail/field_addresses.h"

namespace postern::mail {

std::string verp_sender(std::string_view sender, std::string_view delimiters,
                        std::string_view recipient) {
    const std::string from = unquoted_address(sender), to = unquoted_address(recipient);
    const std::size_t at = from.rfind('@');
    if (at == std::string::npos || delimiters.size() != 2) return std::string(sender);
    const std::size_t to_at = to.rfind('@');
    std::string local = cat({from.substr(0, at), delimiters.substr(0, 1), to.substr(0, to_at)});
    if (to_at != std::string::npos) local += cat({delimiters.substr(1), to.substr(to_at + 1)});
    return quoted_address(local + from.substr(at));
}

}  // namespace postern::mail
