// DotStuffer: puts message content into the form that follows DATA (RFC 5321 4.5.2): a dot is added
// to each line that begins with one, lines that are too long are broken, and the end is CRLF "."
// CRLF. Pure; content arrives in pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postern::smtp {

class DotStuffer {
  public:
    // has_dot_lines = false: the content is known to have no line that begins with a dot.
    // line_limit: longer lines are broken by CRLF and a space, as Postfix's smtp_line_length_limit
    // does (RFC 5321 4.5.3.1.6 allows 998 and the CRLF); 0: never.
    explicit DotStuffer(bool has_dot_lines = true, std::size_t line_limit = 0)
        : look_(has_dot_lines), limit_(line_limit) {}

    // Appends piece, stuffed, to out. Lines of piece end in CRLF and may be cut anywhere.
    void add(std::string_view piece, std::string& out);
    // Appends what ends the content: a CRLF if the last line lacks it, then ".".
    void finish(std::string& out);

  private:
    bool fits(std::string_view piece);
    void add_fitting(std::string_view piece, std::string& out);
    void add_breaking(std::string_view piece, std::string& out);

    bool look_;
    std::size_t limit_;
    std::size_t column_ = 0;   // bytes of the present line so far; kept only with a limit
    char before_last_ = '\r';  // the two bytes before the next piece
    char last_ = '\n';
};

}  // namespace postern::smtp
