#include "forwarder/tls_policy.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/config/config.h"
#include "lib/service/key_files.h"
#include "lib/sys/file.h"

namespace postern::forwarder {
namespace {

using smtp::TlsLevel;

// RFC 6125 6.4.2: certificates, and SNI (RFC 6066 3), name internationalised domains by A-labels.
std::string certified_form(std::string_view name) {
    auto ascii = domain_to_ascii(name);
    return ascii ? *std::move(ascii) : std::string(name);
}

std::vector<std::string> words_of(std::string_view text, std::string_view separators) {
    std::vector<std::string> words;
    for (auto word : split_words(text, separators)) words.emplace_back(word);
    return words;
}

// "Sub-domain of": a.example.com is one of example.com, example.com is not.
bool is_below(std::string_view name, std::string_view domain) {
    return name.size() > domain.size() + 1 && name[name.size() - domain.size() - 1] == '.' &&
           iequals(name.substr(name.size() - domain.size()), domain);
}

// RFC 6125 6.4.3: "*" stands for the first label, for several where Postfix is told so.
bool names_host(std::string_view certified, std::string_view host, bool multiple_labels) {
    if (iequals(certified, host)) return true;
    if (!certified.starts_with("*.") || certified.size() == 2) return false;
    const std::string_view parent = certified.substr(2);
    if (!is_below(host, parent)) return false;
    return multiple_labels || host.find('.') == host.size() - parent.size() - 1;
}

bool matches(std::string_view pattern, std::string_view certified, std::string_view host,
             std::string_view nexthop, bool multiple_labels) {
    if (iequals(pattern, "hostname"))
        return names_host(certified, certified_form(host), multiple_labels);
    if (iequals(pattern, "nexthop"))
        return names_host(certified, certified_form(nexthop), multiple_labels);
    if (iequals(pattern, "dot-nexthop")) return is_below(certified, certified_form(nexthop));
    if (pattern.size() > 1 && pattern.front() == '.')
        return is_below(certified, certified_form(pattern.substr(1)));
    return names_host(certified, certified_form(pattern), multiple_labels);
}

bool has_fingerprint(const tls::Info& info, const std::vector<std::string>& wanted) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& digest) {
        return std::any_of(info.peer_fingerprints.begin(), info.peer_fingerprints.end(),
                           [&](const std::string& have) { return iequals(have, digest); });
    });
}

void read_level(TlsSettings& settings, const config::Config& config, bool lmtp, TlsLevel& level) {
    const bool enforce = config.get(lmtp ? param::lmtp_enforce_tls : param::smtp_enforce_tls);
    const bool name =
        config.get(lmtp ? param::lmtp_tls_enforce_peername : param::smtp_tls_enforce_peername);
    const bool use = config.get(lmtp ? param::lmtp_use_tls : param::smtp_use_tls);
    level = enforce ? (name ? TlsLevel::verify : TlsLevel::encrypt)
            : use   ? TlsLevel::may
                    : TlsLevel::none;
    if (enforce && name) settings.verify_match = {"hostname"};
}

void read_ciphers(TlsSettings& s, const config::Config& config, bool lmtp) {
    const auto list = [](std::vector<std::string> words) { return join(words, " "); };
    s.may.protocols =
        list(config.get(lmtp ? param::lmtp_tls_protocols : param::smtp_tls_protocols));
    s.may.grade = config.get(lmtp ? param::lmtp_tls_ciphers : param::smtp_tls_ciphers);
    s.may.excluded =
        config.get(lmtp ? param::lmtp_tls_exclude_ciphers : param::smtp_tls_exclude_ciphers);
    s.may.servername = config.get(lmtp ? param::lmtp_tls_servername : param::smtp_tls_servername);
    s.mandatory = s.may;
    s.mandatory.protocols = list(config.get(lmtp ? param::lmtp_tls_mandatory_protocols
                                                 : param::smtp_tls_mandatory_protocols));
    s.mandatory.grade =
        config.get(lmtp ? param::lmtp_tls_mandatory_ciphers : param::smtp_tls_mandatory_ciphers);
    for (auto& word : config.get(lmtp ? param::lmtp_tls_mandatory_exclude_ciphers
                                      : param::smtp_tls_mandatory_exclude_ciphers))
        s.mandatory.excluded.push_back(std::move(word));
    s.grades["high"] = config.get(param::tls_high_cipherlist);
    s.grades["medium"] = config.get(param::tls_medium_cipherlist);
    s.grades["low"] = config.get(param::tls_low_cipherlist);
    s.grades["export"] = config.get(param::tls_export_cipherlist);
    s.grades["null"] = config.get(param::tls_null_cipherlist);
}

