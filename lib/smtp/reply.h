// Reply: what an SMTP or LMTP server answered to one command, and the parser that makes it from
// bytes. Pure. Used by the client engine (client_session.h) on bytes from any server, so everything
// is bounded: a longer line is cut (as Postfix does), more lines than kMaxReplyLines are an error.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/result.h"

namespace postern::smtp {

inline constexpr std::size_t kMaxReplyLine = 2048;  // bytes of a line that are kept
inline constexpr std::size_t kMaxReplyLines = 200;  // lines in one reply
inline constexpr std::size_t kMaxReplyText = 8192;  // bytes of a reply's text that are kept

// One complete reply, RFC 5321 4.2.
struct Reply {
    int code = 0;        // 200 to 599, of the last line
    std::string status;  // enhanced status of the last line (RFC 2034), or "2.0.0"-like default
    bool has_status = false;         // the server gave the status itself
    std::vector<std::string> lines;  // whole lines with code, without CRLF

    int code_class() const { return code / 100; }
    bool positive() const { return code_class() == 2; }
    bool intermediate() const { return code_class() == 3; }
    bool transient() const { return code_class() == 4; }
    bool permanent() const { return code_class() == 5; }

    // The lines joined by a space, control characters replaced: for logs and bounces.
    std::string text() const;
};

// Length of the enhanced status code (RFC 3463 2) that text begins with, 0 when there is none.
std::size_t enhanced_status_length(std::string_view text);

// Collects bytes into replies. Feed it what arrived; it takes what belongs to the next reply.
// What a line of a reply becomes; nothing: it stays as it is.
using ReplyFilter = std::function<std::optional<std::string>(std::string_view line)>;

class ReplyParser {
  public:
    explicit ReplyParser(ReplyFilter filter = nullptr) : filter_(std::move(filter)) {}

    struct NeedMore {};
    // A line that is no reply line, or too many lines. `what` shows its beginning.
    using Outcome = std::variant<NeedMore, Reply, Error>;

    // Consumes bytes from the front of `bytes` up to the end of one reply. After an Error the
    // parser must not be used again: what follows cannot be trusted.
    Outcome feed(std::string_view& bytes);

    // Whether a reply has begun and is not complete.
    bool in_reply() const { return !line_.empty() || line_count_ > 0; }

  private:
    Outcome end_line();

    ReplyFilter filter_;
    std::string line_;  // the beginning of a line
    Reply reply_;
    std::size_t line_count_ = 0;
    std::size_t text_size_ = 0;
};

}  // namespace postern::smtp
