// CommandReader: cuts the client's bytes into commands. A command is a line, or several with
// literals between them (RFC 3501 4.3, LITERAL+ of RFC 7888). The reader knows where a literal
// begins and asks its owner what to do with it, so that an APPEND can be streamed and a hostile
// size refused before a byte of it is kept. Pure: bytes in, events out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::imap {

inline constexpr std::size_t kMaxTag = 100;  // characters

struct ReaderLimits {
    std::size_t line_bytes = 65536;     // all lines of one command together
    std::size_t literal_bytes = 65536;  // all kept literals of one command together
};

class CommandReader {
  public:
    enum class Event : unsigned char {
        need_more,  // all input was taken
        literal,    // text() ends with "{n}": answer with keep_, stream_ or refuse_literal()
        complete,   // text() is a whole command
        too_long,   // text() begins the command, which was too long; its line is dropped up to the
                    // end
    };
    struct Literal {
        std::uint64_t size = 0;
        bool waits = true;  // the client waits for "+" before it sends
    };

    explicit CommandReader(ReaderLimits limits = {}) : limits_(limits) {}

    // Takes bytes from the front of input up to the next event. After complete or too_long the next
    // call starts a new command.
    Event feed(std::string_view& input);

    // The command so far: lines without the last line end; a kept literal as "{n}\r\n" and its
    // bytes.
    std::string_view text() const { return text_; }
    const Literal& literal() const { return literal_; }
    bool fits(const Literal& literal) const {
        return literal.size <= limits_.literal_bytes - kept_;
    }

    // The literal's bytes come into text(). Precondition: fits(literal()).
    void keep_literal();
    // The owner takes the literal's bytes from its input itself before it calls feed() again.
    void stream_literal();
    // The command is given up. A client that waits sends no more of it; one that does not
    // (LITERAL+) sends the literal and the rest, which feed() drops before it looks for the next
    // command.
    void refuse_literal();

    // Forgets the text early, for example after a password.
    void clear();

  private:
    enum class State : unsigned char { line, kept, done, drop_line, drop_literal };
    Event take_line(std::string_view& input);
    Event end_line();
    Event drop(std::string_view& input);
    Event end_dropped_line();
    void keep_tail(std::string_view piece);

    ReaderLimits limits_;
    State state_ = State::line;
    std::string text_;
    Literal literal_;
    std::uint64_t left_ = 0;  // bytes of the literal still to come
    std::size_t kept_ = 0;    // bytes of literals in text_
    std::string tail_;        // last bytes of a dropped line, to notice the literal after it
    bool answered_ =
        false;  // the command being dropped had its answer when its literal was refused
};

// The literal that a line ("... {12+}", without line end) announces, if it does.
bool announces_literal(std::string_view line, CommandReader::Literal& literal);

// Tag of a command that could not be parsed, or "*" when there is none that could be repeated.
std::string_view tag_or_star(std::string_view text);

}  // namespace postern::imap
