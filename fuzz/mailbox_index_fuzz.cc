// postern.index: a snapshot that is not what it says. The header's checksum is put right, so that
// what lies behind it is reached.
#include <cstdint>
#include <cstring>
#include <string>

#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/mailbox/folder_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using postern::mailbox::IndexHeader;
    std::string bytes(reinterpret_cast<const char*>(data), size);
    postern::mailbox::SnapshotParts parts;
    (void)postern::mailbox::parse_snapshot(bytes, parts);
    if (bytes.size() < sizeof(IndexHeader)) return 0;
    const std::uint32_t crc =
        postern::crc32c(std::string_view(bytes).substr(0, offsetof(IndexHeader, crc)));
    std::memcpy(bytes.data() + offsetof(IndexHeader, crc), &crc, sizeof crc);
    if (!postern::mailbox::parse_snapshot(bytes, parts)) return 0;
    POSTERN_CHECK(parts.rows.size() == parts.header.count);
    std::uint64_t sum = 0;
    for (const auto& row : parts.rows) sum += row.uid + row.name;
    for (const char c : parts.names) sum += static_cast<unsigned char>(c);
    return sum == 1 ? 1 : 0;  // read all, so that a wrong bound is noticed
}