Result<void> read_identity(tls::ClientOptions& base, const config::Config& config, bool lmtp,
                           const service::KeyFiles& keys) {
    auto chains = config.get(lmtp ? param::lmtp_tls_chain_files : param::smtp_tls_chain_files);
    if (!chains.empty()) {
        TRY_ASSIGN(base.certificate_pem, keys.read(chains.front()));
        base.key_pem = base.certificate_pem;
        for (std::size_t i = 1; i < chains.size(); ++i) {
            TRY_ASSIGN(auto text, keys.read(chains[i]));
            base.more_identities.push_back({text, text});
        }
        return {};
    }
    const std::pair<std::string, std::string> pairs[] = {
        {config.get(lmtp ? param::lmtp_tls_cert_file : param::smtp_tls_cert_file),
         config.get(lmtp ? param::lmtp_tls_key_file : param::smtp_tls_key_file)},
        {config.get(lmtp ? param::lmtp_tls_eccert_file : param::smtp_tls_eccert_file),
         config.get(lmtp ? param::lmtp_tls_eckey_file : param::smtp_tls_eckey_file)}};
    for (const auto& [certificate, key] : pairs) {
        if (certificate.empty()) continue;
        tls::Identity identity;
        TRY_ASSIGN(identity.certificate_pem, keys.read(certificate));
        TRY_ASSIGN(identity.key_pem, keys.read(key));
        if (!base.certificate_pem.empty()) {
            base.more_identities.push_back(std::move(identity));
            continue;
        }
        base.certificate_pem = std::move(identity.certificate_pem);
        base.key_pem = std::move(identity.key_pem);
    }
    return {};
}

Result<std::vector<std::string>> anchors_in(const std::string& path) {
    constexpr std::size_t kLargest = 1 << 20;
    TRY_ASSIGN(const std::string text, sys::read_file(path, kLargest));
    auto records = tls::trust_anchors(text);
    if (!records) return std::move(records).error().within(path);
    return records;
}

Result<void> read_dane(TlsSettings& s, const config::Config& config, bool lmtp) {
    const std::string support =
        config.get(lmtp ? param::lmtp_dns_support_level : param::smtp_dns_support_level);
    s.dnssec = support == "dnssec";
    s.dane_digests = config.get(param::tls_dane_digests);
    const std::string insecure = config.get(param::smtp_tls_dane_insecure_mx_policy);
    TRY_ASSIGN(s.insecure_mx, parse_tls_level(insecure));
    if (s.insecure_mx > TlsLevel::dane || s.insecure_mx == TlsLevel::none)
        return Error{Errc::invalid, cat({"smtp_tls_dane_insecure_mx_policy: ", insecure,
                                         " is none of may, encrypt, dane"})};
    return {};
}

}  // namespace

Result<TlsLevel> parse_tls_level(std::string_view word) {
    constexpr std::pair<std::string_view, TlsLevel> kLevels[] = {
        {"none", TlsLevel::none},       {"may", TlsLevel::may},
        {"encrypt", TlsLevel::encrypt}, {"fingerprint", TlsLevel::fingerprint},
        {"dane", TlsLevel::dane},       {"dane-only", TlsLevel::dane_only},
        {"verify", TlsLevel::verify},   {"secure", TlsLevel::secure}};
    for (const auto& [name, level] : kLevels) {
        if (iequals(word, name)) return level;
    }
    return Error{Errc::invalid, cat({"unknown TLS security level ", word})};
}

std::string TlsPolicy::key() const {
    return cat({std::to_string(static_cast<int>(level)), "\n", protocols, "\n", grade, "\n",
                join(excluded, " "), "\n", join(match, " "), "\n", servername, "\n", tlsa.base,
                "\n", join(tlsa.records, ""), "\n", join(anchors, "")});
}

std::string TlsPolicy::sni(std::string_view host, std::string_view nexthop) const {
    if (iequals(servername, "hostname")) return certified_form(host);
    if (iequals(servername, "nexthop")) return certified_form(nexthop);
    return certified_form(servername);
}

