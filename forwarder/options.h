// What the forwarder takes from the configuration, as plain values: filled in one place, easy to
// make in a test.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/ip_address.h"
#include "lib/config/config.h"
#include "lib/dns/resolver_wrappers.h"
#include "lib/dns/unbound_resolver.h"
#include "lib/queue/agent_report.h"
#include "lib/smtp/client_session.h"

#include "forwarder/outgoing.h"
#include "forwarder/passwords.h"
#include "forwarder/tls_policy.h"

namespace postern::forwarder {

struct Options {
    bool lmtp = false;
    bool assume_final = false;  // lmtp_assume_final
    std::string helo_name = "localhost";
    std::string own_name;  // myhostname: a server of this name is we
    TlsSettings tls;
    // Results of TLS for a collector (TLSRPT); without a socket for none.
    std::string tls_report_socket;
    bool report_resumed_tls = false;
    bool tls_wrapper = false;  // TLS from the first byte (smtp_tls_wrappermode)
    int tls_loglevel = 0;
    bool tls_block_early_reply = false;
    bool note_starttls_offer = false;
    SaslSettings sasl;
    OutgoingSettings outgoing;
    std::uint16_t default_port = 25;
    std::string default_service = "smtp";  // what it is called in main.cf

    // Limits on waiting; 0: the system's (connecting only).
    Millis connect{30'000}, helo{300'000}, starttls{300'000}, mail{300'000}, rcpt{300'000};
    Millis data_init{120'000}, data_xfer{180'000}, data_done{600'000}, rset{20'000}, quit{300'000};
    Millis xforward{300'000};
    bool send_xforward = false;
    // Each limit is for a whole request or reply, however it trickles in; the content has its
    // limit, and as much more as its size takes at this rate.
    bool per_request_deadline = false;
    std::uint64_t min_data_rate = 500;  // bytes a second
    Millis dns{60'000};                 // for one question

    // Hosts and addresses.
    bool dns_lookups = true;
    bool ignore_mx_error = false;  // a failed question for MX records is taken for "there are none"
    bool defer_without_mx_address = false;
    std::vector<std::string> srv_services;  // that are found by SRV records
    bool ignore_srv_error = false;          // a failed question for them is taken for "none"
    bool srv_fallback = false;              // where there are none: as without them
    std::string reply_filter_dns;           // tables
    dns::SearchRules search;
    // What is asked to find out whether DNSSEC works, when an answer was not signed: "ns:.".
    std::string dnssec_probe;
    bool tlsa_of_insecure_hosts = false;  // whose addresses are not signed
    bool cname_names_server = false;      // a host is called what its CNAME records lead to
    bool balance = true;                  // both families are among the addresses that are tried
    bool ask_ipv4 = true, ask_ipv6 = true;
    enum class Prefer : unsigned char { any, ipv4, ipv6 } prefer = Prefer::any;
    bool randomize = true;
    std::size_t address_limit = 5;  // 0: all
    std::size_t session_limit = 2;  // sessions tried per delivery; 0: no limit
    std::vector<IpAddress> own_addresses;
    std::vector<std::string> fallback_relays;
    std::string bind_address, bind_address6;
    bool bind_enforce = false;  // mail waits where they cannot be used; else any other is

    bool convert_8bit = true;      // for servers without 8BITMIME (disable_mime_output_conversion)
    std::size_t line_limit = 998;  // longer lines are broken; 0: never
    bool skip_5xx_greeting = true;
    bool skip_quit_response = true;

    // Keeping connections.
    bool cache = true;
    Millis cache_time{2'000};
    Millis reuse_time{300'000};
    std::size_t reuse_count = 0;  // 0: no limit
    std::size_t cache_size = 100;

    dns::Options resolver;

    std::vector<std::string> ignored_extensions;       // of servers, upper or lower case
    std::string ignored_extension_maps, reply_filter;  // tables
    bool always_ehlo = true, never_ehlo = false;
    // Behind some firewalls, and for messages that are older than the threshold.
    smtp::PixWorkarounds pix;
    std::string pix_maps;
    Millis pix_delay{10'000}, pix_threshold{500'000};
    bool probe_at_data = false;
    bool quote_envelope = true;  // addresses as RFC 5321 4.1.2 wants them; else without quotes

    queue::VerdictFilter status_filter;  // smtp_ or lmtp_delivery_status_filter

    bool tell_protocol = false;  // notify_classes: the postmaster hears of misunderstandings
    std::string bounce_service = "bounce";

    static Result<Options> from(const config::Config& config, bool lmtp,
                                const service::KeyFiles& keys);
};

}  // namespace postern::forwarder
