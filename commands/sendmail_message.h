// The message on sendmail's standard input: from a user's text file to wire form, and the
// recipients that its header names. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::commands {

// LF becomes CRLF, and CRs before it go or stay (sendmail_fix_line_endings), mbox "From " lines on
// top are dropped, and a lone dot ends the message if asked.
class LineConverter {
  public:
    // Whether a CR at the end of a line belongs to the line end: always, only if the first line has
    // one, or never.
    enum class Crs : unsigned char { always, as_first, never };
    explicit LineConverter(bool dot_ends, Crs crs = Crs::always) : dot_ends_(dot_ends), crs_(crs) {}

    // Appends to out; any portions. Nothing is taken after ended().
    void feed(std::string_view bytes, std::string& out);
    // The input is at its end: the last line is completed.
    void finish(std::string& out);
    bool ended() const { return ended_; }

  private:
    void line(std::string_view text, std::string& out);  // without its line end

    const bool dot_ends_;
    Crs crs_;
    bool ended_ = false;
    bool at_top_ = true;
    std::string partial_;
};

// Addresses of a comma-separated list, as sendmail takes them on its command line and in the
// header.
std::vector<std::string> parse_recipients(std::string_view list);

// Recipients in the header of this message: To, Cc and Bcc, or if there are any, only the Resent-
// ones.
std::vector<std::string> header_recipients(std::string_view message);

// Whether the text holds the whole header: the empty line after it, or a line that is none of it.
bool has_whole_header(std::string_view message);

}  // namespace postern::commands
