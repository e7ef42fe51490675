// Scheduler: see scheduler.h. Invariants: a destination is in its transport's ready list at most
// once (in_ready) and is never erased while it is there, has a request under way or rests; a
// transport likewise in ready_. Entries of the lists that have become useless meanwhile are skipped
// when they come up.
#include "qmgr/scheduler.h"

#include <algorithm>
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

    bool is_idle() const { return jobs.empty() && active == 0 && !in_ready && !resting && !down; }

    Transport& transport;
    std::string name;
    std::deque<Job> jobs;
    std::size_t waiting = 0;  // recipients in jobs
    Backlog excess;           // our part of Scheduler::excess_
    unsigned active = 0;
    unsigned window = 1;
    double grown = 0;     // successes that the last growth has paid for already
    double shrunk = 0;    // failures that have not yet taken one from the window
    double failures = 0;  // in windows' worth; reset by a success
    bool in_ready = false;
    int ready_priority = 0;  // its place there
    bool resting = false;
    bool down = false;
    SteadyTime down_until{};
    Verdict reason;
};

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
    std::deque<Destination*> ready;
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
        insert(site, Job{work.message, 0, static_cast<std::int8_t>(work.priority),
                         std::move(work.recipients)});
        note_backlog(site);
    }
    make_ready(site);
    return nullptr;
}

// Behind the last job that is not less urgent; nearly always that is the end.
void Scheduler::insert(Destination& site, Job job) {
    const auto less_urgent = [](int priority, const Job& other) {
        return other.priority < priority;
    };
    if (site.jobs.empty() || site.jobs.back().priority >= job.priority)
        return site.jobs.push_back(std::move(job));
    site.jobs.insert(
        std::upper_bound(site.jobs.begin(), site.jobs.end(), job.priority, less_urgent),
        std::move(job));
}

// After every change of a site's jobs.
void Scheduler::note_backlog(Destination& site) {
    const auto beyond = [](std::size_t count, std::size_t share) {
        return count > share ? count - share : 0;
    };
    const Backlog now{beyond(site.jobs.size(), share_.jobs),
                      beyond(site.waiting, share_.recipients)};
    excess_.jobs += now.jobs - site.excess.jobs;
    excess_.recipients += now.recipients - site.excess.recipients;
    site.excess = now;
}

void Scheduler::make_ready(Destination& site) {
    if (!site.jobs.empty() && site.has_room(site.transport.limits)) {
        auto& ready = site.transport.ready;
        const int priority = site.jobs.front().priority;
        // A more urgent job has come to a site that waits for its turn.
        if (site.in_ready && priority > site.ready_priority) {
            std::erase(ready, &site);
            site.in_ready = false;
        }
        if (!site.in_ready) {
            const auto less_urgent = [](int wanted, const Destination* other) {
                return other->ready_priority < wanted;
            };
            const auto place =
                ready.empty() || ready.back()->ready_priority >= priority
                    ? ready.end()
                    : std::upper_bound(ready.begin(), ready.end(), priority, less_urgent);
            ready.insert(place, &site);
            site.in_ready = true;
            site.ready_priority = priority;
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
        while (!transport.ready.empty()) {
            Destination& site = *transport.ready.front();
            transport.ready.pop_front();
            site.in_ready = false;
            if (site.jobs.empty() || !site.has_room(transport.limits)) {
                forget_if_idle(site);
                continue;
            }
            return take(site);
        }
    }
    return std::nullopt;
}

// The next request of the site's first job; a job with more to do goes to the end of the line.
Scheduler::Batch Scheduler::take(Destination& site) {
    Job& job = site.jobs.front();
    std::size_t left = job.recipients.size() - job.begin;
    std::size_t count = std::min<std::size_t>(left, std::max(1U, site.transport.limits.recipients));

    Batch batch;
    batch.site_ = &site;
    batch.work.message = job.message;
    if (count == job.recipients.size()) {
        batch.work.recipients = std::move(job.recipients);
        site.jobs.pop_front();
    } else {
        auto first = job.recipients.begin() + job.begin;
        batch.work.recipients.assign(first, first + static_cast<std::ptrdiff_t>(count));
        job.begin += static_cast<std::uint32_t>(count);
        Job rest = std::move(job);
        site.jobs.pop_front();
        if (count < left) insert(site, std::move(rest));
    }
    queued_ -= count;
    site.waiting -= count;
    note_backlog(site);
    ++under_way_;
    ++site.active;
    ++site.transport.active;
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
    works.reserve(site.jobs.size());
    for (Job& job : site.jobs) {
        queued_ -= job.recipients.size() - job.begin;
        job.recipients.erase(job.recipients.begin(), job.recipients.begin() + job.begin);
        works.push_back(Work{job.message, std::move(job.recipients)});
    }
    site.jobs.clear();
    site.waiting = 0;
    note_backlog(site);
    return works;
}

std::size_t Scheduler::cancel(MessageKey message) {
    std::size_t removed = 0;
    for (auto& [name, transport] : transports_) {
        for (auto& [site_name, site] : transport->sites) {
            std::erase_if(site->jobs, [&](const Job& job) {
                if (job.message != message) return false;
                removed += job.recipients.size() - job.begin;
                site->waiting -= job.recipients.size() - job.begin;
                return true;
            });
            note_backlog(*site);
        }
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
