// Bounce logs: any bytes give records, and records survive being written and read again.
#include <cstdint>
#include <string>

#include "lib/base/check.h"
#include "lib/queue/bounce_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view log(reinterpret_cast<const char*>(data), size);
    std::string again;
    const auto records = postern::queue::parse_bounce_log(log);
    for (const auto& record : records) again += postern::queue::format_bounce_record(record);
    POSTERN_CHECK(postern::queue::parse_bounce_log(again) == records);
    return 0;
}
