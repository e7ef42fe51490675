// A message into cleanup's filter: in portions it must come out as it does in one piece, with CRLF
// line ends only, and within a bound of what went in.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cleanup/message_filter.h"

namespace {

namespace cleanup = postern::cleanup;

struct Filtered {
    std::string text;
    bool refused = false, dots = false;
};

Filtered filter(std::string_view bytes, std::size_t portion, bool local) {
    cleanup::Options options;
    options.content.header_size = 200;
    cleanup::MessageFilter f(
        options,
        {"Received: x\r\n", local, local ? &options.completion : nullptr, "DATE", "<ID>", "a@b"});
    Filtered result;
    for (std::size_t at = 0; at < bytes.size(); at += portion)
        f.feed(bytes.substr(at, portion), result.text);
    f.finish(result.text);
    result.refused = f.refusal().has_value();
    result.dots = f.has_dot_lines();
    return result;
}

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    for (const bool local : {false, true}) {
        const Filtered whole = filter(bytes, size + 1, local);
        const Filtered pieces = filter(bytes, 3, local);
        require(whole.refused == pieces.refused);
        if (whole.refused) continue;
        require(whole.text == pieces.text && whole.dots == pieces.dots);
        require(whole.text.ends_with("\r\n"));
        for (std::size_t at = whole.text.find('\n'); at != std::string::npos;
             at = whole.text.find('\n', at + 1))
            require(whole.text[at - 1] == '\r');
        require((whole.text.find("\n.") != std::string::npos) == whole.dots);
        require(whole.text.size() < size * 20 + 500);
    }
    return 0;
}
