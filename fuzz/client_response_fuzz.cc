// What an IMAP server says to `postern mailbox import`: any bytes. What is understood is no deeper
// than the limit, and a text that we quote is read as it was.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/imap/client_response.h"

namespace {

using postern::imap::Value;

std::size_t depth_of(const Value& value) {
    std::size_t deepest = 0;
    for (const Value& item : value.items) deepest = std::max(deepest, depth_of(item));
    return value.kind == Value::Kind::list ? deepest + 1 : 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto response = postern::imap::parse_server_response(bytes)) {
        for (const Value& value : response->values) {
            POSTERN_CHECK(depth_of(value) <= postern::imap::kMaxResponseDepth);
            (void)postern::imap::find_value(value.items, "UID");
        }
        POSTERN_CHECK(!response->tag.empty());
    }
    (void)postern::imap::literal_at_end(bytes);
    if (const auto quoted = postern::imap::quoted_string(bytes)) {
        const auto again = postern::imap::parse_server_response("* LIST " + *quoted);
        POSTERN_CHECK(again && again->values.size() == 1 && again->values[0].text == bytes);
    }
    return 0;
}