std::optional<std::string> mistrust(const TlsPolicy& policy, const tls::Info& info,
                                    std::string_view host, std::string_view nexthop,
                                    bool multiple_labels) {
    if (policy.level == TlsLevel::fingerprint) {
        if (has_fingerprint(info, policy.match)) return std::nullopt;
        return "Server certificate not verified";
    }
    if (policy.level == TlsLevel::dane) {
        if (info.peer_certificate && info.peer_verified) return std::nullopt;
        return "Server certificate not verified";
    }
    if (policy.level != TlsLevel::verify && policy.level != TlsLevel::secure) return std::nullopt;
    if (!info.peer_certificate || !info.peer_verified) return "Server certificate not trusted";
    for (const auto& certified : info.peer_names) {
        for (const auto& pattern : policy.match) {
            if (matches(pattern, certified, host, nexthop, multiple_labels)) return std::nullopt;
        }
    }
    return "Server certificate not verified";
}

Result<TlsSettings> TlsSettings::from(const config::Config& config, bool lmtp,
                                      const service::KeyFiles& keys) {
    TlsSettings s;
    const std::string level =
        config.get(lmtp ? param::lmtp_tls_security_level : param::smtp_tls_security_level);
    const std::string_view protocol = lmtp ? "lmtp" : "smtp";
    s.maps_rule = lmtp ? "lmtp_tls_policy_maps" : "smtp_tls_policy_maps";
    s.level_rule = cat({protocol, "_tls_security_level"});
    if (level.empty()) {
        read_level(s, config, lmtp, s.level);
        if (s.level > TlsLevel::may) s.level_rule = cat({protocol, "_enforce_tls"});
    } else {
        auto parsed = parse_tls_level(level);
        if (!parsed)
            return std::move(parsed).error().within(lmtp ? "lmtp_tls_security_level"
                                                         : "smtp_tls_security_level");
        s.level = *parsed;
    }
    read_ciphers(s, config, lmtp);
    s.verify_match =
        config.get(lmtp ? param::lmtp_tls_verify_cert_match : param::smtp_tls_verify_cert_match);
    s.secure_match =
        config.get(lmtp ? param::lmtp_tls_secure_cert_match : param::smtp_tls_secure_cert_match);
    s.fingerprints = config.get(lmtp ? param::lmtp_tls_fingerprint_cert_match
                                     : param::smtp_tls_fingerprint_cert_match);
    s.policy_maps = config.text(s.maps_rule);
    s.site_rule = lmtp ? "lmtp_tls_per_site" : "smtp_tls_per_site";
    s.per_site = config.text(s.site_rule);
    const std::string anchors = lmtp ? "lmtp_tls_trust_anchor_file" : "smtp_tls_trust_anchor_file";
    for (const auto& file :
         config.get(lmtp ? param::lmtp_tls_trust_anchor_file : param::smtp_tls_trust_anchor_file)) {
        auto records = anchors_in(file);
        if (!records) return std::move(records).error().within(anchors);
        s.anchors.insert(s.anchors.end(), records->begin(), records->end());
    }
    TRY(read_dane(s, config, lmtp));
    s.multiple_labels = config.get(param::tls_wildcard_matches_multiple_labels);
    tls::ClientOptions& base = s.base;
    base.verify = false;  // judged by mistrust(), so that the log can tell what was wrong
    base.check_name = false;
    base.trusted_ca_file = config.get(lmtp ? param::lmtp_tls_CAfile : param::smtp_tls_CAfile);
    base.trusted_ca_path = config.get(lmtp ? param::lmtp_tls_CApath : param::smtp_tls_CApath);
    base.verify_depth = static_cast<int>(
        config.get(lmtp ? param::lmtp_tls_scert_verifydepth : param::smtp_tls_scert_verifydepth));
    base.fingerprint_digest =
        config.get(lmtp ? param::lmtp_tls_fingerprint_digest : param::smtp_tls_fingerprint_digest);
    base.append_default_ca = config.get(param::tls_append_default_CA);
    auto groups = config.get(param::tls_eecdh_auto_curves);
    if (!groups.empty()) {
        for (auto& group : config.get(param::tls_ffdhe_auto_groups))
            groups.push_back(std::move(group));
    }
    base.groups = join(groups, ":");
    TRY(tls::load_configuration(config.get(param::tls_config_file),
                                config.get(param::tls_config_name)));
    base.ssl_options = config.get(param::tls_ssl_options);
    if (s.level != TlsLevel::none || !s.policy_maps.empty() || !s.per_site.empty())
        TRY(read_identity(base, config, lmtp, keys));
    return s;
}

TlsPolicies::TlsPolicies(TlsSettings settings)
    : settings_(std::move(settings)),
      maps_(table::Maps::open(settings_.policy_maps)),
      per_site_(table::Maps::open(settings_.per_site)) {}

