// Message header fields: where the header ends, iteration over its fields, unfolding. Works on LF
// and CRLF text alike and copies nothing: all views point into the text given. Used by imapd,
// cleanup, local and bounce; what a stranger sends never fails here, it only gives odd fields.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::mail {

// One field, RFC 5322 2.2. A line that is no field (no colon, or it starts with white space but
// follows nothing) comes as a field with an empty name.
struct HeaderField {
    std::string_view name;  // as written, without white space before the colon
    std::string_view body;  // after the colon, up to the last line end; may contain folds
    std::string_view raw;   // everything, with the last line end
};

struct SplitMessage {
    std::string_view header;  // with the empty line that ends it
    std::string_view body;
};

// Length of the line at the start of the text, with its line end (LF or CRLF).
std::size_t line_length(std::string_view text);
// A line without its LF or CRLF.
std::string_view without_line_end(std::string_view line);

// The header ends with the first empty line; a message without one is all header.
SplitMessage split_message(std::string_view message);

// Walks over the fields of a header; stops at the empty line.
class HeaderCursor {
  public:
    explicit HeaderCursor(std::string_view header) : rest_(header) {}
    std::optional<HeaderField> next();

  private:
    std::string_view rest_;
};

// First field of that name (any case).
std::optional<HeaderField> find_field(std::string_view header, std::string_view name);
// Its body, unfolded and trimmed; empty when there is none.
std::string field_text(std::string_view header, std::string_view name);

// RFC 5322 2.2.3: removes the line ends of folds, keeps the white space after them.
std::string unfold(std::string_view body);

}  // namespace postern::mail
