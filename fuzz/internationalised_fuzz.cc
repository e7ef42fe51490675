// What is new to parse for internationalised mail: domains in UTF-8, case folding, ORCPT of both
// types.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/mail/xtext.h"

namespace {

void check_domain(std::string_view text) {
    const auto ascii = postern::domain_to_ascii(text);
    if (!ascii) return;
    POSTERN_CHECK(postern::is_ascii(*ascii));
    POSTERN_CHECK(postern::domain_to_ascii(*ascii).value() == *ascii);
    if (!postern::is_ascii(text)) POSTERN_CHECK(ascii->size() <= 255);
}

void check_folding(std::string_view text) {
    const auto folded = postern::fold_case(text);
    POSTERN_CHECK(postern::fold_case(folded) == folded);
    POSTERN_CHECK(postern::is_utf8(text) == postern::is_utf8(folded));
    POSTERN_CHECK(postern::same_folded(text, folded));
}

// What was parsed goes out as ASCII and is the same when it comes back.
void check_orcpt(std::string_view text) {
    const auto orcpt = postern::mail::parse_orcpt(text);
    if (!orcpt) return;
    const auto wire = postern::mail::orcpt_for_wire(text);
    POSTERN_CHECK(postern::is_ascii(wire));
    const auto again = postern::mail::parse_orcpt(wire);
    POSTERN_CHECK(again && again->type == orcpt->type && again->address == orcpt->address);
    for (const char c : orcpt->address) POSTERN_CHECK(!postern::is_control(c));
    const auto made = postern::mail::parse_orcpt(postern::mail::orcpt_of(orcpt->address));
    POSTERN_CHECK(made && made->address == orcpt->address);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_domain(text);
    check_folding(text);
    check_orcpt(text);
    return 0;
}
