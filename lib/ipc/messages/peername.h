// smtpd asks peername: what is the name of the client with this address? One connection, one question.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/limits.h"

namespace postern::ipc {

struct NameQuestion {
    static constexpr Type kType = Type::name_question;

    std::string address;  // numeric

    void attributes(auto& io) { io.attr("address", address, kMaxName); }
};

// found; none: the DNS says that there is no such name; temporary: it says nothing at present.
enum class NameStatus : std::uint8_t { found, none, temporary, kLast = temporary };

struct NameAnswer {
    static constexpr Type kType = Type::name_answer;

    // What the address's PTR record says, and the same name again when that name's addresses include this one.
    // "unknown" otherwise.
    std::string reverse_name = "unknown", name = "unknown";
    NameStatus reverse_status = NameStatus::temporary, name_status = NameStatus::temporary;
    std::string warning;  // for smtpd's log: a name that does not lead back

    void attributes(auto& io) {
        io.attr("reverse_name", reverse_name, kMaxName);
        io.attr("name", name, kMaxName);
        io.attr("reverse_status", reverse_status);
        io.attr("name_status", name_status);
        io.attr("warning", warning, kMaxText);
    }
};

}  // namespace postern::ipc
