#include "lib/pop3/command.h"

#include "lib/base/strings.h"

namespace postern::pop3 {

std::string capability_lines(const Capabilities& capabilities) {
    std::string lines =
        "CAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\nEXPIRE NEVER\r\n";
    if (capabilities.login_delay > 0)
        lines += cat({"LOGIN-DELAY ", std::to_string(capabilities.login_delay), "\r\n"});
    lines += "UTF8 USER\r\n";
    if (capabilities.passwords) lines += "USER\r\n";
    if (!capabilities.mechanisms.empty()) lines += cat({"SASL ", capabilities.mechanisms, "\r\n"});
    return lines;
}

Command Command::parse(std::string_view line) {
    Command command;
    const auto space = line.find(' ');
    command.verb = to_upper(line.substr(0, space));
    if (space != std::string_view::npos) command.rest = line.substr(space + 1);
    command.words = split_words(command.rest, " ");
    return command;
}

std::optional<std::uint32_t> Command::number(std::size_t index) const {
    if (index >= words.size()) return std::nullopt;
    return parse_number<std::uint32_t>(words[index]);
}

}  // namespace postern::pop3
