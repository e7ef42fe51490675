#include "master/endpoints.h"

#include <netdb.h>

#include <algorithm>
#include <memory>

#include "lib/base/strings.h"
#include "lib/sys/port.h"
#include "lib/sys/socket.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"

namespace postern::master {
namespace {

constexpr int kBacklog = 1024;

Result<std::uint16_t> port_number(const config::MasterEntry& entry) {
    if (entry.port() == "0") return std::uint16_t{0};  // any that is free; status tells which
    auto port = sys::parse_port(entry.port());
    if (!port) return Error{Errc::invalid, "port " + port.error().what};
    return port;
}

bool protocol_wanted(const IpAddress& ip, const std::vector<std::string>& protocols) {
    const std::string_view mine = ip.is_v4() ? "ipv4" : "ipv6";
    return std::any_of(protocols.begin(), protocols.end(),
                       [&](const std::string& p) { return iequals(p, "all") || iequals(p, mine); });
}

Result<std::vector<IpAddress>> look_up(const std::string& host) {
    if (auto ip = IpAddress::parse(host)) return std::vector{*ip};
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* raw = nullptr;
    if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &raw); error != 0)
        return Error{Errc::not_found, cat({"host ", host, ": ", ::gai_strerror(error)})};
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(raw, ::freeaddrinfo);
    std::vector<IpAddress> out;
    for (const addrinfo* a = list.get(); a != nullptr; a = a->ai_next) {
        sockaddr_storage storage{};
        std::copy_n(reinterpret_cast<const char*>(a->ai_addr), a->ai_addrlen,
                    reinterpret_cast<char*>(&storage));
        out.push_back(sys::SocketAddress::from_native(storage, a->ai_addrlen).ip());
    }
    return out;
}

// The hosts an inet entry names: its own, or inet_interfaces. "all" and "loopback-only" are
// Postfix's words.
std::vector<std::string> hosts_of(const config::MasterEntry& entry, const config::Config& config) {
    const std::string host = entry.host();
    std::vector<std::string> words =
        host.empty() ? config.list("inet_interfaces") : std::vector{host};
    std::vector<std::string> hosts;
    for (auto& word : words) {
        if (iequals(word, "all")) {
            hosts.insert(hosts.end(), {"0.0.0.0", "::"});
        } else if (iequals(word, "loopback-only")) {
            hosts.insert(hosts.end(), {"127.0.0.1", "::1"});
        } else {
            if (word.starts_with('[') && word.ends_with(']'))
                word = word.substr(1, word.size() - 2);
            hosts.push_back(std::move(word));
        }
    }
    return hosts;
}

Result<std::vector<Endpoint>> open_inet(const config::MasterEntry& entry,
                                        const config::Config& config) {
    const auto protocols = config.list("inet_protocols");
    TRY_ASSIGN(const std::uint16_t port, port_number(entry));
    std::vector<IpAddress> addresses;
    for (const auto& host : hosts_of(entry, config)) {
        TRY_ASSIGN(const auto found, look_up(host));
        for (const auto& ip : found) {
            if (protocol_wanted(ip, protocols) &&
                std::find(addresses.begin(), addresses.end(), ip) == addresses.end())
                addresses.push_back(ip);
        }
    }
    std::vector<Endpoint> out;
    Error last{Errc::invalid, "inet_interfaces and inet_protocols leave no address"};
    for (const auto& ip : addresses) {
        auto socket = sys::listen_on(sys::SocketAddress::inet(ip, port), kBacklog);
        if (socket) {
            const std::string name = sys::local_address(socket->get()).str();
            out.push_back({name, *std::move(socket)});
        } else if (last = std::move(socket).error();
                   last.sys != EAFNOSUPPORT && last.sys != EADDRNOTAVAIL) {
            return last;  // a family or address that this host lacks is skipped
        }
    }
    if (out.empty()) return last;
    return out;
}

Result<std::vector<Endpoint>> open_unix(const config::MasterEntry& entry) {
    // Who may connect is decided by the folder's permissions and by the service itself
    // (SO_PEERCRED).
    const mode_t mode = sys::is_root() ? 0666 : 0600;
    TRY_ASSIGN(Fd socket, sys::listen_unix(socket_path(entry), mode, kBacklog));
    std::vector<Endpoint> out;
    out.push_back({socket_path(entry), std::move(socket)});
    return out;
}

}  // namespace

Result<std::vector<Endpoint>> open_again(const std::vector<std::string>& names) {
    std::vector<Endpoint> out;
    for (const auto& name : names) {
        const auto address = sys::SocketAddress::parse(name);
        if (!address) return Error{Errc::invalid, name + ": not an address"};
        TRY_ASSIGN(Fd socket, sys::listen_on(*address, kBacklog));
        out.push_back({name, std::move(socket)});
    }
    return out;
}

std::string socket_path(const config::MasterEntry& entry) {
    return cat({entry.is_private ? "private/" : "public/", entry.name});
}

std::string endpoint_plan(const config::MasterEntry& entry, const config::Config& config) {
    if (entry.type != config::MasterEntry::Type::inet) return socket_path(entry);
    return cat({join(hosts_of(entry, config), ","), ":", entry.port(), " ",
                join(config.list("inet_protocols"), ",")});
}

Result<std::vector<Endpoint>> open_endpoints(const config::MasterEntry& entry,
                                             const config::Config& config) {
    auto opened =
        entry.type == config::MasterEntry::Type::inet ? open_inet(entry, config) : open_unix(entry);
    if (!opened) return std::move(opened).error().within("service " + entry.key());
    return opened;
}

}  // namespace postern::master
