// qmgr -> bounce: remember what happened to a recipient; tell the sender; forget.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/deliver.h"

namespace postern::ipc {

enum class BounceLog : std::uint8_t { bounce, defer, trace, kLast = trace };

struct BounceAppend {
    static constexpr Type kType = Type::bounce_append;

    BounceLog log = BounceLog::defer;
    QueueId queue_id;
    DeliverRecipient recipient;
    RecipientReport report;

    void attributes(auto& io) {
        io.attr("log", log);
        io.attr("queue_id", queue_id);
        io.attr("recipient", recipient);
        io.attr("report", report);
    }
};

// trace: like success, but of everything that became of the message (sendmail -v, -bv).
enum class Notification : std::uint8_t { failure, delay, success, trace, kLast = trace };

// Makes the notification from the log of that kind and submits it; carries a read-only descriptor of the queue file.
struct BounceSend {
    static constexpr Type kType = Type::bounce_send;

    Notification notification = Notification::failure;
    QueueId queue_id;
    std::string sender, envid;
    DsnReturn ret = DsnReturn::unset;
    std::uint64_t body_offset = 0, body_size = 0;
    bool body_8bit = false, smtputf8 = false;
    WallTime arrival{};
    // Of a failure: each recipient has a notification of its own, to a sender that names it with
    // these two characters (VERP). Empty: one for all.
    std::string verp;

    void attributes(auto& io) {
        io.attr("notification", notification);
        io.attr("queue_id", queue_id);
        io.attr("sender", sender, kMaxAddress);
        io.attr("envid", envid, kMaxEnvid);
        io.attr("ret", ret);
        io.attr("body_offset", body_offset);
        io.attr("body_size", body_size);
        io.attr("body_8bit", body_8bit);
        io.attr("smtputf8", smtputf8);
        io.attr("arrival", arrival);
        io.attr("verp", verp, 2);
    }
};

struct BounceForget {
    static constexpr Type kType = Type::bounce_forget;

    BounceLog log = BounceLog::defer;
    QueueId queue_id;

    void attributes(auto& io) {
        io.attr("log", log);
        io.attr("queue_id", queue_id);
    }
};

// forwarder -> bounce: a session in which a server and we did not understand each other, for the
// postmaster where notify_classes has "protocol". Anybody else's messages to bounce are qmgr's alone.
struct PostmasterNotice {
    static constexpr Type kType = Type::postmaster_notice;
    static constexpr std::size_t kMaxTranscript = 20'000;

    std::string client;  // "SMTP client" or "LMTP client"
    std::string peer;    // name[address]:port
    std::string transcript;

    void attributes(auto& io) {
        io.attr("client", client, 32);
        io.attr("peer", peer, kMaxName);
        io.attr("transcript", transcript, kMaxTranscript);
    }
};

struct BounceDone {
    static constexpr Type kType = Type::bounce_done;

    bool ok = false;
    std::string text;

    void attributes(auto& io) {
        io.attr("ok", ok);
        io.attr("text", text, kMaxText);
    }
};

}  // namespace postern::ipc
