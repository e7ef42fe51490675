#include "lib/sasl/login_fields.h"

#include <algorithm>

#include "lib/base/client_range.h"
#include "lib/base/strings.h"

namespace postern::sasl {
namespace {

constexpr std::string_view kAllowNets = "allow_nets";
constexpr std::string_view kHeeded[] = {"nologin", kAllowNets, "userdb_mail", "userdb_quota_rule",
                                        "userdb_acl_groups"};
constexpr std::string_view kNotToBeIgnored[] = {
    "allow_real_nets", "noauthenticate", "proxy", "proxy_maybe", "user", "username", "domain"};

std::string_view key_of(std::string_view field) { return field.substr(0, field.find('=')); }

template <class List>
bool is_one_of(std::string_view key, const List& list) {
    return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

std::optional<IpNetwork> network_of(std::string_view text) {
    const auto parts = split_once(text, '/');
    const auto address = IpAddress::parse(parts ? parts->first : text);
    if (!address) return std::nullopt;
    if (!parts) return IpNetwork::parse(address->unmapped().str());
    const auto bits = parse_number<int>(parts->second);
    if (!bits || *bits < 0 || *bits > address->bits()) return std::nullopt;
    return IpNetwork::parse(client_range(address->str(), *bits, *bits));
}

}  // namespace

Result<LoginNetworks::List> LoginNetworks::parse(std::string_view text) {
    List list;
    for (const std::string_view one : split(text, ',')) {
        if (one == "local") {
            list.local = true;
        } else if (const auto network = network_of(one)) {
            list.networks.push_back(*network);
        } else {
            return Error{Errc::invalid,
                         cat({kAllowNets, "=", printable(text, 200), ": \"", printable(one, 60),
                              "\" is no network"}),
                         0};
        }
    }
    return list;
}

Result<LoginNetworks> LoginNetworks::of(std::string_view extra) {
    LoginNetworks out;
    for (const std::string_view field : split_words(extra)) {
        if (key_of(field) != kAllowNets) continue;
        const auto pair = split_once(field, '=');
        TRY_ASSIGN(auto list, parse(pair ? pair->second : ""));
        out.lists_.push_back(std::move(list));
    }
    return out;
}

bool LoginNetworks::has(const List& list, std::string_view address) {
    if (address.empty()) return list.local;
    const auto ip = IpAddress::parse(address);
    return ip && std::any_of(list.networks.begin(), list.networks.end(),
                             [&](const IpNetwork& one) { return one.contains(ip->unmapped()); });
}

bool LoginNetworks::allow(std::string_view address) const {
    return std::all_of(lists_.begin(), lists_.end(),
                       [&](const List& list) { return has(list, address); });
}

Result<void> check_login_fields(std::string_view extra) {
    for (const std::string_view field : split_words(extra))
        if (is_one_of(key_of(field), kNotToBeIgnored))
            return Error{Errc::invalid,
                         cat({"the extra field ", printable(field, 200), " is not supported"}), 0};
    return {};
}

std::vector<std::string_view> fields_without_effect(std::string_view extra) {
    std::vector<std::string_view> names;
    for (const std::string_view field : split_words(extra)) {
        const auto key = key_of(field);
        if (!is_one_of(key, kHeeded) && !is_one_of(key, kNotToBeIgnored)) names.push_back(key);
    }
    return names;
}

}  // namespace postern::sasl
