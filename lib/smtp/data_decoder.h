// DataDecoder: what follows DATA, as message content (RFC 5321 4.5.2). It finds the one true end,
// CR LF "." CR LF, takes away the dots that the client added, and refuses a CR or LF that stands
// alone: a server that took one for a line end would let a stranger smuggle a second message past
// another server that did not (CVE-2023-51764). Pure, incremental, copies nothing.
#pragma once

#include <cstddef>
#include <string_view>

namespace postern::smtp {

class DataDecoder {
  public:
    enum class Kind : unsigned char {
        content,    // `content` belongs to the message
        need_more,  // nothing can be decided before more bytes come
        end,        // the message is complete
        bare_lf,    // an LF without CR before it: end the session
        bare_cr,    // a CR without LF after it: end the session
    };
    struct Step {
        Kind kind = Kind::need_more;
        std::string_view content;  // a view into the input
        std::size_t consumed = 0;  // take this from the front of the input, whatever the kind
    };

    // Looks at the waiting input. Call again, with what is left and what has come, until it needs
    // more or the end is there. Up to three bytes may stay unconsumed.
    Step next(std::string_view input);

    bool has_dot_lines() const { return has_dot_lines_; }

  private:
    Step line_start(std::string_view input);

    bool at_line_start_ = true;
    bool has_dot_lines_ = false;  // a content line begins with a dot
};

}  // namespace postern::smtp
