// Scheduler: see scheduler.h. Invariants: a destination is in its transport's ready list of a lane
// at most once (in_ready of its queue there; the queue stays for as long, even if it is empty) and
// is never erased while it has a queue, a request under way or rests; a transport likewise in
// ready_. Entries of the lists that have become useless meanwhile are skipped when they come up.
#include "qmgr/scheduler.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/strings.h"

namespace postern::qmgr {

struct Scheduler::Destination {
    Destination(Transport& owner, std::string_view its_name) : transport(owner), name(its_name) {}

    bool has_room(const TransportLimits& limits) const {
        if (down || resting || (limits.site_pause > Millis{0} && active > 0)) return false;
        return limits.concurrency == 0 || active < window;
    }

    bool is_idle() const { return queues.empty() && active == 0 && !resting && !down; }

    Transport& transport;
    std::string name;
    std::map<Lane, Queue> queues;
    std::size_t jobs = 0;     // in queues
    std::size_t waiting = 0;  // recipients in queues
    Backlog excess;           // our part of Scheduler::excess_
    unsigned active = 0;
    unsigned window = 1;
    double grown = 0;     // successes that the last growth has paid for already
    double shrunk = 0;    // failures that have not yet taken one from the window
    double failures = 0;  // in windows' worth; reset by a success
    bool resting = false;
    bool down = false;
    SteadyTime down_until{};
    Verdict reason;
};

namespace {

// Who lets whom pass, of one transport: what large messages have earned by their own requests, and
// what was used of it.
class SlotAccount {
  public:
    void earn() { ++made_; }
    void close() { *this = {}; }

    // Whether a message of `requests` requests may make one now, before one of `large` requests
    // that has waited longer. Once it may, the account pays for all of its requests.
    bool pays(const SlotRules& rules, std::size_t requests, std::size_t large) {
        if (rules.cost == 0) return false;
        if (passing_ == 0) {
            const double cost = rules.cost;
            const double own = static_cast<double>(large) / cost;  // nobody pays for others
            const double available = std::min(static_cast<double>(made_) / cost - used_, own);
            const auto needed = static_cast<double>(requests);
            if (needed * (100 - std::min(rules.discount, 100U)) / 100 > available + rules.loan)
                return false;
            used_ += needed;
            passing_ = requests;
        }
        --passing_;
        return true;
    }

  private:
    std::size_t made_ = 0;     // requests of large messages
    double used_ = 0;          // slots
    std::size_t passing_ = 0;  // requests that are paid for and were not made yet
};

}  // namespace

struct Scheduler::Transport {
    Transport(std::string_view its_name, const TransportLimits& its_limits)
        : name(its_name), limits(its_limits) {}

    bool has_room() const {
        if (down || resting || (limits.transport_pause > Millis{0} && active > 0)) return false;
        return active < limits.processes;
    }

