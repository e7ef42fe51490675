// Content transfer encodings, RFC 2045 6: decoders that take what they can get (for SEARCH and for
// reading encoded words), an encoder for text on its way to a server that wants seven bits, and
// normal line ends. Strict base64 is lib/base/encode.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postern::mail {

// Ignores what is not in the alphabet, stops at padding.
std::string decode_base64_loosely(std::string_view text);
// Soft line breaks removed; a malformed escape is kept as it stands.
std::string decode_quoted_printable(std::string_view text);
// RFC 2047 4.2: "_" is a space.
std::string decode_q(std::string_view text);
// Text, in any portions, as quoted-printable (RFC 2045 6.7). Line ends, CR LF or LF, stay what they
// are; a CR that stands alone is encoded as any other control character.
class QuotedPrintableEncoder {
  public:
    void add(std::string_view text, std::string& out);
    // The text ends here, perhaps within a line.
    void finish(std::string& out);

  private:
    void take(char c, std::string& out);
    void put(std::string_view token, std::string& out);
    void put_encoded(char c, std::string& out);
    void end_line(std::string_view line_end, std::string& out);

    std::size_t column_ = 0;
    char waiting_ = 0;  // a blank or CR: what follows decides
};

// By the name of the encoding: base64, quoted-printable; anything else is the identity.
std::string decode_content(std::string_view encoding, std::string_view text);

// Whether every LF follows a CR and no NUL occurs: text that IMAP and POP3 may send as it is.
bool is_wire_form(std::string_view text);
// Every bare LF becomes CRLF; NUL becomes 0x80, since RFC 3501 literals cannot carry it.
std::string to_wire_form(std::string_view text);

}  // namespace postern::mail
