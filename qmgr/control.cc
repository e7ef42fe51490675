// Manager: orders from postqueue and postsuper. Changes to a message in memory take effect when
// nothing of it is under way any more; what an agent has got is delivered.
#include <fcntl.h>

#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/admin.h"
#include "lib/queue/reader.h"

#include "qmgr/manager.h"
#include "qmgr/routes.h"

namespace postern::qmgr {

using queue::Directory;

namespace {

ipc::QueueControlAnswer answer(bool ok, std::uint32_t count = 0, std::string_view text = {}) {
    ipc::QueueControlAnswer result;
    result.ok = ok;
    result.count = count;
    result.text = text;
    return result;
}

// "u@site" or, for a site in brackets, "u@[1.2.3.4]"; a site that begins with a dot stands for
// everything below it.
bool is_at_site(std::string_view address, std::string_view site) {
    auto at = address.rfind('@');
    if (at == std::string_view::npos) return false;
    std::string_view domain = address.substr(at + 1);
    return iequals(domain, site) || (site.starts_with('.') && iends_with(domain, site));
}

}  // namespace

ipc::QueueControlAnswer Manager::control(const ipc::QueueControl& order) {
    using Operation = ipc::QueueOperation;
    switch (order.operation) {
        case Operation::flush_all:
        case Operation::flush_site:
            scheduler_.revive_all();
            flush_site_ = order.operation == Operation::flush_site ? order.site : std::string();
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
        case Operation::trigger: return trigger(order.requests);
        case Operation::hold:
        case Operation::release:
        case Operation::remove:
        case Operation::requeue:
        case Operation::expire: break;
    }
    if (order.queue_id.empty()) return answer(false, 0, "no queue id");
    bool changed = change_resting(order.queue_id, order.operation);
    return answer(true, changed ? 1 : 0);
}

// Postfix's qmgr(8): I and D have incoming/ and deferred/ scanned, A whatever the times, F forgets
// which sites are down, W is what master says now and then.
ipc::QueueControlAnswer Manager::trigger(std::string_view requests) {
    const auto wants = [&](char letter) { return requests.find(letter) != std::string_view::npos; };
    if (wants('F')) scheduler_.revive_all();
    if (wants('I') || wants('W')) scanner_.scan_incoming();
    if (wants('D')) {
        if (wants('A')) flush_site_.clear();
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
    bool moving = std::find(moving_.begin(), moving_.end(), message.key) != moving_.end();
    if (message.pending == 0 && !moving) complete(message);
    return true;
}

bool Manager::change_resting(const QueueId& id, ipc::QueueOperation operation) {
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
        auto changed = queue::change_message(store_.fs(), id, resting);
        if (!changed) {
            log::warning(id.str(), changed.error().what);
            return false;
        }
        if (operation == Operation::remove && notes_.contains(id.str())) forget_deferrals(id);
        bool due = operation == Operation::release || operation == Operation::requeue;
        if (*changed && due && has_room(Directory::deferred)) {
            loop_.post([this, id] { take_up(Directory::deferred, id, Reason::flushed); });
        }
        return *changed;
    }
    return false;
}

bool Manager::mentions_site(const QueueId& name, const std::string& site) {
    auto file =
        queue::open_queue_file(store_.fs(), queue::path_of(Directory::deferred, name), O_RDONLY);
    if (!file) return file.error().code == Errc::invalid;  // taking it up tells
    auto reader = queue::Reader::open(store_.fs(), file->get());
    if (!reader) return true;  // damaged: taking it up tells
    for (std::size_t i = 0; i < reader->count(); ++i) {
        auto message = reader->message(i);
        if (!message) return true;
        for (const queue::Recipient& recipient : message->envelope.recipients) {
            if (!recipient.done && is_at_site(recipient.address, site)) return true;
        }
    }
    return false;
}

}  // namespace postern::qmgr
