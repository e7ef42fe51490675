// Appender: messages added to a folder one after the other, all of them or none, as MULTIAPPEND
// (RFC 3502) wants. Each is written under tmp/ as it comes; commit() makes them messages, durably.
#pragma once

#include <deque>
#include <vector>

#include "lib/mailbox/folder_index.h"
#include "lib/mailbox/mailbox.h"
#include "lib/mailbox/maildir_delivery.h"
#include "lib/mailbox/shared_view.h"

namespace postern::mailbox {

class Appender {
  public:
    explicit Appender(const Mailbox& mailbox);
    ~Appender();  // what was not committed is removed
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;

    // Calls message.content. After an error nothing can be committed any more.
    Result<void> add(const AppendMessage& message);
    Result<Appended> commit();

  private:
    Result<void> none_failed() const;
    std::uint64_t size_of_all() const;

    Environment env_;
    std::string path_;
    PrivatelySeen seen_;
    std::deque<Delivery> deliveries_;  // the group refers to them
    DeliveryGroup group_;
    std::vector<FolderIndex::Arrival> arrivals_;
    bool committed_ = false;
};

}  // namespace postern::mailbox
