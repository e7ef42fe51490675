// mbox files: messages behind "From " lines, their flags in Status, X-Status and X-Keywords, their
// UIDs in X-UID, as mail programs of Unix write them. For import and export, and for an INBOX that
// is such a file (mbox_inbox.h). Pure.
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
    std::uint32_t uid = 0;  // X-UID; 0: none
    std::string base;       // X-IMAPbase or X-IMAP: "<UIDVALIDITY> <last UID> <keywords>"
    bool internal = false;  // no message but a place for "base", as UW's programs make it
};

// UIDVALIDITY and last UID of such a base; nothing for what is none.
struct MboxNumbers {
    std::uint32_t validity = 0, last_uid = 0;
};
std::optional<MboxNumbers> numbers_of_base(std::string_view base);

// What the fields about a message shall say.
struct MboxFields {
    SystemFlags flags = 0;
    std::vector<std::string> keywords;
    std::uint32_t uid = 0;
    std::string base;  // goes into the first message only
    bool operator==(const MboxFields&) const = default;
};
// The header of a message in an mbox ("From " line to empty line) with other such fields; as long
// as it was wherever they fit, so that nothing behind it moves. The header of an internal message
// keeps its fields but for the numbers.
std::string with_fields(std::string_view header, const MboxFields& fields, bool internal);
std::string format_base(const MboxNumbers& numbers, const std::vector<std::string>& keywords);
// Where the next message begins, at `from` or later in a text that goes on from an earlier one:
// behind an empty line. npos: not in this text.
std::size_t find_next_message(std::string_view text, std::size_t from);
// How long the header of the message at the front is, with its empty line.
std::size_t header_size_of(std::string_view message);

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
// LF. With X-UID and X-IMAPbase where the message has these.
std::string to_mbox(const MboxMessage& message);

}  // namespace postern::mailbox
