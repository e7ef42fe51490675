// DotStuffer: puts message content into the form that follows DATA (RFC 5321 4.5.2): a dot is added
// to each line that begins with one, and the end is CRLF "." CRLF. Pure; content arrives in pieces.
#pragma once

#include <string>
#include <string_view>

namespace postern::smtp {

class DotStuffer {
  public:
    // has_dot_lines = false: the content is known to have no line that begins with a dot, so pieces
    // are copied whole.
    explicit DotStuffer(bool has_dot_lines = true) : look_(has_dot_lines) {}

    // Appends piece, stuffed, to out. Lines of piece end in CRLF and may be cut anywhere.
    void add(std::string_view piece, std::string& out);
    // Appends what ends the content: a CRLF if the last line lacks it, then ".".
    void finish(std::string& out);

  private:
    bool look_;
    char before_last_ = '\r';  // the two bytes before the next piece
    char last_ = '\n';
};

}  // namespace postern::smtp
