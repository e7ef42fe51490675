// SevenBitConverter: a message for a server that does not take 8BITMIME (RFC 6152 3), or for a site
// that wants no other: parts whose header says 8bit or binary become quoted-printable. What has
// parts itself keeps its form, and says 7bit (RFC 2045 6.4). What is not declared is left alone:
// who knows what it is. A signature over the text (DKIM) breaks. Pure: bytes in, in any portions,
// bytes out, at most three times as many and the soft line breaks.
#pragma once

#include <string>
#include <string_view>

#include "lib/content/part_scanner.h"
#include "lib/mail/transfer_encoding.h"

namespace postern::content {

class SevenBitConverter final : private PartScanner::Reader {
  public:
    // Borrows the limits. Starts with the message's header.
    explicit SevenBitConverter(const Limits& limits) : scanner_(limits, *this) {}
    SevenBitConverter(const SevenBitConverter&) = delete;
    SevenBitConverter& operator=(const SevenBitConverter&) = delete;

    void feed(std::string_view bytes, std::string& out);
    void finish(std::string& out);
    // Text that no header declares has 8-bit characters still.
    bool left_8bit() const { return left_8bit_; }

  private:
    void on_boundary(std::string_view line) override;
    void on_field(std::string field, std::string_view lower_name, bool attached) override;
    void on_header_end(const PartType& type, std::string_view line, bool opens) override;
    void on_text(const TextPiece& piece) override;
    void end_part();

    PartScanner scanner_;
    mail::QuotedPrintableEncoder encoder_;
    bool encodes_ = false;      // the present part's text
    bool unseparated_ = false;  // no empty line has ended the header
    bool left_8bit_ = false;
    std::string* out_ = nullptr;  // during feed() and finish()
};

}  // namespace postern::content
