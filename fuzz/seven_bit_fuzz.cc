// A message on its way to a server without 8BITMIME: in portions it must come out as in one piece,
// a second conversion must find nothing to do, and the parts must say what they said before.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/content/seven_bit.h"

namespace {

using postern::content::Limits;
using postern::content::SevenBitConverter;

struct Converted {
    std::string text;
    bool left_8bit = false;
    bool operator==(const Converted&) const = default;
};

Converted convert(std::string_view text, std::size_t portion, const Limits& limits) {
    SevenBitConverter converter(limits);
    Converted made;
    for (std::size_t at = 0; at < text.size(); at += portion)
        converter.feed(text.substr(at, portion), made.text);
    converter.finish(made.text);
    made.left_8bit = converter.left_8bit();
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const std::size_t nesting : {100U, 1U}) {
        Limits limits;
        limits.header_size = 3000;
        limits.mime_nesting = nesting;
        const Converted whole = convert(text, size + 1, limits);
        POSTERN_CHECK(convert(text, 3, limits) == whole);
        POSTERN_CHECK(convert(whole.text, 5, limits) == whole);
        POSTERN_CHECK(whole.text.size() <= size * 4 + 100);
    }
    return 0;
}
