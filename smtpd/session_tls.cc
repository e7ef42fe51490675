// SessionDriver: TLS of a session, and the certificates that clients show.
#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"

#include "smtpd/session_driver.h"

namespace postern::smtpd {

void SessionDriver::run(smtp::StartTls&& tls) {
    stream_->write(tls.text);
    transcript_.out(tls.text, false);
    auto started = stream_->start_tls_server(*shared_.options.tls);
    if (!started) {
        // Injected plaintext (CVE-2011-0411), or no memory: either way there is no going on.
        log::warning("", cat({"STARTTLS from ", client_, ": ", started.error().what}));
        return run(smtp::Close{});
    }
    waiting_ = Waiting::handshake;
    expecting_ = false;
    stream_->flush();
    expect_client(shared_.options.starttls_timeout);
}

void SessionDriver::on_secured() {
    tls_ = stream_->tls_info();
    if (shared_.options.tls_loglevel > 0) {
        log::info("", cat({!tls_.peer_certificate ? "Anonymous"
                           : tls_.peer_verified   ? "Trusted"
                                                  : "Untrusted",
                           " TLS connection established from ", client_, ": ", tls_.describe()}));
    }
    if (shared_.options.tls_loglevel > 1 && tls_.peer_certificate) log_certificate();
    expecting_ = false;
    waiting_ = Waiting::nothing;
    count_tls_session([this] { go_on_secured(); });
}

void SessionDriver::log_certificate() const {
    std::string line = cat({client_, ": ", tls_.peer_verified ? "Trusted" : "Untrusted",
                            ": subject_CN=", printable(tls_.peer_name, 200),
                            ", issuer=", printable(tls_.issuer_name, 200)});
    constexpr std::string_view kNames[] = {", fingerprint=", ", pkey_fingerprint="};
    for (std::size_t i = 0; i < std::min(tls_.peer_fingerprints.size(), std::size(kNames)); ++i)
        line += cat({kNames[i], tls_.peer_fingerprints[i]});
    log::info("", line);
}

// smtpd_tls_req_ccert: who shows no certificate that we trust goes, as in Postfix.
bool SessionDriver::certificate_missing() {
    if (!shared_.options.require_client_certificate || tls_.peer_verified) return false;
    const std::string_view why = tls_.peer_certificate ? "Client certificate not trusted"
                                                       : "No client certificate presented";
    log::info("", cat({"NOQUEUE: abort: TLS from ", client_, ": ", why}));
    run(smtp::Close{cat({"421 4.7.1 ", shared_.options.engine.hostname, " Error: ", why, "\r\n"})});
    return true;
}

void SessionDriver::go_on_secured() {
    if (certificate_missing()) return;
    offer_mechanisms();
    if (shared_.options.wrapper_mode) {
        session_.set_wrapped();
        admit();
    } else {
        session_.on_tls();
    }
    if (waiting_ == Waiting::nothing && !closing_) expect_client(shared_.options.command_timeout);
}

// What Received: says of the client's certificate.
std::string SessionDriver::certificate_note() const {
    constexpr std::size_t kMaxShown = 100;
    if (tls_.protocol.empty()) return {};
    if (!tls_.peer_certificate)
        return shared_.options.ask_client_certificate ? "Client did not present a certificate"
                                                      : "No client certificate requested";
    return cat({"Client CN \"", printable(tls_.peer_name, kMaxShown), "\", Issuer \"",
                printable(tls_.issuer_name, kMaxShown), "\" (",
                tls_.peer_verified ? "verified OK" : "not verified", ")"});
}

}  // namespace postern::smtpd
