#include "auth/failures.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::auth {
namespace {

constexpr Millis kFirst{2000};             // doubled from here on
constexpr std::uint32_t kFreeOfUser = 3;   // failures that cost nothing
constexpr std::uint32_t kFreeOfClient = 10;
constexpr std::uint32_t kClientStep = 10;  // failures of a client that double its time

// A client has no space in it.
std::string key_of(const std::string& client, const std::string& user) {
    return cat({client, " ", user});
}

}  // namespace

Millis Failures::doubled(std::uint32_t times) const {
    constexpr std::uint32_t kMany = 16;
    return std::min(options_.longest, kFirst * (1 << std::min(times, kMany)));
}

std::uint32_t Failures::count_of(const std::string& key) const {
    const auto at = entries_.find(key);
    return at == entries_.end() ? 0 : at->second.count;
}

Millis Failures::delay(const std::string& client, const std::string& user, SteadyTime now) {
    forget(now);
    const auto of_user = count_of(key_of(client, user));
    const auto of_client = count_of(client);
    Millis wait{0};
    if (of_user >= kFreeOfUser) wait = doubled(of_user - kFreeOfUser);
    if (of_client >= kFreeOfClient)
        wait = std::max(wait, doubled((of_client - kFreeOfClient) / kClientStep));
    return wait;
}

void Failures::failed(const std::string& client, const std::string& user, SteadyTime now) {
    forget(now);
    add(client, now);
    add(key_of(client, user), now);
}

void Failures::succeeded(const std::string& client, const std::string& user) {
    const auto of_user = entries_.find(key_of(client, user));
    if (of_user == entries_.end()) return;
    const auto of_client = entries_.find(client);
    if (of_client != entries_.end()) {
        of_client->second.count -= std::min(of_client->second.count, of_user->second.count);
        if (of_client->second.count == 0) remove(of_client);
    }
    remove(entries_.find(key_of(client, user)));
}

void Failures::add(const std::string& key, SteadyTime now) {
    const auto [at, is_new] = entries_.try_emplace(key);
    Entry& entry = at->second;
    ++entry.count;
    entry.last = now;
    if (is_new) {
        entry.order = order_.insert(order_.end(), key);
    } else {
        order_.splice(order_.end(), order_, entry.order);
    }
}

void Failures::remove(Entries::iterator at) {
    order_.erase(at->second.order);
    entries_.erase(at);
}

void Failures::forget(SteadyTime now) {
    while (!order_.empty()) {
        const auto at = entries_.find(order_.front());
        const bool old = now - at->second.last > options_.memory;
        if (!old && entries_.size() < options_.max) return;
        remove(at);
    }
}

}  // namespace postern::auth
