// Unicode, see unicode.h. Callers are given results of network input: both libraries
// get well-formed UTF-8 of bounded length only. They are loaded when the first text that is not
// ASCII comes: sendmail, which sees few of them, starts half a millisecond earlier without them.
#include "lib/base/unicode.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "lib/base/shared_library.h"
#include "lib/base/strings.h"

namespace postern {
namespace {

constexpr std::size_t kMaxDomain = 255;       // RFC 5321 4.5.3.1.2
constexpr std::size_t kMaxFolded = 64 << 10;  // more than any key of a table

// What <idn2.h> and <unicase.h> declare, as far as it is used here (libidn2 2, which stands on
// libunistring and brings it along).
constexpr int kNfcInput = 1, kNonTransitional = 8;  // IDN2_NFC_INPUT, IDN2_NONTRANSITIONAL
struct UnicodeApi {
    int (*lookup)(const std::uint8_t*, std::uint8_t**, int) = nullptr;
    const char* (*message)(int) = nullptr;
    std::uint8_t* (*casefold)(const std::uint8_t*, std::size_t, const char*, const void*,
                              std::uint8_t*, std::size_t*) = nullptr;
};

Result<UnicodeApi> open_unicode() {
    TRY_ASSIGN(auto library, SharedLibrary::open("libidn2.so.0", "libidn2-0"));
    UnicodeApi api;
    library.bind(api.lookup, "idn2_lookup_u8").bind(api.message, "idn2_strerror");
    library.bind(api.casefold, "u8_casefold");
    TRY(library.check());
    return api;
}

const Result<UnicodeApi>& unicode_api() {
    static const Result<UnicodeApi> api = open_unicode();
    return api;
}

struct FreeMemory {
    void operator()(void* memory) const { std::free(memory); }
};

template <class T>
using Owned = std::unique_ptr<T, FreeMemory>;

Error no_form(std::string_view domain, std::string_view why) {
    return Error{Errc::invalid,
                 cat({"domain \"", printable(domain, 100), "\" has no ASCII form: ", why})};
}

// What comes out is looked at as if a stranger had sent it.
bool is_dns_name(std::string_view name) {
    if (name.size() > kMaxDomain) return false;
    for (const auto label : split(name, '.')) {
        const bool plain = std::all_of(label.begin(), label.end(),
                                       [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
        if (!plain || label.empty() || label.size() > 63 || label.front() == '-' ||
            label.back() == '-')
            return false;
    }
    return true;
}

const std::uint8_t* bytes_of(const std::string& text) {
    return reinterpret_cast<const std::uint8_t*>(text.c_str());
}

// How many bytes of ASCII there are at the front, at least; eight are looked at together.
std::size_t leading_ascii(std::string_view text) {
    constexpr std::uint64_t kHighBits = 0x8080808080808080;
    std::size_t at = 0;
    for (std::uint64_t eight = 0; text.size() - at >= sizeof eight; at += sizeof eight) {
        std::memcpy(&eight, text.data() + at, sizeof eight);
        if ((eight & kHighBits) != 0) break;
    }
    while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
    return at;
}

// Length of the UTF-8 sequence that begins text, 0 when it is none.
std::size_t utf8_sequence(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) return 1;
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
    for (std::size_t i = 1; i < size; ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
    }
    const auto second = static_cast<unsigned char>(text[1]);
    const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    const bool outside = (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
    return overlong || outside ? 0 : size;
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (;;) {
        text.remove_prefix(leading_ascii(text));
        if (text.empty()) return true;
        const auto size = utf8_sequence(text);
        if (size == 0) return false;
        text.remove_prefix(size);
    }
}

bool is_ascii(std::string_view text) { return leading_ascii(text) == text.size(); }

Result<void> load_unicode() {
    const auto& api = unicode_api();
    if (!api) return api.error();
    return {};
}

Result<std::string> domain_to_ascii(std::string_view domain) {
    if (is_ascii(domain)) return std::string(domain);
    if (domain.size() > kMaxDomain) return no_form(domain, "too long");
    if (!is_utf8(domain)) return no_form(domain, "malformed UTF-8");
    const auto& api = unicode_api();
    if (!api) return api.error();
    const std::string terminated(domain);
    std::uint8_t* made = nullptr;
    // RFC 5891 5; without IDN2_USE_STD3_ASCII_RULES "_" remains possible, as in other host names.
    const int outcome = api->lookup(bytes_of(terminated), &made, kNfcInput | kNonTransitional);
    const Owned<std::uint8_t> owner(made);
    if (outcome != 0) return no_form(domain, api->message(outcome));
    std::string ascii(reinterpret_cast<const char*>(made));
    if (!is_dns_name(ascii)) return no_form(domain, "no domain name");
    return ascii;
}

std::string fold_case(std::string_view text) {
    if (is_ascii(text) || text.size() > kMaxFolded || !is_utf8(text)) return to_lower(text);
    const auto& api = unicode_api();
    if (!api) return to_lower(text);
    std::size_t size = 0;
    const Owned<std::uint8_t> folded(
        api->casefold(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), nullptr,
                      nullptr, nullptr, &size));
    if (!folded) return to_lower(text);
    return {reinterpret_cast<const char*>(folded.get()), size};
}

bool same_folded(std::string_view a, std::string_view b) {
    return iequals(a, b) || ((!is_ascii(a) || !is_ascii(b)) && fold_case(a) == fold_case(b));
}

bool ends_with_folded(std::string_view text, std::string_view suffix) {
    if (iends_with(text, suffix)) return true;
    return (!is_ascii(text) || !is_ascii(suffix)) && fold_case(text).ends_with(fold_case(suffix));
}

}  // namespace postern
