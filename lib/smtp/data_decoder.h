// DataDecoder: what follows DATA, as message content (RFC 5321 4.5.2). It finds the one true end,
// CR LF "." CR LF, and takes away the dots that the client added. An LF that stands alone is a line
// end within the text, and becomes CR LF; next to a dot it ends nothing: a server that took it for
// the end would let a stranger smuggle a second message past another server that did not
// (CVE-2023-51764). A CR that stands alone is a character like others; cleanup makes it a blank.
// Pure, incremental, copies nothing.
#pragma once

#include <cstddef>
#include <string_view>

namespace postern::smtp {

class DataDecoder {
  public:
    // Who talks. `lf_only`: a client that is trusted, and has ended all its lines so far in LF
    // alone; as long as it keeps to that LF "." LF is its end of a message. Nothing can be smuggled
    // through a server that never ends a line so.
    enum class Client : unsigned char { any, lf_only };
    enum class Kind : unsigned char {
        content,    // `content` belongs to the message
        need_more,  // nothing can be decided before more bytes come
        end,        // the message is complete
    };
    struct Step {
        Kind kind = Kind::need_more;
        std::string_view content;  // a view into the input, or of a constant
        std::size_t consumed = 0;  // take this from the front of the input, whatever the kind
    };

    DataDecoder() = default;
    explicit DataDecoder(Client client) : lf_only_(client == Client::lf_only) {}

    // Looks at the waiting input. Call again, with what is left and what has come, until it needs
    // more or the end is there. Up to three bytes may stay unconsumed.
    Step next(std::string_view input);

    bool has_dot_lines() const { return has_dot_lines_; }
    bool saw_bare_lf() const { return saw_bare_lf_; }

  private:
    enum class Dot : unsigned char { unclear, end, drop_line, drop_dot };
    Dot dot_line(std::string_view input) const;

    bool lf_only_ = false;  // still
    bool at_line_start_ = true;
    bool after_bare_lf_ = false;  // the line before ended in LF alone
    bool has_dot_lines_ = false;  // a content line begins with a dot
    bool saw_bare_lf_ = false;
};

}  // namespace postern::smtp
