#include "lib/dns/resolver.h"

#include "lib/base/ip_address.h"
#include "lib/base/strings.h"
#include "lib/base/unicode.h"

namespace postern::dns {

std::string_view type_name(RecordType type) {
    switch (type) {
        case RecordType::a: return "A";
        case RecordType::ptr: return "PTR";
        case RecordType::ns: return "NS";
        case RecordType::tlsa: return "TLSA";
        case RecordType::mx: return "MX";
        case RecordType::txt: return "TXT";
        case RecordType::aaaa: return "AAAA";
        case RecordType::srv: return "SRV";
    }
    return "unknown";
}

std::optional<RecordType> type_named(std::string_view name) {
    using enum RecordType;
    for (const RecordType type : {a, ns, ptr, mx, txt, aaaa, srv, tlsa}) {
        if (iequals(name, type_name(type))) return type;
    }
    return std::nullopt;
}

bool is_null_mx(const Answer& answer) {
    return answer.records.size() == 1 && answer.records[0].data.empty();
}

bool is_valid_name(std::string_view name) {
    if (!name.empty() && name.back() == '.') name.remove_suffix(1);
    if (name.empty() || name.size() > 253) return false;
    for (std::string_view label : split(name, '.')) {
        if (label.empty() || label.size() > 63) return false;
        for (char c : label) {
            if (!is_alnum(c) && c != '-' && c != '_') return false;
        }
    }
    return true;
}

Result<std::string> ascii_name(std::string_view name) {
    TRY_ASSIGN(std::string ascii, domain_to_ascii(name));
    if (!is_valid_name(ascii))
        return Error{Errc::invalid, cat({printable(name, 300), ": not a host name"})};
    return ascii;
}

std::string reverse_name(std::string_view address) {
    auto parsed = IpAddress::parse(address);
    if (!parsed) return "";
    std::string_view bytes = parsed->bytes();
    std::string name;
    for (std::size_t i = bytes.size(); i-- > 0;) {
        unsigned byte = static_cast<unsigned char>(bytes[i]);
        if (parsed->is_v4()) {
            name += std::to_string(byte) + ".";
        } else {
            constexpr std::string_view kHex = "0123456789abcdef";
            name += {kHex[byte & 15], '.', kHex[byte >> 4], '.'};
        }
    }
    return name + (parsed->is_v4() ? "in-addr.arpa" : "ip6.arpa");
}

}  // namespace postern::dns
