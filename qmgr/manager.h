// Manager: the life of queued messages. Takes up files that the Scanner or a nudge names, has the
// Resolver say where their recipients go, lets the Scheduler decide whose turn it is, hands
// requests to Agents, and keeps the books: recipients done (status bytes), deferred (deferred/,
// with the time of the next attempt) or bounced (records and notifications at the bounce service).
//
// What may go wrong anywhere leaves the recipient undelivered and the file in place: mail is
// repeated rather than lost.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/clock.h"
#include "lib/ipc/messages/queue.h"
#include "lib/loop/file_sync.h"
#include "lib/loop/loop.h"

#include "qmgr/agents.h"
#include "qmgr/bouncer.h"
#include "qmgr/message.h"
#include "qmgr/name_sync.h"
#include "qmgr/options.h"
#include "qmgr/resolver.h"
#include "qmgr/scanner.h"
#include "qmgr/scheduler.h"
#include "qmgr/site_logs.h"
#include "qmgr/store.h"
#include "qmgr/verifications.h"

namespace postern::qmgr {

class Manager {
  public:
    // Runs in queue_directory; services are sought in `services` ("private").
    Manager(loop::Loop& loop, sys::Fs& fs, Options options,
            const std::string& services = "private");
    ~Manager();

    void start();  // scans incoming/ and what is due in deferred/, and again every queue_run_delay

    // cleanup has committed this file.
    void on_nudge(const QueueId& file);
    // An order from a command.
    ipc::QueueControlAnswer control(const ipc::QueueControl& order);
    // All that waits for a site, if that is served (fast_flush_domains). Calls back once.
    using Answered = std::function<void(const ipc::QueueControlAnswer&)>;
    void flush_site(const std::string& site, const Answered& answered);

    // Gives out nothing more. Deliveries under way are waited for; a message of which none is (any
    // more) is the next qmgr's.
    void drain();
    bool drained() const {
        return draining_ && messages_.empty() && late_orders_.empty() &&
               file_sync_.outstanding() == 0 && bouncer_.is_idle();
    }

    std::size_t active() const { return messages_.size(); }

  private:
    using Message = ActiveMessage;

    // Taking up.
    bool has_room(queue::Directory directory) const;
    // What is in memory, without what waits for destinations beyond their shares.
    Backlog counted_load() const;
    // Why a file is taken up: cleanup has just announced it, a scan found it (it may be from before
    // a crash), or somebody wants it tried now.
    enum class Reason : unsigned char { announced, found, flushed };
    bool take_up(queue::Directory directory, const QueueId& name, Reason reason);
    void admit(const QueueFilePtr& file, queue::Message message, Reason reason);
    bool settled_before(const QueueFilePtr& file, const queue::Message& message);
    void found(queue::Directory directory, const QueueId& name, bool asked);
    void room_again();
    void begin(Message& message, Reason reason);
    void log_active(const Message& message) const;
    void note_expansions(Message& message);
    void resolve_all(Message& message);

    // Where recipients go. Answers for the recipients of a message are gathered, then scheduled.
    void on_resolved(MessageKey key, std::uint32_t index, const Result<ipc::ResolveAnswer>& answer);
    bool waits_for_flush(const Message& message, std::string_view transport) const;
    void note_route(Message& message, std::uint32_t index, const ipc::ResolveAnswer& route);
    void schedule_routes(MessageKey key);
    void schedule(Message& message, const std::string& transport, const std::string& destination,
                  std::vector<std::uint32_t> recipients, std::size_t requests);

    // Deliveries.
    void pump_soon();
    void pump();
    void deliver(Scheduler::Batch batch);
    void on_delivered(const Scheduler::Batch& batch, const DeliveryResult& result);
    void defer_works(const std::vector<Work>& works, const Verdict& reason);
    // best_mx_transport, see doc/decisions/best-mx.md.
    bool loops_may_go_elsewhere() const;
    const std::string& best_mx_for(std::string_view transport) const;
    bool may_pass_on(MessageKey key, std::uint32_t index, std::string_view transport) const;
    void pass_on(MessageKey key, const std::vector<std::uint32_t>& recipients,
                 const std::string& best_mx, const std::string& next_hop);

