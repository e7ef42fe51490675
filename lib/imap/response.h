// Writes RFC 3501's response syntax into a string: strings in the shortest form that can carry
// them, ENVELOPE, BODYSTRUCTURE.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/mail/envelope.h"
#include "lib/mail/mime.h"

namespace postern::imap {

// Quoted where possible, else a literal.
void append_string(std::string& out, std::string_view text);
// The same with NIL for nothing.
void append_nstring(std::string& out, const std::optional<std::string>& text);
// An atom where possible.
void append_astring(std::string& out, std::string_view text);
// The name of a mailbox: the same, but UTF-8 is quoted (RFC 9051 5.1: only after ENABLE IMAP4rev2
// are names in UTF-8).
void append_mailbox_name(std::string& out, std::string_view name);
// "~{n}\r\n" and the bytes, which may include NUL (RFC 3516).
void append_literal8(std::string& out, std::string_view bytes);
// "{n}\r\n" and the bytes.
void append_literal(std::string& out, std::string_view bytes);
// "(a b c)"
void append_list(std::string& out, const std::vector<std::string>& words);

void append_envelope(std::string& out, const mail::Envelope& envelope);
// BODYSTRUCTURE when extended, else BODY. The message is the text that the part was parsed from.
void append_body(std::string& out, std::string_view message, const mail::MimePart& part,
                 bool extended);

}  // namespace postern::imap
