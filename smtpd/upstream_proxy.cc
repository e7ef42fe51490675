#include "smtpd/upstream_proxy.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::smtpd {

UpstreamProxy::UpstreamProxy(loop::Loop& loop, Fd socket, Millis limit, Done done)
    : socket_(std::move(socket)),
      done_(std::move(done)),
      timer_(loop, [this] { fail("no PROXY header within smtpd_upstream_proxy_timeout"); }),
      watch_(std::make_unique<loop::Watch>(loop, socket_.get(), [this] { look(); })) {
    watch_->want_read(true);
    timer_.start(limit);
}

void UpstreamProxy::look() {
    std::array<char, smtp::kMaxProxyHeader> bytes;
    const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return fail("lost connection before the PROXY header");
    const auto header = smtp::parse_proxy_header({bytes.data(), static_cast<std::size_t>(got)});
    if (!header) return fail(cat({"haproxy: ", header.error().what}));
    if (!*header) return;
    const auto size = static_cast<ssize_t>((*header)->size);
    if (::recv(socket_.get(), bytes.data(), (*header)->size, MSG_DONTWAIT) != size)
        return fail("haproxy: cannot read the PROXY header");
    finish((*header)->names);
}

void UpstreamProxy::fail(std::string_view why) {
    log::warning("", why);
    socket_ = Fd();
    finish(std::nullopt);
}

void UpstreamProxy::finish(std::optional<smtp::ProxyLine> names) {
    timer_.stop();
    watch_.reset();
    const Done done = std::exchange(done_, nullptr);
    done(std::move(socket_), names);  // may destroy us
}

}  // namespace postern::smtpd
