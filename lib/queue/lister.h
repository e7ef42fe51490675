// Lister: walks through the queue's directories and tells what is there, message by message, for
// mailq. Reads only; a file that is being written or has just gone is left out. Never holds
// anything that delivery waits for.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "lib/ipc/messages/queue.h"
#include "lib/queue/directories.h"
#include "lib/queue/reader.h"
#include "lib/sys/fs.h"

namespace postern::queue {

class Lister {
  public:
    // Gets one entry; a message with many recipients comes as several (`more`). False ends the
    // listing.
    using Sink = std::function<bool(const ipc::QueueListEntry&)>;

    explicit Lister(sys::Fs& fs) : fs_(fs) {}

    // All messages, those in maildrop/ first if we may look there, then active ones, each once: one
    // that is on its way from incoming/ to deferred/ or hold/ may be in both for a moment. Totals
    // are of messages told.
    ipc::QueueListEnd list(const Sink& sink);

  private:
    bool list_directory(Directory directory, const Sink& sink, ipc::QueueListEnd& totals);
    bool list_folder(Directory directory, const std::string& folder, const Sink& sink,
                     ipc::QueueListEnd& totals);
    bool list_file(Directory directory, const QueueId& name, const Sink& sink,
                   ipc::QueueListEnd& totals);
    bool list_submitted(const QueueId& name, const Sink& sink, ipc::QueueListEnd& totals);
    bool tell(const Message& message, ipc::QueueListEntry entry, const Sink& sink);
    bool tell_recipients(ipc::QueueListEntry entry, std::vector<ipc::QueueListRecipient> recipients,
                         const Sink& sink);
    std::unordered_map<std::string, std::string> reasons_for(const QueueId& id);

    sys::Fs& fs_;
    std::unordered_set<std::string> moving_;  // ids told that may be met again
};

}  // namespace postern::queue
