// policy -> local: is there room in the mailbox that mail for this address goes to? Only the user's
// own processes may look; local asks the one that delivers to it.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/policy.h"

namespace postern::ipc {

struct QuotaQuestion {
    static constexpr Type kType = Type::quota_question;

    std::string recipient;
    std::uint64_t size = 0;  // of the message, as the client said; 0: unknown

    void attributes(auto& io) {
        io.attr("recipient", recipient, kMaxAddress);
        io.attr("size", size);
    }
};

struct QuotaAnswer {
    static constexpr Type kType = Type::quota_answer;

    Outcome outcome = Outcome::accept;  // accept too where nothing can be said
    std::string text;

    void attributes(auto& io) {
        io.attr("outcome", outcome);
        io.attr("text", text, kMaxReportText);
    }
};

}  // namespace postern::ipc
