// Session: POP3 once the user is known (TRANSACTION and UPDATE of RFC 1939 5 and 6). Pure: it knows
// how many messages there are, how big and under what unique ids; it says what to send.
// MessageEncoder turns a stored message into what RETR and TOP send.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/pop3/command.h"

namespace postern::pop3 {

struct Action {
    enum class Then : unsigned char {
        go_on,
        send_message,  // reply, then message number `index` encoded with `lines`
        update,        // QUIT: remove deleted(), then report with on_update(), then close
        close,
    };
    std::string reply;
    Then then = Then::go_on;
    std::size_t index = 0;                 // 0-based
    std::optional<std::uint64_t> lines{};  // TOP: body lines; nothing: all of it
};

class Session {
  public:
    // RFC 1939 7: 1 to 70 printable characters. Asked for with UIDL only: most sessions want none.
    using UniqueId = std::function<std::string(std::size_t index)>;
    // Sizes are with CRLF line ends.
    Session(std::vector<std::uint64_t> sizes, UniqueId unique_id, Capabilities capabilities = {})
        : sizes_(std::move(sizes)),
          unique_id_(std::move(unique_id)),
          capabilities_(std::move(capabilities)),
          deleted_(sizes_.size()),
          retrieved_(sizes_.size()) {}

    Action on_line(std::string_view line);
    Action on_line_too_long();
    // The answer to QUIT once the deleted messages are gone, or not.
    Action on_update(bool done) const;
    // All of a message that RETR asked for has been sent.
    void on_sent(std::size_t index) { retrieved_[index] = true; }
    // The message of a send_message action is gone (another session removed it) or cannot be read.
    std::string cannot_read() const { return "-ERR [SYS/TEMP] Message is not available.\r\n"; }

    const std::vector<bool>& deleted() const { return deleted_; }
    const std::vector<bool>& retrieved() const { return retrieved_; }  // that were sent

  private:
    Action stat() const;
    Action list(const Command& command);
    Action uidl(const Command& command);
    Action retr(const Command& command);
    Action top(const Command& command);
    Action dele(const Command& command);
    Action rset();
    Action error(std::string_view text);
    // The index that the word names; sets `failed` otherwise.
    std::optional<std::size_t> message(const Command& command, Action& failed);
    template <class Line>
    std::string listing(Line line) const;

    std::vector<std::uint64_t> sizes_;
    UniqueId unique_id_;
    Capabilities capabilities_;
    std::vector<bool> deleted_;
    std::vector<bool> retrieved_;
    unsigned bad_commands_ = 0;
};

class MessageEncoder {
  public:
    // lines: body lines of TOP; nothing: the whole message.
    explicit MessageEncoder(std::optional<std::uint64_t> lines) : lines_(lines) {}

    // Appends the encoded form (CRLF line ends, dots doubled) of the next piece of the message.
    void encode(std::string_view piece, std::string& out);
    // Appends the end: CRLF where the last line lacks it, and the final dot.
    void finish(std::string& out);
    bool satisfied() const { return satisfied_; }  // TOP has all it wants: no more pieces needed

  private:
    void end_line();

    std::optional<std::uint64_t> lines_;
    bool line_start_ = true;
    bool pending_cr_ = false;
    bool line_empty_ = true;
    bool in_body_ = false;
    bool satisfied_ = false;
};

}  // namespace postern::pop3
