// ActiveMessage: a message that qmgr has in memory, and what is still open about it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "lib/base/clock.h"
#include "lib/queue/reader.h"

#include "qmgr/scheduler.h"
#include "qmgr/store.h"

namespace postern::qmgr {

struct ActiveMessage {
    // What an administrator wants of it, once nothing of it is under way any more.
    enum class Fate : unsigned char { none, hold, remove, requeue };

    MessageKey key = 0;
    QueueFilePtr file;
    queue::Message message;
    WallTime since{};             // taken up
    std::uint32_t pending = 0;    // recipients whose fate is open
    std::uint32_t under_way = 0;  // requests that agents have
    std::uint32_t recording = 0;  // what must be written before a recipient is marked
    bool moving = false;          // it leaves its batch: waits for that, or its copy is synced
    bool notifying = false;       // a notification is being made
    bool bounced = false;         // bounce/ has records that were not sent yet
    bool reported = false;        // trace/ has
    bool told_expired = false;    // logged
    bool force_expire = false;
    bool flushed = false;        // taken up because somebody asked for it
    bool notice_failed = false;  // a notification could not be made: the message waits for that
    bool warn_delay = false;     // a delay warning is due, as soon as defer/ has its reasons
    Fate fate = Fate::none;
    Fate fate_moved = Fate::none;  // what it was when the move began

    // When its life in the queue begins: a message that its sender has held (RFC 4865) is not late.
    WallTime born() const { return std::max(envelope().arrival, envelope().release()); }

    // Nothing will be heard of it: who drains may let go of it.
    bool is_idle() const { return under_way == 0 && recording == 0 && !notifying && !moving; }
    bool has_order() const { return fate != Fate::none || force_expire; }

    const QueueId& id() const { return message.envelope.id; }
    queue::Envelope& envelope() { return message.envelope; }
    const queue::Envelope& envelope() const { return message.envelope; }
};

}  // namespace postern::qmgr
