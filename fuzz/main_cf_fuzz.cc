// Fuzz target: main.cf text through parser, expansion, checks, warnings and an edit.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/config/config.h"
#include "lib/config/main_cf.h"

namespace config_ns = postern::config;

namespace {

class NoHost final : public config_ns::Host {
  public:
    std::string name() const override { return "host.example"; }
    std::vector<config_ns::InterfaceAddress> addresses() const override { return {}; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    auto config = config_ns::Config::parse(text, {}, NoHost());
    if (!config) return 0;
    (void)config->warnings();
    for (const auto& [name, value] : config->settings().set_values()) (void)config->list(name);
    // What parses goes on parsing after an edit, and the edit holds.
    std::string edited =
        config_ns::edit_main_cf(text, {{config_ns::MainEdit::Kind::set, "relayhost", "edited"}});
    auto entries = config_ns::parse_main_cf(edited, "edited");
    if (!entries) __builtin_trap();
    std::string last;
    for (const config_ns::MainEntry& entry : *entries) {
        if (entry.name == "relayhost") last = entry.value;
    }
    if (last != "edited") __builtin_trap();
    return 0;
}