TlsPolicy TlsPolicies::unenforced(TlsPolicy policy) const {
    if (policy.level <= TlsLevel::may) return policy;
    TlsPolicy lower = of_level(TlsLevel::may);
    lower.servername = std::move(policy.servername);
    lower.rule = "tls_required_enable";
    return lower;
}

TlsPolicy TlsPolicies::of_level(TlsLevel level) const {
    TlsPolicy policy = level > TlsLevel::may ? settings_.mandatory : settings_.may;
    policy.level = level;
    policy.rule = settings_.level_rule;
    if (level == TlsLevel::fingerprint) policy.match = settings_.fingerprints;
    if (level == TlsLevel::verify) policy.match = settings_.verify_match;
    if (level == TlsLevel::secure) policy.match = settings_.secure_match;
    if (level == TlsLevel::verify || level == TlsLevel::secure) policy.anchors = settings_.anchors;
    // Who must be known cannot be anonymous.
    if (level > TlsLevel::encrypt) policy.excluded.push_back("aNULL");
    return policy;
}

// "secure match=a.test:.b.test protocols=>=TLSv1.2 ciphers=high exclude=MD5 servername=a.test"
Result<TlsPolicy> TlsPolicies::parse(std::string_view text) const {
    const auto words = split_words(text, ", \t\r\n");
    if (words.empty()) return Error{Errc::invalid, "empty policy"};
    TRY_ASSIGN(const TlsLevel level, parse_tls_level(words[0]));
    TlsPolicy policy = of_level(level);
    bool has_match = false, has_anchors = false;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto parts = split_once(words[i], '=');
        if (!parts) return Error{Errc::invalid, cat({"malformed attribute ", words[i]})};
        const auto& [name, value] = *parts;
        if (level == TlsLevel::none)
            return Error{Errc::invalid, cat({"attribute ", name, " at level none"})};
        if (iequals(name, "match") && level > TlsLevel::encrypt) {
            // Several match attributes add up; digests contain colons.
            if (!has_match && level != TlsLevel::fingerprint) policy.match.clear();
            has_match = true;
            for (auto& word : words_of(value, level == TlsLevel::fingerprint ? "|" : ":"))
                policy.match.push_back(std::move(word));
        } else if (iequals(name, "tafile") &&
                   (level == TlsLevel::verify || level == TlsLevel::secure)) {
            TRY_ASSIGN(auto records, anchors_in(std::string(value)));
            if (!std::exchange(has_anchors, true)) policy.anchors.clear();
            for (auto& record : records) policy.anchors.push_back(std::move(record));
        } else if (iequals(name, "protocols")) {
            policy.protocols = value;
        } else if (iequals(name, "ciphers")) {
            if (!settings_.grades.contains(value))
                return Error{Errc::invalid, cat({"unknown cipher grade ", value})};
            policy.grade = value;
        } else if (iequals(name, "exclude")) {
            policy.excluded = words_of(value, ":");
        } else if (iequals(name, "servername")) {
            policy.servername = value;
        } else if (!iequals(name, "connection_reuse")) {  // ours are always kept under TLS
            return Error{Errc::invalid, cat({"invalid attribute ", words[i]})};
        }
    }
    return policy;
}

// smtp_tls_per_site, as Postfix reads it: the words of destination and host add up; a word that
// asks for something overrides main.cf, MAY gives way to a stricter level there.
Result<TlsPolicy> TlsPolicies::by_site(const std::string& destination, const std::string& host) {
    // In the order in which one overrides another.
    constexpr std::pair<std::string_view, TlsLevel> kWords[] = {
        {"MAY", TlsLevel::may},
        {"NONE", TlsLevel::none},
        {"MUST_NOPEERMATCH", TlsLevel::encrypt},
        {"MUST", TlsLevel::verify}};
    const std::pair<std::string_view, TlsLevel>* strongest = nullptr;
    std::string rule;
    for (const std::string& key : {destination, host}) {
        if (key.empty()) continue;
        const auto found = per_site_.find(key);
        if (found.failed()) return Error(found.error());
        if (found.not_found()) continue;
        const auto* word = std::find_if(std::begin(kWords), std::end(kWords), [&](const auto& one) {
            return iequals(one.first, trim(*found));
        });
        if (word == std::end(kWords))
            return Error{Errc::invalid, cat({settings_.site_rule, ": unknown TLS policy \"",
                                             printable(*found, 60), "\" for ", key})};
        if (strongest != nullptr && word <= strongest) continue;
        strongest = word;
        rule = cat({settings_.site_rule, " (", per_site_.matched(), ", key ", key, ")"});
    }
    if (strongest == nullptr ||
        (strongest->second == TlsLevel::may && settings_.level > TlsLevel::may))
        return of_level(settings_.level);
    TlsPolicy policy = of_level(strongest->second);
    policy.rule = std::move(rule);
    return policy;
}

