// Scheduler: decides which recipients of which message go to which transport next. Pure: no files,
// no sockets, no clock of its own, so that a million messages are simulated in a unit test.
//
// A *destination* is one next hop of one transport (one recipient, where a transport takes one
// recipient per request). Each has its own queue of jobs (one job: the recipients of one message)
// and its own concurrency window, which grows with success and shrinks with failure as in Postfix's
// SCHEDULER_README. Transports take turns. In a transport the oldest work goes first, but small
// messages may pass a large one that has earned delivery slots for them (doc/decisions/slots.md);
// a higher priority (RFC 6710) goes before all of that. Messages of about one size let their
// destinations take turns. So neither a stalled site nor a huge mailing list delays the others.
// Where main.cf wants a pause between deliveries, a destination or a transport has one at a time
// and then rests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/verdict.h"

namespace postern::qmgr {

using MessageKey = std::uint64_t;  // the Dispatcher's name for a message in memory

// "1.5": not negative, without exponent; nothing where that is not its form.
std::optional<double> parse_decimal(std::string_view text);

// By how much one delivery changes the window of its destination (Postfix's SCHEDULER_README):
// "0.5", "1/8", "1/concurrency", "1/sqrt_concurrency".
struct Feedback {
    enum class Per : unsigned char { delivery, window, root_of_window };

    double amount = 1;  // 0 to 1
    Per per = Per::delivery;

