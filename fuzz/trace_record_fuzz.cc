// Trace records: whatever the file holds, the scanner ends, and what it takes for a record can be
// written again.
#include <cstddef>
#include <cstdint>

#include "lib/base/check.h"
#include "lib/log/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    for (const bool more : {false, true}) {
        postern::log::RecordScanner scanner(bytes, more);
        while (auto record = scanner.next()) {
            const std::string again = postern::log::encode(*record);
            POSTERN_CHECK(again.size() <= postern::log::kMaxRecord);
        }
        POSTERN_CHECK(scanner.consumed() <= size);
        POSTERN_CHECK(more || scanner.consumed() == size);
    }
    return 0;
}
