// Record data as a name server sends it; the first byte chooses the type.
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "lib/base/check.h"
#include "lib/dns/rdata.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using postern::dns::RecordType;
    if (size == 0) return 0;
    constexpr RecordType kTypes[] = {RecordType::a,    RecordType::aaaa, RecordType::mx,
                                     RecordType::ptr,  RecordType::txt,  RecordType::ns,
                                     RecordType::tlsa, RecordType::srv};
    RecordType type = kTypes[data[0] % std::size(kTypes)];
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    auto record = postern::dns::parse_rdata(type, rest);
    const bool is_name = type == RecordType::mx || type == RecordType::ptr ||
                         type == RecordType::ns || type == RecordType::srv;
    if (record && is_name && !record->data.empty()) {
        POSTERN_CHECK(postern::dns::is_valid_name(record->data));
    }
    return 0;
}