    std::string name;
    TransportLimits limits;
    std::unordered_map<std::string, std::unique_ptr<Destination>> sites;
    std::map<Lane, std::deque<Destination*>> ready;
    SlotAccount slots;
    unsigned active = 0;
    bool in_ready = false;
    bool resting = false;
    bool down = false;
    SteadyTime down_until{};
    Verdict reason;
};

std::optional<double> parse_decimal(std::string_view text) {
    text = trim(text);
    if (text.empty() || !is_digit(text.front())) return std::nullopt;  // "inf", "nan", "-1"
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

Result<Feedback> Feedback::parse(std::string_view text) {
    const auto parts = split_once(text, '/');
    const std::optional<double> base = parse_decimal(parts ? parts->first : text);
    const std::string_view divisor = parts ? trim(parts->second) : "1";
    Feedback out{.amount = base.value_or(-1)};
    if (divisor == "concurrency") {
        out.per = Per::window;
    } else if (divisor == "sqrt_concurrency") {
        out.per = Per::root_of_window;
    } else {
        const double by = parse_decimal(divisor).value_or(0);
        out.amount = by > 0 ? out.amount / by : -1;
    }
    if (base && out.amount >= 0 && out.amount <= 1) return out;
    return Error{Errc::invalid,
                 cat({"\"", text,
                      "\" is no number from 0 to 1, alone or followed by \"/\" and a number, "
                      "\"concurrency\" or \"sqrt_concurrency\""})};
}

double Feedback::at(double window) const {
    switch (per) {
        case Per::window: return amount / window;
        case Per::root_of_window: return amount / std::sqrt(window);
        case Per::delivery: break;
    }
    return amount;
}

namespace {

std::size_t requests_for(std::size_t recipients, const TransportLimits& limits) {
    const std::size_t each = std::max(1U, limits.recipients);
    return (recipients + each - 1) / each;
}

// 0 where the slots that it could earn are too few for anybody to pass it.
unsigned size_class(std::size_t requests, const SlotRules& rules) {
    if (rules.cost == 0) return 0;
    const std::size_t large = std::max<std::size_t>(1, std::size_t{rules.minimum} * rules.cost);
    return static_cast<unsigned>(std::bit_width(requests / large));
}

}  // namespace

const std::string& Scheduler::Batch::transport() const { return site_->transport.name; }
const std::string& Scheduler::Batch::destination() const { return site_->name; }

Scheduler::Scheduler(LimitsFor limits_for, Backlog share)
    : limits_for_(std::move(limits_for)), share_(share) {}
Scheduler::~Scheduler() = default;

Scheduler::Transport& Scheduler::transport_named(std::string_view name) {
    auto [place, is_new] = transports_.try_emplace(std::string(name));
    if (is_new) place->second = std::make_unique<Transport>(name, limits_for_(name));
    return *place->second;
}

Scheduler::Destination& Scheduler::site_named(Transport& transport, std::string_view name) {
    auto [place, is_new] = transport.sites.try_emplace(std::string(name));
    if (is_new) {
        place->second = std::make_unique<Destination>(transport, name);
        unsigned limit = transport.limits.concurrency;
        unsigned initial = std::max(1U, transport.limits.initial);
        place->second->window = limit == 0 ? initial : std::min(initial, limit);
        ++destinations_;
    }
    return *place->second;
}

unsigned Scheduler::recipient_limit(std::string_view transport) {
    return transport_named(transport).limits.recipients;
}

unsigned Scheduler::window(std::string_view transport, std::string_view destination) const {
    auto known = transports_.find(std::string(transport));
    if (known == transports_.end()) return 0;
    auto site = known->second->sites.find(std::string(destination));
    return site == known->second->sites.end() || site->second->down ? 0 : site->second->window;
}

const Verdict* Scheduler::add(std::string_view transport_name, std::string_view destination,
                              Work work, SteadyTime now) {
    Transport& transport = transport_named(transport_name);
    if (transport.down && now < transport.down_until) return &transport.reason;
    transport.down = false;
    Destination& site = site_named(transport, destination);
    if (site.down && now < site.down_until) return &site.reason;
    site.down = false;
    if (!work.recipients.empty()) {
        queued_ += work.recipients.size();
        site.waiting += work.recipients.size();
        ++site.jobs;
        const std::size_t requests =
            std::max(work.requests, requests_for(work.recipients.size(), transport.limits));
        site.queues[Lane{work.priority, size_class(requests, transport.limits.slots)}]
            .jobs.push_back(Job{work.message, ++arrivals_, 0, static_cast<std::uint32_t>(requests),
                                std::move(work.recipients)});
        note_backlog(site);
    }
    make_ready(site);
    return nullptr;
}

// After every change of a site's jobs.
void Scheduler::note_backlog(Destination& site) {
    const auto beyond = [](std::size_t count, std::size_t share) {
        return count > share ? count - share : 0;
    };
    const Backlog now{beyond(site.jobs, share_.jobs), beyond(site.waiting, share_.recipients)};
    excess_.jobs += now.jobs - site.excess.jobs;
    excess_.recipients += now.recipients - site.excess.recipients;
    site.excess = now;
}

void Scheduler::make_ready(Destination& site) {
    if (site.jobs > 0 && site.has_room(site.transport.limits)) {
        for (auto& [lane, queue] : site.queues) {
            if (queue.in_ready || queue.jobs.empty()) continue;
            queue.in_ready = true;
            site.transport.ready[lane].push_back(&site);
        }
    }
    make_ready(site.transport);
}

void Scheduler::make_ready(Transport& transport) {
    if (transport.in_ready || transport.ready.empty() || !transport.has_room()) return;
    transport.in_ready = true;
    ready_.push_back(&transport);
}

std::optional<Scheduler::Batch> Scheduler::next(SteadyTime now) {
    end_pauses(now);
    while (!ready_.empty()) {
        Transport& transport = *ready_.front();
        ready_.pop_front();
        transport.in_ready = false;
        if (!transport.has_room()) continue;
        const Turn turn = choose(transport);
        if (turn.site != nullptr) return take(turn);
    }
    return std::nullopt;
}

// The destination of a lane whose turn it is; none: the lane is gone.
Scheduler::Turn Scheduler::first_in(Transport& transport, const Lane& lane) {
    const auto list = transport.ready.find(lane);
    while (!list->second.empty()) {
        Destination& site = *list->second.front();
        Queue& queue = site.queues.at(lane);
        if (!queue.jobs.empty() && site.has_room(transport.limits))
            return {&site, lane, queue.jobs.front().arrival};
        list->second.pop_front();
        queue.in_ready = false;
        forget_queue(site, lane);
        forget_if_idle(site);
    }
    transport.ready.erase(list);
    return {};
}

// Of the most urgent lanes the one whose work has waited longest, or the one of the smallest
// messages where slots are there for them.
Scheduler::Turn Scheduler::choose(Transport& transport) {
    Turn smallest;
    Turn oldest;
    for (auto at = transport.ready.begin(); at != transport.ready.end();) {
        const Lane lane = at->first;
        ++at;  // the lane may go
        if (smallest.site != nullptr && lane.priority != smallest.lane.priority) break;
        const Turn turn = first_in(transport, lane);
        if (turn.site == nullptr) continue;
        if (smallest.site == nullptr) smallest = turn;
        if (oldest.site == nullptr || turn.arrival < oldest.arrival) oldest = turn;
    }
    if (oldest.site == nullptr || oldest.lane.size == 0) {
        transport.slots.close();
    } else if (smallest.lane.size < oldest.lane.size) {
        const auto requests = [](const Turn& turn) -> std::size_t {
            return turn.site->queues.at(turn.lane).jobs.front().requests;
        };
        if (transport.slots.pays(transport.limits.slots, requests(smallest), requests(oldest)))
            return smallest;
    }
    return oldest;
}

// The next request of the first job there; then it is the next destination's turn.
Scheduler::Batch Scheduler::take(const Turn& turn) {
    Destination& site = *turn.site;
    Transport& transport = site.transport;
    Queue& queue = site.queues.at(turn.lane);
    Job& job = queue.jobs.front();
    const std::size_t left = job.recipients.size() - job.begin;
    const std::size_t count =
        std::min<std::size_t>(left, std::max(1U, transport.limits.recipients));

    Batch batch;
    batch.site_ = &site;
    batch.work.message = job.message;
    batch.work.priority = turn.lane.priority;
    batch.work.requests = job.requests;
    if (count == job.recipients.size()) {
        batch.work.recipients = std::move(job.recipients);
    } else {
        const auto first = job.recipients.begin() + job.begin;
        batch.work.recipients.assign(first, first + static_cast<std::ptrdiff_t>(count));
        job.begin += static_cast<std::uint32_t>(count);
    }
    if (count == left) {
        queue.jobs.pop_front();
        --site.jobs;
    }
    if (turn.lane.size > 0) transport.slots.earn();
    transport.ready.at(turn.lane).pop_front();
    queue.in_ready = false;
    forget_queue(site, turn.lane);
    queued_ -= count;
    site.waiting -= count;
    note_backlog(site);
    ++under_way_;
    ++site.active;
    ++transport.active;
    make_ready(site);
    return batch;
}

std::vector<Work> Scheduler::finish(const Batch& batch, Outcome outcome, const Verdict& reason,
                                    SteadyTime now) {
    Destination& site = *batch.site_;
    Transport& transport = site.transport;
    POSTERN_CHECK(site.active > 0 && transport.active > 0 && under_way_ > 0);
    --site.active;
    --transport.active;
    --under_way_;

    std::vector<Work> suspended;
    switch (outcome) {
        case Outcome::answered: note_success(site); break;
        case Outcome::site_down: suspended = note_failure(site, reason, now); break;
        case Outcome::transport_down: suspended = suspend_transport(transport, reason, now); break;
    }
    begin_pauses(site, now);
    make_ready(site);
    forget_if_idle(site);
    return suspended;
}

void Scheduler::begin_pauses(Destination& site, SteadyTime now) {
    Transport& transport = site.transport;
    if (transport.limits.site_pause > Millis{0} && !site.resting) {
        site.resting = true;
        pauses_.emplace(now + transport.limits.site_pause, Pause{&transport, &site});
    }
    if (transport.limits.transport_pause > Millis{0} && !transport.resting) {
        transport.resting = true;
        pauses_.emplace(now + transport.limits.transport_pause, Pause{&transport, nullptr});
    }
}

void Scheduler::end_pauses(SteadyTime now) {
    while (!pauses_.empty() && pauses_.begin()->first <= now) {
        const Pause over = pauses_.begin()->second;
        pauses_.erase(pauses_.begin());
        if (over.site != nullptr) {
            over.site->resting = false;
            make_ready(*over.site);
            forget_if_idle(*over.site);
        } else {
            over.transport->resting = false;
            make_ready(*over.transport);
        }
    }
}

std::optional<SteadyTime> Scheduler::wakes() const {
    if (pauses_.empty()) return std::nullopt;
    return pauses_.begin()->first;
}

// The window grows only as far as it is used. With a feedback of 1/n one success in n makes it grow
// by one, the first of a run; comparing with half a step forgives what rounding leaves.
void Scheduler::note_success(Destination& site) {
    const TransportLimits& limits = site.transport.limits;
    site.failures = 0;
    if (site.down) return;  // a straggler; the suspension runs its course
    if (limits.concurrency != 0 && site.window >= limits.concurrency) return;
    if (site.window >= site.active + 1 + std::max(1U, limits.initial)) return;
    const double step = limits.growth.at(site.window);
    if (site.grown < step / 2) {
        ++site.window;
        site.grown += 1;
        site.shrunk = 0;
    }
    site.grown -= step;
}

// Failures make the window smaller, at the end of a run of them; a whole cohort in a row suspends
// the site.
std::vector<Work> Scheduler::note_failure(Destination& site, const Verdict& reason,
                                          SteadyTime now) {
    const TransportLimits& limits = site.transport.limits;
    if (site.down) return {};
    site.failures += 1.0 / site.window;
    if (limits.failed_cohorts <= 0 || site.failures < limits.failed_cohorts) {
        const double step = limits.shrinkage.at(site.window);
        site.shrunk += step;
        if (step > 0 && site.shrunk + step / 2 > 1 && site.window > 1) {
            --site.window;
            site.shrunk -= 1;
            site.grown = 0;
        }
        return {};
    }
    site.down = true;
    site.down_until = now + limits.site_retry;
    site.reason = suspended_by(reason);
    site.failures = site.grown = site.shrunk = 0;
    site.window = limits.concurrency == 0
                      ? std::max(1U, limits.initial)
                      : std::min(std::max(1U, limits.initial), limits.concurrency);
    return drain(site);
}

std::vector<Work> Scheduler::suspend_transport(Transport& transport, const Verdict& reason,
                                               SteadyTime now) {
    if (!transport.down) {
        transport.down = true;
        transport.down_until = now + transport.limits.transport_retry;
        transport.reason = suspended_by(reason);
    }
    std::vector<Work> all;
    for (auto& [name, site] : transport.sites) {
        for (Work& work : drain(*site)) all.push_back(std::move(work));
    }
    return all;
}

std::vector<Work> Scheduler::drain(Destination& site) {
    std::vector<Work> works;
    works.reserve(site.jobs);
    for (auto at = site.queues.begin(); at != site.queues.end();) {
        auto& [lane, queue] = *at;
        for (Job& job : queue.jobs) {
            queued_ -= job.recipients.size() - job.begin;
            job.recipients.erase(job.recipients.begin(), job.recipients.begin() + job.begin);
            works.push_back(Work{job.message, std::move(job.recipients), lane.priority});
        }
        queue.jobs.clear();
        at = queue.in_ready ? std::next(at) : site.queues.erase(at);
    }
    site.jobs = 0;
    site.waiting = 0;
    note_backlog(site);
    return works;
}

std::size_t Scheduler::cancel(MessageKey message) {
    std::size_t removed = 0;
    const auto cancel_at = [&](Destination& site) {
        const auto is_its = [&](const Job& job) {
            if (job.message != message) return false;
            removed += job.recipients.size() - job.begin;
            site.waiting -= job.recipients.size() - job.begin;
            --site.jobs;
            return true;
        };
        for (auto at = site.queues.begin(); at != site.queues.end();) {
            std::erase_if(at->second.jobs, is_its);
            const bool useless = at->second.jobs.empty() && !at->second.in_ready;
            at = useless ? site.queues.erase(at) : std::next(at);
        }
        note_backlog(site);
    };
    for (auto& [name, transport] : transports_) {
        for (auto& [site_name, site] : transport->sites) cancel_at(*site);
    }
    queued_ -= removed;
    return removed;
}

void Scheduler::revive_all() {
    for (auto& [name, transport] : transports_) {
        transport->down = false;
        for (auto& [site_name, site] : transport->sites) site->down = false;
        make_ready(*transport);
    }
}

void Scheduler::expire(SteadyTime now) {
    for (auto& [name, transport] : transports_) {
        if (transport->down && now >= transport->down_until) transport->down = false;
        std::erase_if(transport->sites, [&](const auto& entry) {
            Destination& site = *entry.second;
            if (site.down && now >= site.down_until) site.down = false;
            const bool idle = site.is_idle();
            if (idle) --destinations_;
            return idle;
        });
        make_ready(*transport);
    }
}

// A queue is there for its jobs and for its place in the ready list.
void Scheduler::forget_queue(Destination& site, const Lane& lane) {
    const auto at = site.queues.find(lane);
    if (at->second.jobs.empty() && !at->second.in_ready) site.queues.erase(at);
}

// What we learnt of a site that has nothing to do is not kept, so that memory follows the work.
void Scheduler::forget_if_idle(Destination& site) {
    if (!site.is_idle()) return;
    --destinations_;
    std::string name = site.name;
    site.transport.sites.erase(name);
}

Verdict suspended_by(const Verdict& reason) {
    static constexpr std::string_view kPrefix = "delivery temporarily suspended: ";
    if (reason.text.starts_with(kPrefix)) return reason;
    return Verdict::defer(reason.status, cat({kPrefix, reason.text}));
}

}  // namespace postern::qmgr
