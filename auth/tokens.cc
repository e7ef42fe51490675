#include "auth/tokens.h"

#include <algorithm>

#include "lib/crypto/digest.h"

namespace postern::auth {
namespace {

std::string key_of(std::string_view token) { return crypto::digest(crypto::Digest::sha256, token); }

}  // namespace

std::string Tokens::mint(std::string user, const SessionId& session, ipc::AuthProtocol protocol) {
    forget_old();
    std::string token = random_.bytes(ipc::kAuthTokenSize);
    const SteadyTime expires = clock_.steady() + lifetime_;
    std::string key = key_of(token);
    by_age_.emplace_back(expires, key);
    tokens_.insert_or_assign(std::move(key), Entry{std::move(user), session, protocol, expires});
    return token;
}

std::optional<std::string> Tokens::redeem(std::string_view token, const SessionId& session,
                                          ipc::AuthProtocol protocol) {
    forget_old();
    const auto at = tokens_.find(key_of(token));
    if (at == tokens_.end()) return std::nullopt;
    const Entry entry = std::move(at->second);
    tokens_.erase(at);  // also when it does not fit: somebody is trying
    if (entry.session != session || entry.protocol != protocol || entry.session.empty())
        return std::nullopt;
    return entry.user;
}

std::size_t Tokens::outstanding() const {
    const SteadyTime now = clock_.steady();
    return static_cast<std::size_t>(
        std::count_if(tokens_.begin(), tokens_.end(),
                      [now](const auto& entry) { return entry.second.expires > now; }));
}

void Tokens::forget_old() {
    const SteadyTime now = clock_.steady();
    while (!by_age_.empty() &&
           (by_age_.front().first <= now || by_age_.size() >= kMaxOutstanding)) {
        tokens_.erase(by_age_.front().second);
        by_age_.pop_front();
    }
}

}  // namespace postern::auth
