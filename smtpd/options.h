// What smtpd takes from the configuration, read once at start (the files too: nothing is read
// later).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/ip_address.h"
#include "lib/base/result.h"
#include "lib/config/character_set.h"
#include "lib/config/receive_overrides.h"
#include "lib/sasl/mechanisms.h"
#include "lib/service/key_files.h"
#include "lib/service/sasl_mechanisms.h"
#include "lib/smtp/server_session.h"
#include "lib/sys/socket.h"
#include "lib/tls/context.h"

#include "smtpd/notices.h"
#include "smtpd/proxy_delivery.h"

namespace postern::smtpd {

struct Options {
    smtp::ServerOptions engine;
    std::string service;              // master.cf name
    Millis command_timeout{300000};   // for one command line
    Millis starttls_timeout{300000};  // for the handshake
    Millis error_sleep{1000};         // before a reply to a client with many errors
    Millis ask_timeout{100000};       // for policy and auth
    Millis cleanup_timeout{600000};   // for each answer of cleanup
    // smtpd_per_request_deadline: a transfer may take command_timeout, and longer as long as so
    // many bytes a second come. Without it, it may stand still for command_timeout.
    bool request_deadline = true;
    std::uint64_t least_data_rate = 500;
    bool upstream_proxy = false;      // HAProxy's header comes first
    Millis proxy_timeout{5000};       // for it
    std::size_t history_lines = 100;  // smtpd_history_flush_threshold
    bool hide_client = false;
    config::CharacterSet expansion = config::CharacterSet::all();  // smtpd_expansion_filter
    std::size_t client_limit = 50;                                 // sessions in this process
    std::size_t line_limit = 2048;                                 // bytes of a command line
    bool wrapper_mode = false;                                     // TLS from the first byte
    bool log_port = false;
    int tls_loglevel = 0;
    bool name_login = false;  // Received: names who logged in
    std::optional<ProxyOptions>
        proxy;  // smtpd_proxy_filter: messages go there instead of to cleanup
    // smtpd_tls_ask_ccert, smtpd_tls_req_ccert (with mandatory TLS)
    bool ask_client_certificate = false, require_client_certificate = false;
    bool tls_received_header = false;  // Received: tells protocol and cipher
    bool name_lookup = false;          // smtpd_peername_lookup
    Millis name_timeout{25000};        // for peername: two questions to the DNS
    // For cleanup: what it shall leave out for this service's mail, and its content filter.
    config::ReceiveOverrides overrides;
    std::string content_filter;
    NoticeOptions notices;
    // What one client may do in anvil_rate_time_unit, at once; 0: as much as it likes.
    struct Limits {
        std::size_t connections = 0, connection_rate = 0, messages = 0, recipients = 0;
        std::size_t tls_sessions = 0, auth = 0;
        int v4_bits = 32, v6_bits = 128;    // of an address that make a client
        std::vector<IpNetwork> exceptions;  // where the list has nothing else
        bool any() const;
        // The address, or the network that counts as one client.
        std::string range_of(const std::string& address) const;
        bool excepts(const std::string& address) const;
    };
    // smtpd_forbid_bare_newline: whether it is "reject"; whom it does not bind, where the list has
    // nothing but networks.
    bool refuse_bare_newlines = false, all_may_omit_cr = false;
    std::vector<IpNetwork> omitting_cr;
    std::vector<IpNetwork> verp_clients;        // smtpd_authorized_verp_clients, likewise
    std::vector<IpNetwork> privileged_clients;  // may raise priorities and have messages held
    Limits limits;
    std::size_t debug_level = 2;     // debug_peer_level; 0: nothing more than usual
    bool forbid_pipelining = false;  // smtpd_forbid_unauth_pipelining
    // local_header_rewrite_clients: addresses of ours, clients that logged in.
    bool rewrite_own = true, rewrite_authenticated = false;
    bool ask_client = false;      // policy knows what this client may do
    bool command_filter = false;  // policy has smtpd_command_filter
    bool reject_footer_maps = false;
    std::string reject_footer;
    bool milters = false;       // cleanup asks them at each step of the client
    bool policy_early = false;  // smtpd_delay_reject = no
    std::string policy_path = "private/policy";
    std::string peername_path = "private/peername";
    std::string anvil_path = "private/anvil";
    // smtpd_sasl_type = dovecot: whose word counts instead of our auth service's.
    struct SaslServer {
        sys::SocketAddress address;
        std::string name;  // smtpd_sasl_path
    };
    std::optional<SaslServer> sasl_server;
    sasl::Mechanisms mechanisms;  // of our auth service
    service::CertificateName certificate_name = service::CertificateName::common_name;
    // smtpd_sasl_security_options, without and with TLS, and smtpd_sasl_mechanism_filter.
    std::vector<std::string> sasl_rules, sasl_tls_rules, sasl_filter;
    // Which of our mechanisms they let through on such a connection, parted by spaces.
    std::string mechanism_names(bool secured, const sasl::Security& security) const;
    std::size_t auth_line_limit = 12288;
    std::string auth_path = "private/postern-auth";
    std::string cleanup_path = "public/cleanup";
    std::string qmgr_path = "public/qmgr";
    std::optional<tls::ServerContext> tls;
    std::map<std::string, std::string> host_names;  // of loopback addresses, from /etc/hosts
};

// Errc::invalid names the parameter or file that cannot be used. TLS that is only offered ("may")
// and cannot be set up is logged and not offered; where it is required, it is an error.
Result<Options> read_options(const config::Config& config, const std::string& service,
                             const service::KeyFiles& keys = {});

// The names that a hosts file gives to loopback addresses: the first of each line, first line wins.
std::map<std::string, std::string> loopback_names(std::string_view hosts_file);

}  // namespace postern::smtpd
