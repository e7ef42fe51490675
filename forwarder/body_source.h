// BodySource: a message's content, read from its extent in the queue file piece by piece, changed
// where tables say so, and put into the form that follows DATA.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/smtp/dot_stuffer.h"

#include "forwarder/outgoing.h"

namespace postern::forwarder {

struct BodyExtent {
    int file = -1;  // not owned
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    bool has_dot_lines = true;
    bool late_end = false;  // the end of the content goes in a packet of its own, after a pause
};

class BodySource {
  public:
    static constexpr std::size_t kPiece = 64 * 1024;

    // filter: null when nothing is to be changed.
    BodySource(const BodyExtent& extent, std::size_t line_limit,
               std::unique_ptr<OutgoingFilter> filter = nullptr)
        : extent_(extent),
          filter_(std::move(filter)),
          stuffer_(extent.has_dot_lines || filter_, line_limit) {}

    // Appends the next piece to out, and with the last one the end of the content.
    // Errc::corrupt when the file is shorter than the extent; the filter's errors.
    Result<void> read(std::string& out);
    bool finished() const { return finished_; }

  private:
    Result<void> take(std::string_view bytes, std::string& out);

    BodyExtent extent_;
    std::unique_ptr<OutgoingFilter> filter_;
    std::string filtered_;
    smtp::DotStuffer stuffer_;
    bool finished_ = false;
};

}  // namespace postern::forwarder
