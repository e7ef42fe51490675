// BodyFilter: everything after a message's own header, line by line through the rules: headers of
// MIME parts and of attached messages as fields, the rest as lines of text. It knows just enough of
// MIME (RFC 2046 5.1) to tell them apart. Pure: bytes in, in any portions, bytes out.
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

class BodyFilter {
  public:
    // Whether any of the rules look at what comes after a header that says this.
    static bool needed(const Rules& rules, const Limits& limits, const PartType& type);
    // Borrows all. `type` is what the message's own header said.
    BodyFilter(Rules& rules, const Limits& limits, Effects& effects, const PartType& type);

    void feed(std::string_view bytes, std::string& out);
    void finish(std::string& out);

  private:
    void line(std::string_view text, std::string& out);
    bool boundary(std::string_view text);
    void header_line(std::string_view text, std::string& out);
    void end_field(std::string& out);
    void end_header();
    void enter(const PartType& type);
    void check_encoding(const PartType& type);
    void begin_part(bool message);
    void text_line(std::string_view text, std::string& out);

    struct Level {
        std::string boundary;
        bool digest;
    };
    Rules& rules_;
    const Limits& limits_;
    Effects& effects_;
    std::vector<Level> levels_;  // innermost last
    std::string partial_;        // a line that is not complete yet
    bool overlong_ = false;      // the present line is beyond the limit: its rest passes unseen
    bool in_header_ = false, at_nested_ = false;
    std::string field_;  // with its line ends
    PartType part_;
    bool has_type_ = false;
    std::uint64_t seen_ = 0;  // bytes of text of the present part
};

}  // namespace postern::content
