// Manager: orders from postqueue and postsuper. Changes to a message in memory take effect when
// nothing of it is under way any more; what an agent has got is delivered.
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/admin.h"

#include "qmgr/manager.h"
#include "qmgr/routes.h"

namespace postern::qmgr {

using queue::Directory;

namespace {

constexpr Millis kLateWait{50};
constexpr Seconds kLatePatience{60};

ipc::QueueOperation operation_of(ActiveMessage::Fate fate) {
    POSTERN_CHECK(fate != ActiveMessage::Fate::none);
    if (fate == ActiveMessage::Fate::requeue) return ipc::QueueOperation::requeue;
    return fate == ActiveMessage::Fate::hold ? ipc::QueueOperation::hold
                                             : ipc::QueueOperation::remove;
}

ipc::QueueControlAnswer answer(bool ok, std::uint32_t count = 0, std::string_view text = {}) {
    ipc::QueueControlAnswer result;
    result.ok = ok;
    result.count = count;
    result.text = text;
    return result;
}

}  // namespace

ipc::QueueControlAnswer Manager::control(const ipc::QueueControl& order) {
    using Operation = ipc::QueueOperation;
    switch (order.operation) {
        case Operation::flush_all:
            scheduler_.revive_all();
            scanner_.scan_incoming();
            scanner_.scan_deferred(Scanner::Which::all);
            return answer(true);
        case Operation::rescan:
            scanner_.scan_incoming();
            scanner_.scan_deferred(Scanner::Which::due);
            return answer(true);
        case Operation::flush_message: {
            scheduler_.revive_all();
            bool known = flush_message(order.queue_id);
            return answer(known, known ? 1 : 0,
                          known ? "" : "no such message in the deferred queue");
        }
        case Operation::flush_site: return answer(false, 0, "sites have a call of their own");
        case Operation::trigger: return trigger(order.requests);
        case Operation::hold:
        case Operation::release:
        case Operation::remove:
        case Operation::requeue:
        case Operation::expire: break;
    }
    if (order.queue_id.empty()) return answer(false, 0, "no queue id");
    const auto changed = change_resting(order.queue_id, order.operation);
    if (changed) return answer(true, *changed ? 1 : 0);
    auto refusal = answer(false, 0, printable(changed.error().what, 500));
    refusal.in_use = queue::is_in_use(changed.error());
    if (!refusal.in_use) log::warning(order.queue_id.str(), changed.error().what);
    return refusal;
}

// Postfix's qmgr(8): I and D have incoming/ and deferred/ scanned, A whatever the times, F forgets
// which sites are down, W is what master says now and then.
ipc::QueueControlAnswer Manager::trigger(std::string_view requests) {
    const auto wants = [&](char letter) { return requests.find(letter) != std::string_view::npos; };
    if (wants('F')) scheduler_.revive_all();
    if (wants('I') || wants('W')) scanner_.scan_incoming();
    if (wants('D')) {
        scanner_.scan_deferred(wants('A') ? Scanner::Which::all : Scanner::Which::due);
    } else if (wants('W')) {
        scanner_.scan_deferred(Scanner::Which::due);
    }
    std::string unknown;
    for (const char letter : requests) {
        if (std::string_view("ADFIW").find(letter) == std::string_view::npos) unknown += letter;
    }
    if (unknown.empty()) return answer(true);
    return answer(true, 0, cat({"requests ignored: \"", printable(unknown, 100), "\""}));
}

bool Manager::flush_message(const QueueId& id) {
    if (by_id_.contains(id.str())) return true;
    return take_up(Directory::deferred, id, Reason::flushed);
}

// A message in memory.
bool Manager::change(const QueueId& id, Message::Fate fate) {
    Message& message = *find(by_id_.at(id.str()));
    if (message.fate == fate) return false;
    message.fate = fate;
    if (routes_.contains(message.key)) return true;  // schedule() sees it
    message.pending -= static_cast<std::uint32_t>(scheduler_.cancel(message.key));
    if (message.pending == 0) complete(message);
    return true;
}

Result<bool> Manager::change_resting(const QueueId& id, ipc::QueueOperation operation) {
    using Operation = ipc::QueueOperation;
    bool active = by_id_.contains(id.str());
    switch (operation) {
        case Operation::hold:
            if (active) return change(id, Message::Fate::hold);
            break;
        case Operation::remove:
            if (active) return change(id, Message::Fate::remove);
            break;
        case Operation::requeue:
            if (active) return change(id, Message::Fate::requeue);
            break;
        case Operation::release:
            if (active) return false;
            break;
        case Operation::expire:
            if (active) {
                find(by_id_.at(id.str()))->force_expire = true;
                return true;
            }
            break;
        default: return false;
    }
    static constexpr std::pair<Operation, queue::Change> kChanges[] = {
        {Operation::hold, queue::Change::hold},     {Operation::release, queue::Change::release},
        {Operation::remove, queue::Change::remove}, {Operation::requeue, queue::Change::requeue},
        {Operation::expire, queue::Change::expire},
    };
    for (const auto& [name, resting] : kChanges) {
        if (name != operation) continue;
        TRY_ASSIGN(const bool changed, queue::change_message(store_.fs(), id, resting));
        if (operation == Operation::remove && notes_.contains(id.str())) forget_deferrals(id);
        bool due = operation == Operation::release || operation == Operation::requeue;
        if (changed && due && has_room(Directory::deferred)) {
            loop_.post([this, id] { take_up(Directory::deferred, id, Reason::flushed); });
        }
        return changed;
    }
    return false;
}

// What was ordered of a message since its copy was made; that it is to expire no copy says.
void Manager::note_late_orders(const Message& message) {
    const auto note = [&](ipc::QueueOperation operation) {
        late_orders_.push_back({message.id(), operation, steady() + kLatePatience});
        late_timer_.start(Millis{0});
    };
    if (message.force_expire) note(ipc::QueueOperation::expire);
    if (message.fate == Message::Fate::requeue) take_up_again(message.id());
    if (message.fate != message.fate_moved) note(operation_of(message.fate));
}

// The orders were said to be carried out: somebody who has the file in hand for a moment (showq)
// must not undo that.
void Manager::apply_late_orders() {
    std::erase_if(late_orders_, [this](const LateOrder& order) {
        const auto changed = change_resting(order.id, order.operation);
        if (!changed && queue::is_in_use(changed.error()) && steady() < order.until) return false;
        if (!changed)
            log::warning(order.id.str(),
                         cat({"an order was not carried out: ", changed.error().what}));
        return true;
    });
    if (!late_orders_.empty()) late_timer_.start(kLateWait);
}

void Manager::flush_site(const std::string& site, const Answered& answered) {
    if (draining_) return answered(answer(false, 0, "the queue manager is ending"));
    resolver_.resolve(
        "", cat({"postmaster@", site}), false,
        [this, site, answered](const Result<ipc::ResolveAnswer>& route) {
            const bool told = route && route->outcome == ipc::LookupOutcome::ok &&
                              route->flush_site != ipc::FlushSite::unknown;
            if (!told) return answered(answer(false, 0, "address resolver unavailable"));
            if (route->flush_site == ipc::FlushSite::yes) return answered(wake_site(site));
            auto refusal = answer(
                false, 0, cat({"Flush service is not configured for destination \"", site, "\""}));
            refusal.not_served = true;
            answered(refusal);
        });
}

ipc::QueueControlAnswer Manager::wake_site(const std::string& site) {
    auto waiting = sites_.take(site);
    if (!waiting) {
        log::warning("", waiting.error().what);
        return answer(false, 0, "cannot read what waits for the site");
    }
    scheduler_.revive_all();
    scanner_.go_through(*waiting);
    log::info("", cat({"flush of ", site, ": ", std::to_string(waiting->size()), " messages"}));
    return answer(true, static_cast<std::uint32_t>(waiting->size()));
}

}  // namespace postern::qmgr
