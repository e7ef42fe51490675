// UpstreamProxy: a connection that a load balancer has opened for a client: its first bytes are
// HAProxy's header, which says who the client is (smtpd_upstream_proxy_protocol). The header is
// taken from the socket and not a byte more, as a TLS handshake may follow it.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "lib/base/fd.h"
#include "lib/loop/loop.h"
#include "lib/smtp/proxy_header.h"

namespace postern::smtpd {

class UpstreamProxy {
  public:
    // Calls `done` once, not from inside the constructor: with the socket and what the header says
    // (nothing: the balancer speaks for itself), or with no socket when there is no header in time,
    // which is in the log then. It may destroy this.
    using Done = std::function<void(Fd, std::optional<smtp::ProxyLine>)>;
    UpstreamProxy(loop::Loop& loop, Fd socket, Millis limit, Done done);

  private:
    void look();
    void fail(std::string_view why);
    void finish(std::optional<smtp::ProxyLine> names);

    Fd socket_;
    Done done_;
    loop::Timer timer_;
    std::unique_ptr<loop::Watch> watch_;
};

}  // namespace postern::smtpd
