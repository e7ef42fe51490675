// TlsPolicies: how a destination is to be spoken to: whether under TLS, with which protocols and
// ciphers, and who its certificate must name. From main.cf's smtp_tls_* (or lmtp_tls_*) and the
// tables of smtp_tls_policy_maps. The judgement of a certificate (mistrust) is pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/smtp/client_session.h"
#include "lib/table/maps.h"
#include "lib/tls/context.h"
#include "lib/tls/engine.h"

namespace postern::config {
class Config;
}
namespace postern::service {
class KeyFiles;
}

namespace postern::forwarder {

// What the DNS says of a host's certificate (RFC 7672 2.2).
struct Tlsa {
    enum class State : unsigned char {
        insecure,  // MX or address records are not signed: nothing was asked
        none,      // there are no signed records
        failed,    // nobody knows at present: the host must not be used
        found
    };
    State state = State::insecure;
    std::string base;                  // the name that they were found under
    std::vector<std::string> records;  // as tls::Dane has them
    bool insecure_mx = false;          // of State::insecure: it was the MX record
};

struct TlsPolicy {
    smtp::TlsLevel level = smtp::TlsLevel::none;
    std::string protocols = ">=TLSv1";  // as smtp_tls_protocols
    std::string grade = "medium";       // of ciphers
    std::vector<std::string> excluded;  // ciphers
    // For verify and secure: names and the words hostname, nexthop, dot-nexthop. For fingerprint:
    // digests.
    std::vector<std::string> match;
    Tlsa tlsa;  // at level dane, once the host is known
    // For verify and secure: the authorities that count, as tls::trust_anchors(); empty: the usual.
    std::vector<std::string> anchors;
    std::string servername;  // "", "hostname", "nexthop" or a name, for SNI
    std::string rule;        // what of main.cf wants it, as mailtrace names rules

    // Two connections with the same key are interchangeable.
    std::string key() const;
    // How the certificate's owner must be called; the name sent as SNI, or nothing.
    std::string sni(std::string_view host, std::string_view nexthop) const;
};

// What main.cf says for all destinations.
struct TlsSettings {
    TlsPolicy may, mandatory;  // protocols and ciphers of opportunistic and of mandatory TLS
    smtp::TlsLevel level = smtp::TlsLevel::none;
    std::vector<std::string> verify_match = {"hostname"}, secure_match = {"nexthop", "dot-nexthop"};
    std::vector<std::string> fingerprints;
    std::vector<std::string> anchors;  // smtp_tls_trust_anchor_file
    std::string policy_maps, per_site;
    std::string level_rule;  // the parameter that the level comes from
    std::string maps_rule;   // the name of policy_maps
    std::string site_rule;   // and of per_site
    std::map<std::string, std::string, std::less<>> grades;  // cipher lists by grade
    bool dnssec = false;                                     // smtp_dns_support_level
    smtp::TlsLevel insecure_mx = smtp::TlsLevel::may;        // smtp_tls_dane_insecure_mx_policy
    std::vector<std::string> dane_digests = {"sha512", "sha256"};
    bool multiple_labels = true;  // tls_wildcard_matches_multiple_labels
    tls::ClientOptions base;      // trust, our certificate, groups, options

    static Result<TlsSettings> from(const config::Config& config, bool lmtp,
                                    const service::KeyFiles& keys);
};

// Postfix's name of a level; Errc::invalid for unknown ones and those that are not there yet.
Result<smtp::TlsLevel> parse_tls_level(std::string_view word);

// Why a peer with this certificate is not who it must be; nothing when it is, or when the level
// asks for no more than encryption. nexthop: the destination's domain, without [] and port.
std::optional<std::string> mistrust(const TlsPolicy& policy, const tls::Info& info,
                                    std::string_view host, std::string_view nexthop,
                                    bool multiple_labels);

class TlsPolicies {
  public:
    explicit TlsPolicies(TlsSettings settings);

    // The policy of a destination as transport tables write it ("[mx.test]:587"), and of a host of
    // it, where that is known. An Error (table, nonsense in it) means: not now.
    Result<TlsPolicy> find(const std::string& destination, const std::string& host = {});
    // For a message whose sender would rather have it arrive (RFC 8689 5): TLS where it works.
    TlsPolicy unenforced(TlsPolicy policy) const;
    // At the levels dane and dane-only: what they mean for this host. Afterwards the level is dane
    // (with records), encrypt or may. Text: why the host must not be used.
    std::optional<std::string> settle_dane(TlsPolicy& policy, const Tlsa& tlsa,
                                           std::string_view host, std::uint16_t port) const;
    // Made once for each set of protocols and ciphers.
    Result<const tls::ClientContext*> context(const TlsPolicy& policy);
    // Why TLS will not work as configured, for an error at start.
    Result<void> problem();
    const TlsSettings& settings() const { return settings_; }

  private:
    TlsPolicy of_level(smtp::TlsLevel level) const;
    Result<TlsPolicy> parse(std::string_view text) const;
    Result<TlsPolicy> by_site(const std::string& destination, const std::string& host);

    TlsSettings settings_;
    table::Maps maps_, per_site_;
    std::map<std::string, tls::ClientContext> contexts_;
};

}  // namespace postern::forwarder
