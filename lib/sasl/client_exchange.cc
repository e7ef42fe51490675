#include "lib/sasl/client_exchange.h"

#include <algorithm>
#include <array>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/digest.h"

#include "lib/sasl/server_exchange.h"

namespace postern::sasl {
namespace {

struct ClientMechanism {
    std::string_view name;
    bool plaintext;
};
// The one that tells least comes first.
constexpr std::array<ClientMechanism, 3> kMechanisms = {
    {{"CRAM-MD5", false}, {"PLAIN", true}, {"LOGIN", true}}};

bool offers(const std::vector<std::string>& offered, std::string_view name) {
    return std::any_of(offered.begin(), offered.end(),
                       [&](const std::string& word) { return iequals(word, name); });
}

}  // namespace

Result<ClientPolicy> ClientPolicy::parse(const std::vector<std::string>& options) {
    ClientPolicy policy;
    for (const auto& word : options) {
        if (iequals(word, "noplaintext")) {
            policy.plaintext = false;
        } else if (iequals(word, "noactive") || iequals(word, "nodictionary") ||
                   iequals(word, "mutual_auth") || iequals(word, "forward_secrecy")) {
            policy.needs_more = true;
        } else if (!iequals(word, "noanonymous")) {
            return Error{Errc::invalid, cat({"unknown SASL security option ", word})};
        }
    }
    return policy;
}

Result<ClientExchange> ClientExchange::start(const std::vector<std::string>& offered,
                                             const ClientPolicy& policy, std::string user,
                                             std::string password) {
    for (const auto& [name, plaintext] : kMechanisms) {
        if (policy.needs_more || (plaintext && !policy.plaintext) || !offers(offered, name))
            continue;
        return ClientExchange(name, std::move(user), std::move(password), policy.authzid);
    }
    return Error{Errc::not_found, "no mechanism available"};
}

std::string ClientExchange::plain_response() const {
    return (authzid_ ? user_ : "") + make_plain(user_, password_);
}

std::optional<std::string> ClientExchange::initial_response() {
    if (mechanism_ != "PLAIN") return std::nullopt;
    step_ = 1;
    return plain_response();
}

Result<std::string> ClientExchange::respond(std::string_view challenge) {
    const int step = step_++;
    if (mechanism_ == "PLAIN" && step == 0) return plain_response();
    // The texts of LOGIN's two questions are the server's taste: their order counts.
    if (mechanism_ == "LOGIN" && step < 2) return step == 0 ? user_ : password_;
    if (mechanism_ == "CRAM-MD5" && step == 0) {
        if (challenge.empty()) return Error{Errc::invalid, "empty CRAM-MD5 challenge"};
        return cat(
            {user_, " ", hex_encode(crypto::hmac(crypto::Digest::md5, password_, challenge))});
    }
    return Error{Errc::invalid, cat({"unexpected challenge during ", mechanism_})};
}

}  // namespace postern::sasl
