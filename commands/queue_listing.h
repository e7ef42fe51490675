// The two forms in which postqueue shows the queue: the traditional one, which people and scripts
// know from mailq, and JSON, one object a line. Pure: entries in, text out.
#pragma once

#include <string>
#include <string_view>

#include "lib/ipc/messages/queue.h"

namespace postern::commands {

class QueueListing {
  public:
    enum class Form : unsigned char { traditional, json };

    explicit QueueListing(Form form) : form_(form) {}

    // The text for the next entry (entries of one message follow each other, see
    // QueueListEntry::more).
    std::string entry(const ipc::QueueListEntry& entry);
    // What comes after the last one.
    std::string end(const ipc::QueueListEnd& totals) const;

  private:
    std::string traditional(const ipc::QueueListEntry& entry);
    std::string json(const ipc::QueueListEntry& entry);

    Form form_;
    bool any_ = false;
    bool continued_ = false;
    std::string last_reason_;
};

// A JSON string with its quotes.
std::string json_string(std::string_view text);

}  // namespace postern::commands
