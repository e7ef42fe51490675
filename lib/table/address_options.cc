#include "lib/table/address_options.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "lib/base/strings.h"
#include "lib/config/host.h"

namespace postern::table {
namespace {

void add_named(std::vector<IpAddress>& all, const std::string& name) {
    struct Free {
        void operator()(addrinfo* list) const { freeaddrinfo(list); }
    };
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) return;
    const std::unique_ptr<addrinfo, Free> list(found);
    for (const auto* one = list.get(); one != nullptr; one = one->ai_next) {
        char text[NI_MAXHOST] = {};
        if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        if (const auto address = IpAddress::parse(text)) all.push_back(*address);
    }
}

void add_words(std::vector<IpAddress>& all, const std::vector<std::string>& words) {
    for (const auto& word : words) {
        if (word == "all") {
            for (const auto& own : config::SystemHost::instance().addresses()) {
                if (const auto address = IpAddress::parse(own.address)) all.push_back(*address);
            }
        } else if (word == "loopback-only") {
            all.push_back(*IpAddress::parse("127.0.0.1"));
            all.push_back(*IpAddress::parse("::1"));
        } else if (const auto network = IpNetwork::parse(word)) {
            all.push_back(network->address());
        } else {
            add_named(all, word);
        }
    }
}

}  // namespace

ClassLists class_lists(const config::Config& config) {
    ClassLists lists;
    lists.mydestination = config.text("mydestination");
    lists.virtual_alias_domains = config.text("virtual_alias_domains");
    lists.virtual_mailbox_domains = config.text("virtual_mailbox_domains");
    lists.relay_domains = config.text("relay_domains");
    lists.relay_parents = parents_of(config, "relay_domains");
    add_words(lists.local_addresses, config.get(param::inet_interfaces));
    add_words(lists.local_addresses, config.get(param::proxy_interfaces));
    return lists;
}

Completion completion(const config::Config& config) {
    return {config.get(param::myorigin),
            config.get(param::mydomain),
            config.get(param::append_at_myorigin),
            config.get(param::append_dot_mydomain),
            config.get(param::swap_bangpath),
            config.get(param::allow_percent_hack),
            config.get(param::resolve_null_domain) ? config.get(param::myhostname) : ""};
}

Parents parents_of(const config::Config& config, std::string_view parameter) {
    const auto listed = config.get(param::parent_domain_matches_subdomains);
    const bool plain = std::find(listed.begin(), listed.end(), parameter) != listed.end();
    return plain ? Parents::plain : Parents::dotted;
}

}  // namespace postern::table
