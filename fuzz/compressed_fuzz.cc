// Files of messages that Dovecot compressed: any bytes. What they hold has a limit, and which method
// it is depends on the first bytes alone.
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/mailbox/compressed.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using postern::mailbox::decompressed;
    using postern::mailbox::is_compressed;
    constexpr std::size_t kLimit = 100'000;
    const std::string_view file(reinterpret_cast<const char*>(data), size);
    POSTERN_CHECK(is_compressed(file) == is_compressed(file.substr(0, 16)));
    const auto text = decompressed(file, kLimit);
    POSTERN_CHECK(!text || (is_compressed(file) && text->size() <= kLimit));
    return 0;
}
