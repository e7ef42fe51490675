// PREVIEW (RFC 8970): the first words of a message. Pure.
#pragma once

#include <string>
#include <string_view>

#include "lib/mail/mime.h"

namespace postern::imapd {

inline constexpr std::size_t kPreviewCharacters = 200;  // RFC 8970 2: at most 256

// UTF-8, one line; empty when there is no text to show.
std::string preview_of(std::string_view message, const mail::MimePart& structure);

}  // namespace postern::imapd
