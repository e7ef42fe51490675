// Fuzz target: restriction lists, and what their words are followed by: policy services, DNS lists. The
// first line is the value of a restriction class, the rest the list.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/config/dns_list.h"
#include "lib/config/policy_service.h"
#include "lib/config/restrictions.h"

namespace config_ns = postern::config;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t line = std::min(text.find('\n'), size);
    const auto is_class = [](std::string_view name) { return name == "own"; };
    config_ns::RestrictionClasses classes;
    classes.emplace("own", config_ns::parse_restrictions(text.substr(0, line), is_class));
    const auto list = config_ns::parse_restrictions(text.substr(line), is_class);
    (void)config_ns::stops_relaying(list, classes);
    for (const auto& item : list) {
        // What is wrong says so, and nothing else does.
        if ((item.check == config_ns::Check::mistake) == item.mistake.empty()) __builtin_trap();
        (void)config_ns::PolicyService::parse(item.argument).has_value();
        const auto lists = config_ns::DnsListName::parse(item.argument);
        if (lists) (void)lists->filter.counts("127.0.0.2");
    }
    return 0;
}
