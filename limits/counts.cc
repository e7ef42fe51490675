// The numbers, see counts.h.
#include "limits/counts.h"

#include <limits>

#include "lib/base/date_time.h"
#include "lib/base/strings.h"

namespace postern::limits {
namespace {

constexpr const char* kWhen = "%b %d %H:%M:%S";  // as Postfix's anvil logs it

}  // namespace

Counts::What Counts::what_of(ipc::AnvilEvent event) {
    switch (event) {
        case ipc::AnvilEvent::connect:
        case ipc::AnvilEvent::disconnect: return connection_rate;
        case ipc::AnvilEvent::mail: return messages;
        case ipc::AnvilEvent::rcpt: return recipients;
        case ipc::AnvilEvent::new_tls:
        case ipc::AnvilEvent::tls_status: return tls;
        case ipc::AnvilEvent::auth: return auth;
    }
    return connection_rate;
}

Counts::Client& Counts::find(const std::string& who, Moment now) {
    const auto at = clients_.find(who);
    if (at != clients_.end()) {
        Client& client = at->second;
        if (now.steady - client.begun > options_.unit) {
            const auto open = client.numbers[sessions];
            client.numbers = {};
            client.numbers[sessions] = open;
            client.begun = now.steady;
        }
        if (client.numbers[sessions] == 0) idle_.splice(idle_.end(), idle_, client.idle);
        return client;
    }
    forget_idle(now.steady);
    Client& client = clients_[who];
    client.begun = now.steady;
    client.idle = idle_.insert(idle_.end(), who);
    if (clients_.size() > most_clients_.most)
        most_clients_ = {static_cast<std::uint32_t>(clients_.size()), {}, now.wall};
    return client;
}

// Those whose numbers are out of date, and of the others the oldest where there are too many: who
// comes from very many addresses may make us forget, and never makes us grow.
void Counts::forget_idle(SteadyTime now) {
    while (!idle_.empty()) {
        const auto at = clients_.find(idle_.front());
        if (now - at->second.begun <= options_.unit && idle_.size() < options_.max_idle) return;
        clients_.erase(at);
        idle_.pop_front();
    }
}

void Counts::increment(Client& client, const std::string& who, What what, Moment now) {
    auto& number = client.numbers[what];
    if (number < std::numeric_limits<std::uint32_t>::max()) ++number;
    if (number > records_[what].most) records_[what] = {number, who, now.wall};
}

ipc::AnvilAnswer Counts::note(ipc::AnvilEvent event, const std::string& who, Moment now) {
    if (event == ipc::AnvilEvent::connect) return note_session(who, true, true, now);
    Client& client = find(who, now);
    const What what = what_of(event);
    if (event == ipc::AnvilEvent::disconnect) {
        if (client.numbers[sessions] > 0 && --client.numbers[sessions] == 0)
            client.idle = idle_.insert(idle_.end(), who);
    } else if (event != ipc::AnvilEvent::tls_status) {
        increment(client, who, what, now);
    }
    return {client.numbers[sessions], client.numbers[what]};
}

ipc::AnvilAnswer Counts::note_session(const std::string& who, bool began, bool connects,
                                      Moment now) {
    Client& client = find(who, now);
    if (began) {
        if (client.numbers[sessions] == 0) idle_.erase(client.idle);
        increment(client, who, sessions, now);
    }
    if (connects) increment(client, who, connection_rate, now);
    return {client.numbers[sessions], client.numbers[connection_rate]};
}

std::vector<std::string> Counts::statistics() {
    constexpr std::string_view kNames[] = {"connection rate", "connection count", "message rate",
                                           "recipient rate",  "newtls rate",      "auth rate"};
    const std::string unit =
        cat({"/", std::to_string(std::chrono::duration_cast<Seconds>(options_.unit).count()), "s"});
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < kWhats; ++i) {
        const Record record = std::exchange(records_[i], Record{});
        if (record.most == 0) continue;
        lines.push_back(cat({"statistics: max ", kNames[i], " ", std::to_string(record.most),
                             i == sessions ? "" : unit, " for (", record.who, ") at ",
                             format_local_time(record.when, kWhen)}));
    }
    const Record clients = std::exchange(most_clients_, Record{});
    if (clients.most > 0) {
        lines.push_back(cat({"statistics: max cache size ", std::to_string(clients.most), " at ",
                             format_local_time(clients.when, kWhen)}));
    }
    return lines;
}

}  // namespace postern::limits
