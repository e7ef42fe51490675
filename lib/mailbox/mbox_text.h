// mbox files for import and export: messages behind "From " lines, their flags in Status, X-Status
// and X-Keywords, as mail programs of Unix write them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/mailbox/flags.h"

namespace postern::mailbox {

struct MboxMessage {
    std::string text;  // LF line ends; without the fields that say flags
    SystemFlags flags = 0;
    std::vector<std::string> keywords;
    std::int64_t date = 0;  // of the "From " line; 0: it says none
};

// Cuts a text into messages; keep it while the reader lives.
class MboxReader {
  public:
    explicit MboxReader(std::string_view text) : rest_(text) {}
    // Does the text begin as an mbox does? An empty one is an mbox without messages.
    bool is_mbox() const { return rest_.empty() || rest_.starts_with("From "); }
    std::optional<MboxMessage> next();

  private:
    std::string_view take_message();
    std::string_view rest_;
};

// The message as a part of an mbox: "From " lines in it are quoted by ">" (mboxrd), CRLF becomes
// LF.
std::string to_mbox(const MboxMessage& message);

}  // namespace postern::mailbox
