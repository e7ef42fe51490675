// Fuzz target: a .forward file, as its owner may write it, and the names of forward_path and
// commands.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/sys/command.h"

#include "local/forward_file.h"
#include "local/user_facts.h"

namespace local_ns = postern::local;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const local_ns::OwnNames own{"u", "u+x", {"here.test"}, "here.test"};
    for (const auto& one :
         local_ns::parse_forward(text, own, local_ns::Origin::forward).destinations) {
        if (one.kind == local_ns::Destination::Kind::command)
            (void)postern::sys::command_words(one.text);
        if (one.kind == local_ns::Destination::Kind::address && one.text.empty()) __builtin_trap();
    }
    local_ns::Target target;
    target.user = "u";
    target.home = "/home/u";
    target.address = text.substr(0, 200);
    const auto facts = local_ns::facts_of(target, "+-");
    for (const auto& path :
         local_ns::forward_candidates("$home/.forward+$extension $home/$local", facts, "abc/.+")) {
        // An address never leads out of the folder.
        if (path.substr(8).find('/') != std::string::npos) __builtin_trap();
    }
    return 0;
}
