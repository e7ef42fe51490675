// postern.cache: an entry as a damaged disk may have it, with the checksum as it is and put right.
#include <cstdint>
#include <cstring>
#include <string>

#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/mailbox/message_cache.h"

namespace {

void look(std::string_view bytes) {
    const auto entry = postern::mailbox::read_entry(bytes);
    if (!entry) return;
    POSTERN_CHECK(entry->size <= bytes.size());
    const auto& m = entry->message;
    for (const auto text : {m.envelope, m.structure, m.header, m.omitted})
        POSTERN_CHECK(text.data() >= bytes.data() &&
                      text.data() + text.size() <= bytes.data() + bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using postern::mailbox::CacheEntry;
    std::string bytes(reinterpret_cast<const char*>(data), size);
    look(bytes);
    CacheEntry entry{};
    if (bytes.size() < sizeof entry) return 0;
    std::memcpy(&entry, bytes.data(), sizeof entry);
    if (entry.size < sizeof entry || entry.size > bytes.size()) return 0;
    entry.crc = postern::crc32c(std::string_view(bytes).substr(
        offsetof(CacheEntry, uid), entry.size - offsetof(CacheEntry, uid)));
    std::memcpy(bytes.data(), &entry, sizeof entry);
    look(bytes);
    return 0;
}
