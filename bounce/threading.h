// Which header fields make a report part of the conversation that it is about (RFC 5322 3.6.4,
// enable_threaded_bounces). Pure.
#pragma once

#include <string>
#include <string_view>

namespace postern::bounce {

// "References:" and "In-Reply-To:" for a report on the message with this header, in wire form;
// empty when that has no message-id.
std::string thread_fields(std::string_view header);

}  // namespace postern::bounce
