// BodyFilter: everything after a message's own header, line by line through the rules: headers of
// MIME parts and of attached messages as fields, the rest as lines of text. Pure: bytes in, in any
// portions, bytes out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/content/part_scanner.h"
#include "lib/content/rules.h"

namespace postern::content {

class BodyFilter final : private PartScanner::Reader {
  public:
    // Whether any of the rules look at what comes after a header that says this.
    static bool needed(const Rules& rules, const Limits& limits, const PartType& type);
    // Borrows all. `type` is what the message's own header said.
    BodyFilter(Rules& rules, const Limits& limits, Effects& effects, const PartType& type);
    BodyFilter(const BodyFilter&) = delete;
    BodyFilter& operator=(const BodyFilter&) = delete;

    void feed(std::string_view bytes, std::string& out);
    void finish(std::string& out);

  private:
    void on_boundary(std::string_view line) override;
    void on_field(std::string field, std::string_view lower_name, bool attached) override;
    void on_header_end(const PartType& type, std::string_view line, bool opens) override;
    void on_text(const TextPiece& piece) override;
    void check_encoding(const PartType& type);

    Rules& rules_;
    const Limits& limits_;
    Effects& effects_;
    PartScanner scanner_;
    std::string* out_ = nullptr;  // during feed() and finish()
    PartType::Encoding encoding_;
    std::uint64_t seen_ = 0;  // bytes of text of the present part
};

}  // namespace postern::content
