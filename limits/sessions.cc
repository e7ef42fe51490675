#include "limits/sessions.h"

#include "lib/base/strings.h"

namespace postern::limits {
namespace {

std::optional<ipc::AuthProtocol> protocol_named(std::string_view name) {
    if (name == "imap") return ipc::AuthProtocol::imap;
    if (name == "pop3") return ipc::AuthProtocol::pop3;
    if (name == "smtp") return ipc::AuthProtocol::smtp;
    return std::nullopt;
}

}  // namespace

Result<Choice> Choice::parse(const ipc::SessionFilter& filter) {
    Choice choice;
    choice.filter_ = filter;
    if (!filter.network.empty()) {
        choice.network_ = IpNetwork::parse(filter.network);
        if (!choice.network_)
            return Error{Errc::invalid, cat({"\"", printable(filter.network, 64),
                                             "\" is no address and no network"})};
    }
    if (!filter.protocol.empty()) {
        choice.protocol_ = protocol_named(filter.protocol);
        if (!choice.protocol_)
            return Error{Errc::invalid, cat({"\"", printable(filter.protocol, 16),
                                             "\" is no protocol: imap, pop3 or smtp"})};
    }
    return choice;
}

bool Choice::matches(const ipc::SessionFacts& facts) const {
    if (!filter_.user.empty() && facts.user != filter_.user) return false;
    if (!filter_.session.empty() && facts.session.str() != filter_.session) return false;
    if (protocol_ && facts.protocol != *protocol_) return false;
    if (!network_) return true;
    const auto ip = IpAddress::parse(facts.address);
    return ip && network_->contains(ip->unmapped());
}

// What a session is counted as: one of its client's that have not logged in, or one of its user's.
std::string Sessions::count_key(const ipc::SessionFacts& facts) {
    if (facts.state == ipc::SessionState::logging_in) return facts.client;
    const char protocol = static_cast<char>('0' + static_cast<int>(facts.protocol));
    return cat({std::string_view(&protocol, 1), " ", facts.client, " ", facts.user});
}

void Sessions::count(const ipc::SessionFacts& facts, bool more) {
    const auto at = counts_.try_emplace(count_key(facts)).first;
    if (more) {
        ++at->second;
    } else if (--at->second == 0) {
        counts_.erase(at);
    }
}

Result<Sessions::Change> Sessions::note(Owner owner, const ipc::SessionFacts& facts) {
    const auto at = sessions_.find({facts.session.str(), owner});
    const bool known = at != sessions_.end();
    if (known) count(at->second, false);
    if (facts.state == ipc::SessionState::over) {
        if (!known) return Change{};
        const auto of_owner = owned_.find(owner);
        of_owner->second.erase(facts.session.str());
        if (of_owner->second.empty()) owned_.erase(of_owner);
        Change change{.ended = std::move(at->second)};
        sessions_.erase(at);
        return change;
    }
    if (!known && sessions_.size() >= max_)
        return Error{Errc::no_space,
                     cat({"more than ", std::to_string(max_), " sessions: not all are counted"})};
    sessions_[{facts.session.str(), owner}] = facts;
    owned_[owner].insert(facts.session.str());
    count(facts, true);
    return Change{.began = !known};
}

std::vector<ipc::SessionFacts> Sessions::forget(Owner owner) {
    std::vector<ipc::SessionFacts> gone;
    const auto at = owned_.find(owner);
    if (at == owned_.end()) return gone;
    for (const auto& id : at->second) {
        const auto session = sessions_.find({id, owner});
        count(session->second, false);
        gone.push_back(std::move(session->second));
        sessions_.erase(session);
    }
    owned_.erase(at);
    return gone;
}

std::uint32_t Sessions::logging_in(const std::string& client) const {
    const auto at = counts_.find(client);
    return at == counts_.end() ? 0 : at->second;
}

std::uint32_t Sessions::of_user(const ipc::SessionFacts& facts) const {
    if (facts.state == ipc::SessionState::logging_in) return 0;
    const auto at = counts_.find(count_key(facts));
    return at == counts_.end() ? 0 : at->second;
}

std::vector<Sessions::Found> Sessions::list(const Choice& choice, const std::string& after,
                                            std::size_t count) const {
    std::vector<Found> found;
    for (auto at = sessions_.upper_bound({after, ~Owner{0}});
         at != sessions_.end() && found.size() < count; ++at)
        if (choice.matches(at->second)) found.push_back({at->first.second, at->second});
    return found;
}

}  // namespace postern::limits
