// Is mail to this address taken? policy asks verify, which remembers answers and sends probes for those
// that it does not have; qmgr tells it what became of a probe.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/limits.h"

namespace postern::ipc {

// Postfix's numbers, which the cache's entries have too. unknown: a probe is on its way.
enum class AddressStatus : std::uint8_t { deliverable, deferred, undeliverable, unknown, kLast = unknown };

struct VerifyQuestion {
    static constexpr Type kType = Type::verify_question;

    std::string address;

    void attributes(auto& io) { io.attr("address", address, kMaxAddress); }
};

struct VerifyAnswer {
    static constexpr Type kType = Type::verify_answer;

    AddressStatus status = AddressStatus::unknown;
    std::string text;

    void attributes(auto& io) {
        io.attr("status", status);
        io.attr("text", text, kMaxText);
    }
};

struct VerifyUpdate {
    static constexpr Type kType = Type::verify_update;

    std::string address;
    AddressStatus status = AddressStatus::unknown;
    std::string text;

    void attributes(auto& io) {
        io.attr("address", address, kMaxAddress);
        io.attr("status", status);
        io.attr("text", text, kMaxText);
    }
};

struct VerifyUpdated {
    static constexpr Type kType = Type::verify_updated;

    bool ok = false;

    void attributes(auto& io) { io.attr("ok", ok); }
};

}  // namespace postern::ipc
