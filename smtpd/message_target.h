// MessageTarget: where the text of an accepted envelope goes: to cleanup (Submission), or through a
// filter before the queue (ProxyDelivery). Destroying it before the result aborts the message.
// Nothing blocks: what is not taken is told, and on_room() follows.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "lib/ipc/messages/cleanup.h"

namespace postern::smtpd {

class MessageTarget {
  public:
    // Called from the loop, never from inside a method. Any but on_room may destroy the target.
    struct Handler {
        std::function<void(QueueId)> on_opened;            // ready for content
        std::function<void()> on_room;                     // it takes more
        std::function<void(ipc::SubmitResult)> on_result;  // also a refusal, at any time
        std::function<void(Error)> on_failed;              // it cannot be reached, or is gone
    };

    virtual ~MessageTarget() = default;
    virtual void open(ipc::SubmitOpen envelope) = 0;
    // Takes content as far as there is room; gives how many bytes it took.
    virtual std::size_t write(std::string_view content) = 0;
    // The content is complete.
    virtual void commit(std::vector<ipc::MailAction> actions) = 0;
};

}  // namespace postern::smtpd
