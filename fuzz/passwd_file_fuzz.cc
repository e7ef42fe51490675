// What administrators, and other servers before us, write into a passwd-file: lines and their extra
// fields. The last line is an address that one comes from.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/base/strings.h"

#include "lib/sasl/login_fields.h"
#include "lib/sasl/passwd_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace sasl = postern::sasl;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto lines = postern::split(input, '\n');
    for (const std::string_view line : lines) {
        const auto entry = sasl::parse_passwd_line(line);
        if (!entry || !*entry) continue;
        POSTERN_CHECK(sasl::is_user_name((*entry)->user));
        const auto again = sasl::parse_passwd_line(sasl::format_passwd_line(**entry));
        POSTERN_CHECK(again && *again && (**again).user == (*entry)->user);
        static_cast<void>(sasl::check_mailbox(**entry).has_value());
        static_cast<void>(sasl::mailbox_of(**entry, "/$user"));
        static_cast<void>(sasl::inbox_file_of(**entry, "/$user"));
        const std::string_view extra = (*entry)->extra;
        static_cast<void>(sasl::check_login_fields(extra).has_value());
        for (const auto name : sasl::fields_without_effect(extra)) POSTERN_CHECK(name != "nologin");
        const auto networks = sasl::LoginNetworks::of(extra);
        if (!networks) continue;
        const bool everywhere = !sasl::extra_field(extra, "allow_nets");
        POSTERN_CHECK(networks->allow(lines.back()) || !everywhere);
    }
    return 0;
}
