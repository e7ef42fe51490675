// Summary: what clients ask about a message without wanting the message, worked out once: ENVELOPE
// and BODYSTRUCTURE as they are sent, and the header without the fields that are long and hardly
// asked for. postern.cache keeps summaries. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/mail/mime.h"

namespace postern::mailbox {

inline constexpr std::size_t kMaxSummary = 64 * 1024;  // larger ones are not kept

struct Summary {
    std::uint64_t wire_size = 0;
    std::string envelope, structure;
    std::string header;   // fields as in the message, no empty line
    std::string omitted;  // names of fields that header lacks: ":received:dkim-signature:"

    std::size_t size() const {
        return envelope.size() + structure.size() + header.size() + omitted.size();
    }
};

// The message in wire form (CRLF), and its structure.
Summary summarize(std::string_view text, const mail::MimePart& structure);

// May the header of a summary lack a field of this name?
bool is_omitted(std::string_view omitted, std::string_view name);

}  // namespace postern::mailbox
