// MIME structure: offsets must nest, and BODYSTRUCTURE must be writable for any text.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/imap/response.h"
#include "lib/mail/mime.h"
#include "lib/mail/transfer_encoding.h"

namespace {

void check_part(const postern::mail::MimePart& part, std::string_view text) {
    POSTERN_CHECK(part.header_begin <= part.body_begin && part.body_begin <= part.body_end);
    POSTERN_CHECK(part.body_end <= text.size());
    (void)postern::mail::decode_content(part.encoding, part.body(text));
    for (const auto& child : part.children) {
        POSTERN_CHECK(child.header_begin >= part.body_begin && child.body_end <= part.body_end);
        check_part(child, text);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view raw(reinterpret_cast<const char*>(data), size);
    for (const std::string& text : {std::string(raw), postern::mail::to_wire_form(raw)}) {
        const auto root = postern::mail::parse_mime(text);
        check_part(root, text);
        std::string out;
        postern::imap::append_body(out, text, root, true);
    }
    return 0;
}
