// An HTTP server's answer as it arrives, piece by piece, and the URL of one.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"

#include "lib/net/http.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto url = postern::net::parse_url(input))
        POSTERN_CHECK(!url->host.empty() && url->target.starts_with('/'));
    const auto whole = postern::net::parse_http_response(input, true);
    POSTERN_CHECK(!whole || whole->has_value());
    // An answer that is whole stays so when more comes.
    const std::size_t step = 1 + size / 16;
    bool found = false;
    for (std::size_t at = 0; at <= size; at += step) {
        const auto part = postern::net::parse_http_response(input.substr(0, at), false);
        POSTERN_CHECK(!found || (part && part->has_value()));
        found = part && part->has_value();
        if (!part) break;
    }
    return 0;
}
