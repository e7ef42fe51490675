// Parser: reads RFC 3501's basic tokens off the front of a command text, as CommandReader hands it
// over (literals stand in it as "{n}\r\n" and their bytes). What does not fit is Errc::invalid with
// a text fit for a BAD response.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/imap/sequence_set.h"

namespace postern::imap {

bool is_atom_char(char c);     // ATOM-CHAR, RFC 3501 9
bool is_astring_char(char c);  // ASTRING-CHAR: ATOM-CHAR and "]"
bool is_tag_char(char c);

class Parser {
  public:
    explicit Parser(std::string_view text) : rest_(text) {}

    bool at_end() const { return rest_.empty(); }
    char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
    std::string_view rest() const { return rest_; }

    bool eat(char c);             // takes c if it is next
    Result<void> expect(char c);  // takes c or fails
    Result<void> space() { return expect(' '); }
    Result<void> end();  // nothing but blanks may remain

    // Views into the text.
    Result<std::string_view> tag();
    Result<std::string_view> atom();
    // A word of letters, digits, dots and dashes: command names, item names. Never empty.
    Result<std::string_view> word();
    Result<std::uint32_t> number();
    Result<std::uint32_t> nz_number();
    Result<std::uint64_t> number64();
    Result<std::uint64_t> mod_sequence();  // RFC 7162 7: 0 or more, 63 bits

    Result<std::string> astring();
    Result<std::string> string();   // quoted or literal
    Result<std::string> nstring();  // NIL is an empty string
    // The same, with NIL as nothing and "~{n}" literals, which may have NULs (RFC 3516).
    Result<std::optional<std::string>> nstring8();
    Result<std::string> list_mailbox();  // astring with wildcards
    Result<SequenceSet> sequence_set();
    // "\Seen" or a keyword atom, as written.
    Result<std::string> flag();
    Result<std::vector<std::string>> flag_list();  // in parentheses

  private:
    Result<std::string> quoted();
    Result<std::string> literal(bool may_have_nul = false);
    template <class Predicate>
    std::string_view take_while(Predicate predicate);

    std::string_view rest_;
};

// The Error of all parsers here.
Error bad(std::string_view what);

}  // namespace postern::imap
