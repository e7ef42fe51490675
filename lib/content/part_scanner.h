// PartScanner: a message as its parts: what is a boundary, what a header of a part or of an
// attached message, what text, line by line as it comes. It knows just enough of MIME (RFC
// 2046 5.1) to tell them apart and keeps no more than a line and a field. Pure; any text has a
// structure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/content/rules.h"

namespace postern::content {

// What Content-Type and Content-Transfer-Encoding of a header say about what follows it.
struct PartType {
    enum class Kind : unsigned char { text, multipart, message } kind = Kind::text;
    std::string boundary;
    bool digest = false;   // multipart/digest: parts are messages unless they say otherwise
    bool encoded = false;  // base64 or the like: what is inside is not to be seen
    // RFC 2045 6.1; what is not known counts as 7bit here.
    enum class Encoding : unsigned char { seven_bit, eight_bit, transformed };
    Encoding encoding = Encoding::seven_bit;
    std::string encoding_name;  // of a transforming one
    bool composite = false;     // RFC 2045 6.4: must not be transformed
};
// Notes what a field tells; `lower_name` may be any.
void note_content_field(std::string_view lower_name, std::string_view body, PartType& type);

// A line of text, or one of the pieces of a long one, with its line end.
struct TextPiece {
    std::string_view bytes;
    bool begins = true;    // a line begins with it
    bool goes_on = false;  // more of the line follows
};

class PartScanner {
  public:
    // Whoever wants to know. All that was fed comes through here, in its order, but for what is
    // longer than header_size in one field.
    class Reader {
      public:
        virtual ~Reader() = default;
        virtual void on_boundary(std::string_view line) = 0;
        // With its line ends. `attached`: of a message's own header, not of a part of one.
        virtual void on_field(std::string field, std::string_view lower_name, bool attached) = 0;
        // `line`: the empty one that ends the header; nothing where something else did. `opens`:
        // the scanner looks for parts, or a message, in what follows.
        virtual void on_header_end(const PartType& type, std::string_view line, bool opens) = 0;
        virtual void on_text(const TextPiece& piece) = 0;
    };

    // Borrows both. Starts in the message's own header.
    PartScanner(const Limits& limits, Reader& reader);
    // Starts behind a header that said this.
    PartScanner(const Limits& limits, Reader& reader, const PartType& type);

    void feed(std::string_view bytes);
    void finish();

  private:
    enum class Rest : unsigned char { none, text, dropped };  // of a line beyond the limit

    std::size_t line_limit() const;
    void rest_of_line(std::string_view piece);
    void line(std::string_view text, bool goes_on);
    bool boundary(std::string_view text);
    void header_line(std::string_view text, bool goes_on);
    void end_field();
    void end_header(std::string_view line);
    bool enter(const PartType& type);
    void begin_header(bool attached);

    struct Level {
        std::string boundary;
        bool digest;
    };
    const Limits& limits_;
    Reader& reader_;
    std::vector<Level> levels_;  // innermost last
    std::string partial_;        // a line that is not complete yet
    Rest rest_ = Rest::none;
    bool in_header_ = false, attached_ = false;
    std::string field_;  // with its line ends
    PartType part_;
};

}  // namespace postern::content
