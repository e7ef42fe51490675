// Fuzz target: master.cf text; what parses is printed, and what is printed means the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/config/master_cf.h"

namespace config_ns = postern::config;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    auto file = config_ns::MasterFile::parse(text);
    if (!file) return 0;
    file->add_built_in();
    for (const config_ns::MasterEntry& entry : file->entries()) {
        (void)entry.host();
        std::string line = config_ns::master_line(entry, true);
        auto again = config_ns::MasterFile::parse(line);
        if (!again || again->entries().size() != 1) __builtin_trap();
        if (again->entries().front().overrides != entry.overrides) __builtin_trap();
        // "-o { name = value }" is printed as "-o {name=value}", as Postfix does, and stays so.
        if (config_ns::master_line(again->entries().front(), true) != line) __builtin_trap();
    }
    return 0;
}