    static Result<Feedback> parse(std::string_view text);  // Errc::invalid names what is wrong
    double at(double window) const;
};

// When a small message may pass a large one (Postfix's SCHEDULER_README, "How the preemptive
// scheduler works").
struct SlotRules {
    unsigned cost = 5;       // requests of the large one that earn one slot; 0: nobody passes
    unsigned loan = 3;       // slots lent in advance
    unsigned discount = 50;  // percent of the slots needed that may be missing at the beginning
    unsigned minimum = 3;    // who cannot earn as many is not large, and is not passed
};

// What main.cf says about one transport.
struct TransportLimits {
    unsigned processes = 100;   // requests under way over all destinations
    unsigned concurrency = 20;  // requests under way to one destination; 0 = no limit
    unsigned initial = 5;       // window of a destination that we know nothing about
    unsigned recipients = 50;   // recipients in one request
    double failed_cohorts = 1;  // this many windows' worth of failures: the site is down; 0 = never
    Feedback growth;            // of the window by a success: at the beginning of a run of them
    Feedback shrinkage;         // by a failure: at the end of a run of them
    Millis site_retry{300'000};      // how long a site that is down is left alone
    Millis transport_retry{60'000};  // how long a transport that does not answer is left alone
    Millis site_pause{0};            // after each delivery to a destination
    Millis transport_pause{0};       // after each delivery by the transport
    SlotRules slots;
};

// Recipients of one message, by index in its queue file.
struct Work {
    MessageKey message = 0;
    std::vector<std::uint32_t> recipients;
    int priority = 0;  // RFC 6710: what has more goes first
    // How many requests its message makes of the transport, those to other destinations included;
    // 0: as many as this work makes.
    std::size_t requests = 0;
};

// What waits, in jobs and in recipients.
struct Backlog {
    std::size_t jobs = 0;
    std::size_t recipients = 0;
};

class Scheduler {
    struct Transport;
    struct Destination;

  public:
    using LimitsFor = std::function<TransportLimits(std::string_view transport)>;

    // A request that is to be made now. Must be given back to finish() exactly once.
    class Batch {
      public:
        Work work;
        const std::string& transport() const;
        const std::string& destination() const;

      private:
        friend class Scheduler;
        Destination* site_ = nullptr;
    };

    enum class Outcome : unsigned char {
        answered,        // the site works, whatever it said about the recipients
        site_down,       // the destination cannot be reached
        transport_down,  // our own agent did not answer
    };

    // `share`: how much of what waits is the fair part of one destination; see excess().
    explicit Scheduler(LimitsFor limits_for, Backlog share = {1'000, 1'000});
    ~Scheduler();
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    // Queues work. Null, or why the destination or transport is suspended: then nothing is queued
    // and the caller defers the recipients with that verdict (valid until the next call).
    const Verdict* add(std::string_view transport, std::string_view destination, Work work,
                       SteadyTime now);

    // How many recipients per request a transport takes (where 1, the destination is the
    // recipient).
    unsigned recipient_limit(std::string_view transport);

    // The next request, or nothing when every destination is at its limit, rests or is empty.
    std::optional<Batch> next(SteadyTime now);
    // When a pause is over next, if any is under way.
    std::optional<SteadyTime> wakes() const;

    // Ends a request. When that suspends the site or the transport, returns what was queued for it:
    // the caller defers it with suspended_by(reason).
    std::vector<Work> finish(const Batch& batch, Outcome outcome, const Verdict& reason,
                             SteadyTime now);

    // Forgets a message that was taken away (deleted, held): removes its queued jobs, returns how
    // many recipients that were. Requests under way go on. Linear in the number of queued jobs.
    std::size_t cancel(MessageKey message);

    // "Try again now": forgets that sites and transports were down (postqueue -f).
    void revive_all();
    // Drops what is known of sites whose suspension is over. To be called now and then.
    void expire(SteadyTime now);

    std::size_t queued() const { return queued_; }        // recipients waiting
    std::size_t under_way() const { return under_way_; }  // requests given out
    // The part of what waits that is beyond the share of its destination. Whoever limits how much
    // is in memory leaves it out, or a stalled destination would keep everybody's mail out.
    Backlog excess() const { return excess_; }
    std::size_t destinations() const { return destinations_; }  // known now
    // For tests and status: the window of a destination, 0 when it is unknown or down.
    unsigned window(std::string_view transport, std::string_view destination) const;

  private:
    // Where work waits: urgent before less urgent, then by size. Size 0 is what is too small to be
    // passed; each further size is for messages of twice as many requests.
    struct Lane {
        int priority = 0;
        unsigned size = 0;
        friend bool operator<(const Lane& a, const Lane& b) {
            return a.priority != b.priority ? a.priority > b.priority : a.size < b.size;
        }
    };
    // One message's recipients at one destination.
    struct Job {
        MessageKey message = 0;
        std::uint64_t arrival = 0;   // order in which work came
        std::uint32_t begin = 0;     // first recipient not given out yet
        std::uint32_t requests = 0;  // Work::requests
        std::vector<std::uint32_t> recipients;
    };
    // What waits at a destination in one lane.
    struct Queue {
        std::list<Job> jobs;    // never empty
        bool in_ready = false;  // in its transport's list of the lane
    };

    Transport& transport_named(std::string_view name);
    Destination& site_named(Transport& transport, std::string_view name);
    // A destination whose turn it is, and the lane of its work.
    struct Turn {
        Destination* site = nullptr;
        Lane lane;
        std::uint64_t arrival = 0;
    };
    Turn first_in(Transport& transport, const Lane& lane);
    Turn choose(Transport& transport);
    Batch take(const Turn& turn);
    void forget_queue(Destination& site, const Lane& lane);
    std::vector<Work> drain(Destination& site);
    void note_success(Destination& site);
    std::vector<Work> note_failure(Destination& site, const Verdict& reason, SteadyTime now);
    std::vector<Work> suspend_transport(Transport& transport, const Verdict& reason,
                                        SteadyTime now);
    void make_ready(Destination& site);
    void make_ready(Transport& transport);
    void begin_pauses(Destination& site, SteadyTime now);
    void end_pauses(SteadyTime now);
    void note_backlog(Destination& site);
    void forget_if_idle(Destination& site);

    struct Pause {
        Transport* transport = nullptr;
        Destination* site = nullptr;  // null: the whole transport rests
    };

    LimitsFor limits_for_;
    Backlog share_;
    std::unordered_map<std::string, std::unique_ptr<Transport>> transports_;
    std::deque<Transport*> ready_;
    std::multimap<SteadyTime, Pause> pauses_;  // by their ends
    Backlog excess_;
    std::uint64_t arrivals_ = 0;
    std::size_t queued_ = 0;
    std::size_t under_way_ = 0;
    std::size_t destinations_ = 0;
};

// The verdict for work behind a suspended site: its reason, said to be a suspension.
Verdict suspended_by(const Verdict& reason);

}  // namespace postern::qmgr
