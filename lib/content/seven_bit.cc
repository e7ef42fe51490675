#include "lib/content/seven_bit.h"

#include <utility>

#include "lib/base/unicode.h"

namespace postern::content {

void SevenBitConverter::feed(std::string_view bytes, std::string& out) {
    out_ = &out;
    scanner_.feed(bytes);
}

void SevenBitConverter::finish(std::string& out) {
    out_ = &out;
    scanner_.finish();
    end_part();
}

void SevenBitConverter::end_part() {
    if (std::exchange(encodes_, false)) encoder_.finish(*out_);
}

void SevenBitConverter::on_boundary(std::string_view line) {
    end_part();
    unseparated_ = false;
    *out_ += line;
}

// The encoding that will not be true any more comes at the end of the header anew.
void SevenBitConverter::on_field(std::string field, std::string_view lower_name, bool) {
    PartType said;
    note_content_field(lower_name, std::string_view(field).substr(field.find(':') + 1), said);
    if (said.encoding == PartType::Encoding::eight_bit) return;
    *out_ += field;
    if (!field.ends_with('\n')) *out_ += "\r\n";  // the message ends in it
}

void SevenBitConverter::on_header_end(const PartType& type, std::string_view line, bool opens) {
    encodes_ = type.encoding == PartType::Encoding::eight_bit && !opens;
    if (type.encoding == PartType::Encoding::eight_bit)
        *out_ += encodes_ ? "Content-Transfer-Encoding: quoted-printable\r\n"
                          : "Content-Transfer-Encoding: 7bit\r\n";
    *out_ += line;
    unseparated_ = encodes_ && line.empty();
}

void SevenBitConverter::on_text(const TextPiece& piece) {
    // Encoded, what was no field might look like one.
    if (std::exchange(unseparated_, false)) *out_ += "\r\n";
    if (encodes_) return encoder_.add(piece.bytes, *out_);
    left_8bit_ = left_8bit_ || !is_ascii(piece.bytes);
    *out_ += piece.bytes;
}

}  // namespace postern::content
