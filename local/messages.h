// Messages between local's own processes: the parent (root) asks the planner what an address stands
// for, and hands deliveries to the workers, each with the descriptors of the queue file and of
// qmgr's connection, on which the worker itself reports.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/auth.h"
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

// Where a "|command" or "/file" was written.
enum class Origin : std::uint8_t { alias, include, forward, kLast = forward };

// A "|command" or "/file" of an alias: whose rights it has depends on where it was written.
struct Order {
    std::string text;
    Origin origin = Origin::alias;
    std::uint32_t table = 0;  // alias: which of alias_maps
    std::uint32_t owner = 0;  // include: the file's owner

    void attributes(auto& io) {
        io.attr("text", text, ipc::kMaxPath);
        io.attr("origin", origin);
        io.attr("table", table);
        io.attr("owner", owner);
    }
};

struct Plan {
    static constexpr ipc::Type kType = ipc::Type::plan_answer;
    static constexpr std::size_t kMaxForwards = 1000;
    static constexpr std::size_t kForwardBudget = 40'000;  // bytes of all forwards and orders
    static constexpr std::size_t kMaxOrders = 50;
    static constexpr std::size_t kMaxFollowed = 20;  // for mailtrace; the first ones of more

    PlanKind kind = PlanKind::defer;
    std::string status, text;
    std::string user;     // lower case, without extension
    std::string address;  // of the final mailbox: Delivered-To
    std::string owner;    // envelope sender from now on (owner-alias); empty: unchanged
    std::string path;     // mailbox: as virtual_mailbox_maps has it
    std::uint32_t uid = 0, gid = 0;
    std::vector<std::string> forwards;
    std::vector<Order> orders;  // forward: commands and files
    // The aliases that were followed, in their order; the last one again where they are a loop.
    std::vector<std::string> followed;
    // user: what main.cf says about his mailbox, and about names that no user has.
    std::string command;    // mailbox_command_maps
    std::string transport;  // mailbox_transport, mailbox_transport_maps
    std::string fallback;   // fallback_transport, fallback_transport_maps
    std::string luser;      // luser_relay, expanded

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
        io.attr("orders", orders, kMaxOrders);
        io.attr("followed", followed, kMaxFollowed, ipc::kMaxAddress);
        io.attr("command", command, ipc::kMaxPath);
        io.attr("transport", transport, ipc::kMaxNextHop);
        io.attr("fallback", fallback, ipc::kMaxNextHop);
        io.attr("luser", luser, ipc::kMaxAddress);
    }
};

// Where one recipient of a job goes; at the same place in the list as the recipient in the request.
struct Target {
    std::string mailbox;  // absolute; with a trailing / a Maildir, otherwise an mbox file
    std::string address;  // Delivered-To
    // Of local's users, for .forward files and commands; a virtual mailbox has none of it.
    std::string user, home, shell;
    std::string command;  // mailbox_command: instead of the mailbox
    // mailbox_transport: instead of the mailbox. The runner's report marks the recipient by
    // kForAgent in remote_mta, and the parent's side passes it on.
    std::string transport;
    std::string quota_rule = {};  // of a Maildir: lib/mailbox/quota.h

    void attributes(auto& io) {
        io.attr("mailbox", mailbox, ipc::kMaxPath);
        io.attr("address", address, ipc::kMaxAddress);
        io.attr("user", user, ipc::kMaxUser);
        io.attr("home", home, ipc::kMaxPath);
        io.attr("shell", shell, ipc::kMaxPath);
        io.attr("command", command, ipc::kMaxPath);
        io.attr("transport", transport, ipc::kMaxNextHop);
        io.attr("quota_rule", quota_rule, ipc::kMaxQuotaRule);
    }
    static constexpr const char* kForAgent = "mailbox_transport";
    bool is_maildir() const { return mailbox.ends_with('/'); }
};

struct MailboxJob {
    static constexpr ipc::Type kType = ipc::Type::mailbox_job;

    ipc::DeliverRequest request;
    std::vector<Target> targets;
    bool final = false;  // into the mailbox, whatever a .forward file says: it has been asked

    void attributes(auto& io) {
        io.attr("request", request);
        io.attr("targets", targets, ipc::kMaxRecipientsPerMessage);
        io.attr("final", final);
    }
};

// One recipient that stands for others.
struct ForwardJob {
    static constexpr ipc::Type kType = ipc::Type::forward_job;

    ipc::DeliverRequest request;  // with that one recipient
    std::vector<std::string> forwards;
    std::string delivered = {};  // Delivered-To; empty: the recipient's address

    void attributes(auto& io) {
        io.attr("request", request);
        io.attr("forwards", forwards, Plan::kMaxForwards, ipc::kMaxAddress);
        io.attr("delivered", delivered, ipc::kMaxAddress);
    }
};

// What needs more than a mailbox: recipients with a .forward file or a mailbox_command, or the
// orders of an alias. Goes from a mailbox worker (or the parent) to a runner.
struct RunnerJob {
    static constexpr ipc::Type kType = ipc::Type::runner_job;

    ipc::DeliverRequest request;
    std::vector<Target> targets;        // of users; an alias has one without user
    std::vector<Order> orders;          // of an alias
    std::vector<std::string> forwards;  // of an alias: after its orders
    ipc::DeliverReport decided;         // what is known of other recipients already

    void attributes(auto& io) {
        io.attr("request", request);
        io.attr("targets", targets, ipc::kMaxRecipientsPerMessage);
        io.attr("orders", orders, Plan::kMaxOrders);
        io.attr("forwards", forwards, Plan::kMaxForwards, ipc::kMaxAddress);
        io.attr("decided", decided);
    }
};

}  // namespace postern::local
