// Talk with qmgr and showq: news from cleanup, orders from commands, listings for mailq.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/limits.h"

namespace postern::ipc {

// cleanup -> qmgr, no answer: this file is committed in incoming/. A lost one is repaired by the scan.
struct QueueNudge {
    static constexpr Type kType = Type::queue_nudge;

    QueueId file;

    void attributes(auto& io) { io.attr("file", file); }
};

// trigger: postkick's, by Postfix's letters.
enum class QueueOperation : std::uint8_t {
    flush_all, flush_site, flush_message, rescan, hold, release, remove, requeue, expire, trigger, kLast = trigger
};

struct QueueControl {
    static constexpr Type kType = Type::queue_control;

    QueueOperation operation = QueueOperation::rescan;
    QueueId queue_id;  // where the operation is about one message
    std::string site;
    std::string requests;  // trigger: one letter each

    void attributes(auto& io) {
        io.attr("operation", operation);
        io.attr("queue_id", queue_id);
        io.attr("site", site, kMaxName);
        io.attr("requests", requests, 100);
    }
};

struct QueueControlAnswer {
    static constexpr Type kType = Type::queue_control_answer;

    bool ok = false;
    bool not_served = false;  // flush_site: fast_flush_domains does not have it
    bool in_use = false;      // somebody else has the message in hand: perhaps in a moment
    std::uint32_t count = 0;  // messages it concerned
    std::string text;

    void attributes(auto& io) {
        io.attr("ok", ok);
        io.attr("not_served", not_served);
        io.attr("in_use", in_use);
        io.attr("count", count);
        io.attr("text", text, kMaxText);
    }
};

struct QueueListRequest {
    static constexpr Type kType = Type::queue_list_request;

    void attributes(auto&) {}
};

struct QueueListRecipient {
    std::string address, reason;  // reason: why it is deferred, empty if it is not

    void attributes(auto& io) {
        io.attr("address", address, kMaxAddress);
        io.attr("reason", reason, kMaxText);
    }
};

struct QueueListEntry {
    static constexpr Type kType = Type::queue_list_entry;

    std::string queue_name;  // active, incoming, deferred, hold, maildrop
    QueueId queue_id;
    WallTime arrival{};
    std::uint64_t size = 0;
    std::string sender;
    bool forced_expire = false;
    std::int32_t priority = 0;  // RFC 6710
    WallTime release{};         // RFC 4865: not before; zero: none
    bool more = false;  // the next entry continues this message's recipients
    std::vector<QueueListRecipient> recipients;

    void attributes(auto& io) {
        io.attr("queue_name", queue_name, 16);
        io.attr("queue_id", queue_id);
        io.attr("arrival", arrival);
        io.attr("size", size);
        io.attr("sender", sender, kMaxAddress);
        io.attr("forced_expire", forced_expire);
        io.attr("priority", priority);
        io.attr("release", release);
        io.attr("more", more);
        io.attr("recipients", recipients, kMaxRecipientsPerMessage);
    }
};

struct QueueListEnd {
    static constexpr Type kType = Type::queue_list_end;

    std::uint64_t count = 0, bytes = 0;

    void attributes(auto& io) {
        io.attr("count", count);
        io.attr("bytes", bytes);
    }
};

}  // namespace postern::ipc
