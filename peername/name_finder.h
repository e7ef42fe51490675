// NameFinder: address -> name -> addresses, as Postfix's smtpd does it: a PTR record is its owner's
// claim, and the name counts only when it leads back to the address. Pure but for the resolver.
#pragma once

#include <functional>
#include <string>

#include "lib/base/ip_address.h"
#include "lib/dns/resolver.h"
#include "lib/ipc/messages/peername.h"

#include "peername/hosts_file.h"

namespace postern::peername {

class NameFinder {
  public:
    using Done = std::function<void(ipc::NameAnswer)>;

    // `limit`: for each of the two questions.
    NameFinder(dns::AsyncResolver& resolver, HostsFile hosts, Millis limit)
        : resolver_(resolver), hosts_(std::move(hosts)), limit_(limit) {}

    // Calls back once; from inside only when /etc/hosts knows the answer, or nobody can.
    void find(const std::string& address, Done done);

  private:
    void confirm(const IpAddress& address, ipc::NameAnswer answer, Done done);

    dns::AsyncResolver& resolver_;
    const HostsFile hosts_;
    const Millis limit_;
};

}  // namespace postern::peername