Result<TlsPolicy> TlsPolicies::find(const std::string& destination, const std::string& host) {
    if (maps_.empty() && !per_site_.empty()) return by_site(destination, host);
    if (maps_.empty()) return of_level(settings_.level);
    // The destination as written, then the parents of a bare domain: ".example.com", ".com".
    std::string key = to_lower(destination);
    const bool domain = key.find_first_of("[]:/") == std::string::npos;
    while (!key.empty()) {
        auto found = maps_.find(key);
        if (found.failed()) return std::move(found).error();
        if (found.found()) {
            auto policy = parse(*found);
            if (!policy)
                return std::move(policy).error().within(
                    cat({"TLS policy table, destination ", destination}));
            policy->rule = cat({settings_.maps_rule, " (", maps_.matched(), ", key ", key, ")"});
            return policy;
        }
        const std::size_t dot = domain ? key.find('.', 1) : std::string::npos;
        key = dot == std::string::npos ? "" : key.substr(dot);
    }
    return of_level(settings_.level);
}

// RFC 7672 2.2 and 6; the texts are Postfix's.
std::optional<std::string> TlsPolicies::settle_dane(TlsPolicy& policy, const Tlsa& tlsa,
                                                    std::string_view host,
                                                    std::uint16_t port) const {
    if (policy.level != TlsLevel::dane && policy.level != TlsLevel::dane_only) return std::nullopt;
    const auto fall_to = [&](TlsLevel level, std::string why) -> std::optional<std::string> {
        if (policy.level == TlsLevel::dane_only) return why;
        TlsPolicy less = of_level(level);
        less.rule = policy.rule;
        less.servername = policy.servername;
        policy = std::move(less);
        return std::nullopt;
    };
    if (!settings_.dnssec)
        return fall_to(TlsLevel::may, "dane configured with dnssec lookups disabled");
    switch (tlsa.state) {
        case Tlsa::State::failed:
            return cat({"TLSA lookup error for ", host, ":", std::to_string(port)});
        case Tlsa::State::insecure:
            return fall_to(tlsa.insecure_mx && settings_.insecure_mx == TlsLevel::encrypt
                               ? TlsLevel::encrypt
                               : TlsLevel::may,
                           "non DNSSEC destination");
        case Tlsa::State::none: return fall_to(TlsLevel::may, "no TLSA records found");
        case Tlsa::State::found: break;
    }
    Tlsa usable = tlsa;
    std::erase_if(usable.records, [&](const std::string& record) {
        return !tls::is_usable_tlsa(record, settings_.dane_digests);
    });
    if (usable.records.empty()) return fall_to(TlsLevel::encrypt, "TLSA records unusable");
    policy.level = TlsLevel::dane;
    policy.tlsa = std::move(usable);
    return std::nullopt;
}

Result<const tls::ClientContext*> TlsPolicies::context(const TlsPolicy& policy) {
    const std::string key =
        cat({policy.protocols, "\n", policy.grade, "\n", join(policy.excluded, ":")});
    if (const auto known = contexts_.find(key); known != contexts_.end()) return &known->second;
    tls::ClientOptions options = settings_.base;
    TRY_ASSIGN(const auto versions, tls::parse_versions(policy.protocols));
    options.minimum = versions.minimum;
    options.maximum = versions.maximum;
    const auto grade = settings_.grades.find(policy.grade);
    options.ciphers =
        tls::cipher_list(grade == settings_.grades.end() ? "" : grade->second, policy.excluded);
    TRY_ASSIGN(tls::ClientContext context, tls::ClientContext::make(options));
    return &contexts_.emplace(key, std::move(context)).first->second;
}

Result<void> TlsPolicies::problem() {
    for (const auto level : {settings_.level, TlsLevel::may, TlsLevel::encrypt}) {
        if (settings_.level == TlsLevel::none) break;
        if (level < settings_.level && settings_.policy_maps.empty()) continue;
        auto made = context(of_level(level));
        if (!made) return std::move(made).error().within("TLS");
    }
    return {};
}

}  // namespace postern::forwarder
