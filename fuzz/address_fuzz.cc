// Paths and addresses of the SMTP envelope: what parses must print, and parse again to the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/mail/address.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using postern::mail::Address;
    using postern::mail::AddressRules;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (int flags = 0; flags < 16; ++flags) {
        AddressRules rules;
        rules.smtputf8 = (flags & 1) != 0;
        rules.bare_local = (flags & 2) != 0;
        rules.strict = (flags & 4) != 0;
        rules.raw_local = (flags & 8) != 0;
        auto path = postern::mail::parse_path(text, rules);
        if (!path) continue;
        const auto printed = path->address.str();
        rules.strict = false;  // quoting may have made it longer
        auto again = Address::parse(printed, rules);
        POSTERN_CHECK(again && *again == path->address);
    }
    return 0;
}