    // What became of one recipient; each ends in settle().
    // sendmail -v: whether the sender still has to hear of all that becomes of it.
    static bool reports_all(const Message& message);
    void note_for_report(Message& message, const ipc::BounceAppend& record);
    void on_report(Message& message, const ipc::RecipientReport& report);
    void on_probed(Message& message, const ipc::RecipientReport& report);
    void tell_verify(Message& message, std::uint32_t index, std::vector<ipc::VerifyUpdate> news);
    bool clears_delay(const Message& message, std::uint8_t notify) const;
    void on_accepted(Message& message, const ipc::RecipientReport& report);
    void on_rejected(Message& message, const ipc::RecipientReport& report);
    void on_deferred(Message& message, const ipc::RecipientReport& report);
    void record_bounce(Message& message, const ipc::RecipientReport& report);
    using Written = std::function<void(Message&, bool written)>;
    Bouncer::Done once_written(Message& message, Written then);
    void give_up(Message& message, std::uint32_t index);
    void settle(Message& message);
    void log_outcome(const Message& message, const ipc::RecipientReport& report) const;
    void decide(Message& message, std::uint32_t index, const Verdict& verdict);  // without an agent

    // No recipient is open any more.
    void complete(Message& message);
    void notify(Message& message, ipc::Notification notification);
    void on_notified(MessageKey key, ipc::Notification notification, const Result<void>& done);
    void first_report_told(Message& message);
    void set_mark(Message& message, mode_t mark);
    void put_to_rest(Message& message);
    void take_up_again(const QueueId& id);
    WallTime next_try(const Message& message) const;
    void wake_at(WallTime release, const QueueId& id);
    void release_due();
    void move_batch_out();
    void on_moved(const std::vector<MessageKey>& owners, const std::vector<Move>& moves,
                  const loop::SyncJob& job);
    void finish(Message& message);
    void erase(Message& message);
    void give_memory_back();
    void remove_log(queue::Directory directory, const QueueId& id);
    // Why it waits, for mailq: written behind our back, so that a record may be under way when
    // nobody wants it any more.
    void note_deferral(const Message& message, const ipc::RecipientReport& report);
    void forget_deferrals(const QueueId& id);
    bool is_gone(const QueueId& id);

    void let_go(Message& message);
    void let_go_if_idle(MessageKey key);

    // Orders about one message.
    bool change(const QueueId& id, Message::Fate fate);
    Result<bool> change_resting(const QueueId& id, ipc::QueueOperation operation);
    void note_late_orders(const Message& message);
    void apply_late_orders();
    bool flush_message(const QueueId& id);
    ipc::QueueControlAnswer trigger(std::string_view requests);
    ipc::QueueControlAnswer wake_site(const std::string& site);

    Message* find(MessageKey key);
    WallTime now() const { return loop_.clock().now(); }
    SteadyTime steady() const { return loop_.clock().steady(); }

    struct Routes;

    loop::Loop& loop_;
    Options options_;
    Store store_;
    loop::FileSync file_sync_;
    NameSync names_;
    Scheduler scheduler_;
    Resolver resolver_;
    Bouncer bouncer_;
    Verifications verifications_;
    Agents agents_;
    Scanner scanner_;
    SiteLogs sites_;
    loop::Timer run_timer_;
    loop::Timer incoming_timer_;  // finds what a lost nudge did not tell
    loop::Timer move_timer_;
    loop::Timer pump_timer_;
    loop::Timer pause_timer_;  // main.cf wants pauses between deliveries: one is over
    loop::Timer release_timer_;
    loop::Timer rescan_timer_;  // another qmgr, draining, still held a file
    loop::Timer late_timer_;

    std::unordered_map<MessageKey, std::unique_ptr<Message>> messages_;
    std::unordered_map<std::string, MessageKey> by_id_;
    std::unordered_map<MessageKey, Routes> routes_;  // of messages that are being resolved
    std::vector<MessageKey> moving_;                 // to go into files of their own
    // Orders that came while a message was being moved: for its new file.
    struct LateOrder {
        QueueId id;
        ipc::QueueOperation operation;
        SteadyTime until;  // somebody may have the file in hand, but not for ever
    };
    std::vector<LateOrder> late_orders_;
    struct Notes {
        std::size_t under_way = 0;
        bool unwanted = false;  // the log goes when the last one has been written
    };
    std::unordered_map<std::string, Notes> notes_;
    // Who went to best_mx_transport: nobody does twice.
    std::unordered_map<MessageKey, std::set<std::uint32_t>> passed_on_;
    MessageKey next_key_ = 1;
    std::size_t recipients_ = 0;       // in memory
    std::size_t most_recipients_ = 0;  // since free memory was last given back
    // Messages that their senders have held (RFC 4865), the first ones; the others are found by
    // scans.
    std::set<std::pair<WallTime, std::string>> releases_;
    std::size_t probes_ = 0;  // messages in memory that are probes
    bool incoming_missed_ = false;
    bool draining_ = false;
};

}  // namespace postern::qmgr
