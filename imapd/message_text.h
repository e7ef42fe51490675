// The texts of a message that SEARCH BODY and TEXT look into (RFC 9051 6.4.4), decoded, in UTF-8
// and folded: each header field as "Name:body", each text part. The full-text index is made of the
// same pieces, so that it and a search that reads the messages find the same.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lib/fulltext/index.h"

#include "imapd/message_source.h"

namespace postern::imapd {

// Whether to stop.
using TextVisitor = std::function<bool(fulltext::Place place, const std::string& folded)>;

// Visits the texts in the order of the message until one visit says stop, and tells whether one
// did. Without header fields, those of a forwarded message are left out too. Errc::not_found:
// another session expunged the message.
Result<bool> visit_texts(MessageSource& source, std::uint32_t seq, bool with_header,
                         const TextVisitor& visit);

}  // namespace postern::imapd
