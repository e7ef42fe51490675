// PREVIEW (RFC 8970): the first words of any message, with HTML and without: UTF-8 in one line, and
// not too many.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "imapd/preview.h"
#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/base/unicode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view message(reinterpret_cast<const char*>(data), size);
    const std::string text =
        postern::imapd::preview_of(message, postern::mail::parse_mime(message));
    POSTERN_CHECK(postern::is_utf8(text));
    POSTERN_CHECK(text.size() <= 4 * postern::imapd::kPreviewCharacters);
    POSTERN_CHECK(std::none_of(text.begin(), text.end(), postern::is_control));
    return 0;
}
