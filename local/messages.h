// Messages between local's own processes: the parent (root) asks the planner what an address stands
// for, and hands deliveries to the workers, each with the descriptors of the queue file and of
// qmgr's connection, on which the worker itself reports.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/deliver.h"

namespace postern::local {

struct PlanRequest {
    static constexpr ipc::Type kType = ipc::Type::plan_request;

    std::string address;

    void attributes(auto& io) { io.attr("address", address, ipc::kMaxAddress); }
};

enum class PlanKind : std::uint8_t {
    user,     // the mailbox of a local user
    mailbox,  // a virtual mailbox
    forward,  // other addresses, through the queue; and the user's own mailbox too, if `user` is
              // set
    refuse,   // never: status and text
    defer,    // not now: status and text
    kLast = defer
};

struct Plan {
    static constexpr ipc::Type kType = ipc::Type::plan_answer;
    static constexpr std::size_t kMaxForwards = 1000;
    static constexpr std::size_t kForwardBudget = 48'000;  // bytes of all forwards

    PlanKind kind = PlanKind::defer;
    std::string status, text;
    std::string user;     // lower case, without extension
    std::string address;  // of the final mailbox: Delivered-To
    std::string owner;    // envelope sender from now on (owner-alias); empty: unchanged
    std::string path;     // mailbox: as virtual_mailbox_maps has it
    std::uint32_t uid = 0, gid = 0;
    std::vector<std::string> forwards;

    void attributes(auto& io) {
        io.attr("kind", kind);
        io.attr("status", status, 16);
        io.attr("text", text, ipc::kMaxText);
        io.attr("user", user, ipc::kMaxUser);
        io.attr("address", address, ipc::kMaxAddress);
        io.attr("owner", owner, ipc::kMaxAddress);
        io.attr("path", path, ipc::kMaxPath);
        io.attr("uid", uid);
        io.attr("gid", gid);
        io.attr("forwards", forwards, kMaxForwards, ipc::kMaxAddress);
    }
};

// Where one recipient of a job goes; at the same place in the list as the recipient in the request.
struct Target {
    std::string maildir;  // absolute
    std::string address;  // Delivered-To

    void attributes(auto& io) {
        io.attr("maildir", maildir, ipc::kMaxPath);
        io.attr("address", address, ipc::kMaxAddress);
    }
};

struct MailboxJob {
    static constexpr ipc::Type kType = ipc::Type::mailbox_job;

    ipc::DeliverRequest request;
    std::vector<Target> targets;

    void attributes(auto& io) {
        io.attr("request", request);
        io.attr("targets", targets, ipc::kMaxRecipientsPerMessage);
    }
};

// One recipient that stands for others.
struct ForwardJob {
    static constexpr ipc::Type kType = ipc::Type::forward_job;

    ipc::DeliverRequest request;  // with that one recipient
    std::vector<std::string> forwards;

    void attributes(auto& io) {
        io.attr("request", request);
        io.attr("forwards", forwards, Plan::kMaxForwards, ipc::kMaxAddress);
    }
};

}  // namespace postern::local
