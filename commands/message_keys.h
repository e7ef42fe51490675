// The keys that postmap -h, -b and -m take from a message: its logical header lines, its lines of
// text, and those of the parts inside. What cleanup would show to header_checks and body_checks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::commands {

struct MessageKeys {
    bool header = false;  // -h: each field, with the line ends of its folds
    bool body = false;    // -b: each line from the first that is no field
    bool mime = false;    // -m: headers of parts and of attached messages are headers, not text
};

// In the order of the message. Borrows nothing. Any text is a message.
std::vector<std::string> message_keys(std::string_view message, MessageKeys wanted);

}  // namespace postern::commands
