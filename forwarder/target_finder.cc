#include "forwarder/target_finder.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::forwarder {
namespace {

// More hosts than this of one domain are not looked up.
constexpr std::size_t kMaxHosts = 20;
constexpr std::uint16_t kSmtpPort = 25;

// The texts are Postfix's.
std::string name_error(std::string_view name, std::string_view type, std::string_view why) {
    const auto asked = dns::ascii_name(name);  // by which it was looked for
    return cat({"Host or domain name not found. Name service error for name=",
                asked ? std::string_view(*asked) : name, " type=", type, ": ", why});
}

// What smtp_dns_reply_filter has made of an answer, else our own words.
Verdict failure(const dns::AnswerLookup& answer, std::string text) {
    if (answer.error().code == Errc::denied) return Verdict::defer("4.7.0", answer.error().what);
    return Verdict::defer("4.4.3", std::move(text));
}

constexpr std::string_view kNotFound = "Host not found";
constexpr std::string_view kTryAgain = "Host not found, try again";
constexpr std::string_view kNoData = "Host found but no data record of requested type";

// The texts are Postfix's.
void log_probe(const std::string& probe, const dns::AnswerLookup& answer) {
    if (answer.found() && answer->authenticated) {
        log::info("",
                  cat({"dnssec_probe '", probe, "' received a response that is DNSSEC validated"}));
        return;
    }
    log::warning("", "DNSSEC validation may be unavailable");
    if (answer.found()) {
        log::warning("", cat({"reason: dnssec_probe '", probe,
                              "' received a response that is not DNSSEC validated"}));
    } else {
        log::warning("", cat({"reason: dnssec_probe '", probe, "' received no response: ",
                              answer.failed() ? answer.error().what : std::string(kNotFound)}));
    }
}

}  // namespace

std::string Target::endpoint() const {
    if (!path.empty()) return "unix:" + path;
    return cat({"[", address.str(), "]:", std::to_string(port)});
}

smtp::PeerName Target::peer() const {
    if (!path.empty()) return {host, path, 0};
    return {host, address.str(), port};
}

TargetFinder::TargetFinder(loop::Loop& loop, dns::AsyncResolver& resolver, const Options& options,
                           Random& random)
    : loop_(loop), resolver_(resolver), options_(options), random_(random) {}

// Once in a process, and nobody waits for it: answers that should be signed were not.
void TargetFinder::probe_dnssec() {
    if (probed_ || options_.dnssec_probe.empty()) return;
    probed_ = true;
    const auto parts = split_once(options_.dnssec_probe, ':');
    const auto type = parts ? dns::type_named(parts->first) : std::nullopt;
    if (!type) return;
    resolver_.resolve(parts->second, *type, options_.dns,
                      [probe = options_.dnssec_probe](const dns::AnswerLookup& answer) {
                          log_probe(probe, answer);
                      });
}

std::vector<dns::Record> order_srv(std::vector<dns::Record> records, Random& random) {
    std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
        return std::pair(a.preference, a.weight > 0) < std::pair(b.preference, b.weight > 0);
    });
    // Each step draws one of those that are left of a priority; without weight comes first, with a
    // very small chance.
    for (auto next = records.begin(); next != records.end(); ++next) {
        const auto end = std::find_if(next, records.end(), [&](const dns::Record& one) {
            return one.preference != next->preference;
        });
        std::uint64_t sum = 0;
        std::for_each(next, end, [&](const dns::Record& one) { sum += one.weight; });
        const std::uint64_t drawn = random.next() % (sum + 1);
        std::uint64_t so_far = 0;
        const auto chosen = std::find_if(next, end, [&](const dns::Record& one) {
            so_far += one.weight;
            return so_far >= drawn;
        });
        std::rotate(next, chosen, chosen + 1);
    }
    return records;
}

std::shared_ptr<TargetFinder::Search> TargetFinder::find(std::vector<NextHop> hops, Done done,
                                                         bool dane) {
    auto search = std::make_shared<Search>(*this, std::move(hops), std::move(done), dane);
    loop_.post([weak = std::weak_ptr<Search>(search)] {
        if (auto self = weak.lock()) self->next_hop();
    });
    return search;
}

TargetFinder::Search::Search(TargetFinder& finder, std::vector<NextHop> hops, Done done, bool dane)
    : finder_(finder),
      hops_(std::move(hops)),
      done_(std::move(done)),
      dane_(dane),
      verdict_(Verdict::defer("4.4.0", "no destination")) {}

TargetFinder::Search::~Search() {
    for (auto id : questions_) finder_.resolver_.cancel(id);
}

void TargetFinder::Search::next_hop() {
    if (current_ == hops_.size()) return finish();
    const NextHop& hop = hops_[current_];
    hosts_.clear();
    lookup_failed_ = by_mx_ = false;
    missing_text_.clear();
    filtered_text_.clear();
    mx_secure_ = true;
    if (hop.kind == NextHop::Kind::unix_path) {
        Target target;
        target.host = finder_.options_.own_name;
        target.path = hop.name;
        target.hop = hop.text;
        target.domain = hop.name;
        targets_.push_back(std::move(target));
        ++current_;
        return next_hop();
    }
    if (auto address = IpAddress::parse(hop.name)) {
        hosts_.push_back({hop.name, 0, 0, 0, {*address}, false, {}, {}});
        return hop_done();
    }
    if (by_srv()) return ask_srv();
    if (hop.kind == NextHop::Kind::domain && finder_.options_.dns_lookups) return ask_mx();
    use_host(hop.name);
}

bool TargetFinder::Search::by_srv() const {
    const NextHop& hop = hops_[current_];
    const Options& options = finder_.options_;
    const std::string& service = hop.service.empty() ? options.default_service : hop.service;
    return !hop.text.starts_with('[') && options.dns_lookups &&
           std::any_of(options.srv_services.begin(), options.srv_services.end(),
                       [&](const std::string& one) { return iequals(one, service); });
}

// RFC 2782, RFC 6186: _submission._tcp.example.test.
void TargetFinder::Search::ask_srv() {
    const NextHop& hop = hops_[current_];
    const std::string& service =
        hop.service.empty() ? finder_.options_.default_service : hop.service;
    questions_.push_back(finder_.resolver_.resolve(
        cat({"_", service, "._tcp.", hop.name}), dns::RecordType::srv, finder_.options_.dns,
        [weak = weak_from_this()](dns::AnswerLookup answer) {
            if (auto self = weak.lock()) self->on_srv(std::move(answer));
        }));
}

void TargetFinder::Search::on_srv(dns::AnswerLookup answer) {
    const NextHop& hop = hops_[current_];
    const Options& options = finder_.options_;
    const std::string& service = hop.service.empty() ? options.default_service : hop.service;
    const std::string name = cat({"_", service, "._tcp.", hop.name});
    if (answer.failed()) {
        if (options.ignore_srv_error) return without_srv();
        return give_up_hop(failure(answer, name_error(name, "SRV", kTryAgain)));
    }
    if (answer.not_found() || answer->records.empty()) {
        if (options.srv_fallback) return without_srv();
        return give_up_hop(Verdict::reject(
            "5.4.4", name_error(name, "SRV", answer.found() ? kNoData : kNotFound)));
    }
    if (dns::is_null_mx(*answer)) {
        return give_up_hop(Verdict::reject(
            "5.4.4", cat({"Domain ", hop.name, " has no service ", service, " (null SRV)"})));
    }
    by_mx_ = true;
    mx_secure_ = answer->authenticated;
    std::uint64_t order = 0;
    for (auto& record : order_srv(std::move(answer->records), finder_.random_)) {
        if (!record.data.empty())
            hosts_.push_back({std::move(record.data),
                              record.preference,
                              ++order,
                              record.port,
                              {},
                              true,
                              {},
                              {}});
    }
    if (hosts_.size() > kMaxHosts) hosts_.resize(kMaxHosts);
    ask_addresses();
}

// As if nobody had wanted SRV records.
void TargetFinder::Search::without_srv() {
    const NextHop& hop = hops_[current_];
    if (hop.kind == NextHop::Kind::domain) return ask_mx();
    use_host(hop.name);
}

void TargetFinder::Search::ask_mx() {
    auto weak = weak_from_this();
    questions_.push_back(finder_.resolver_.resolve(hops_[current_].name, dns::RecordType::mx,
                                                   finder_.options_.dns,
                                                   [weak](dns::AnswerLookup answer) {
                                                       if (auto self = weak.lock())
                                                           self->on_mx(std::move(answer));
                                                   }));
}

// RFC 5321 5.1.
void TargetFinder::Search::on_mx(dns::AnswerLookup answer) {
    const std::string& domain = hops_[current_].name;
    if (answer.failed()) {
        const bool filtered = answer.error().code == Errc::denied;
        if (finder_.options_.ignore_mx_error && !filtered) return use_host(domain);
        return give_up_hop(failure(answer, name_error(domain, "MX", kTryAgain)));
    }
    if (answer.not_found()) {
        return give_up_hop(Verdict::reject("5.4.4", name_error(domain, "MX", kNotFound)));
    }
    if (dns::is_null_mx(*answer)) {
        // RFC 7505 4.1
        return give_up_hop(
            Verdict::reject("5.1.0", cat({"Domain ", domain, " does not accept mail (nullMX)"})));
    }
    if (answer->records.empty()) return use_host(domain);
    by_mx_ = true;
    mx_secure_ = answer->authenticated;
    for (auto& record : answer->records) {
        if (record.data.empty()) continue;
        hosts_.push_back({std::move(record.data),
                          record.preference,
                          finder_.random_.next(),
                          0,
                          {},
                          true,
                          {},
                          {}});
    }
    std::sort(hosts_.begin(), hosts_.end(), [](const Host& a, const Host& b) {
        return std::pair(a.preference, a.order) < std::pair(b.preference, b.order);
    });
    if (hosts_.size() > kMaxHosts) hosts_.resize(kMaxHosts);
    ask_addresses();
}

void TargetFinder::Search::use_host(std::string name) {
    hosts_.push_back({std::move(name), 0, 0, 0, {}, true, {}, {}});
    ask_addresses();
}

void TargetFinder::Search::ask_addresses() {
    const Options& options = finder_.options_;
    outstanding_ = hosts_.size() * ((options.ask_ipv4 ? 1U : 0U) + (options.ask_ipv6 ? 1U : 0U));
    if (outstanding_ == 0) return addresses_done();
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        if (options.ask_ipv4) ask(i, dns::RecordType::a);
        if (options.ask_ipv6) ask(i, dns::RecordType::aaaa);
    }
}

void TargetFinder::Search::ask(std::size_t host, dns::RecordType type) {
    auto weak = weak_from_this();
    questions_.push_back(finder_.resolver_.resolve(hosts_[host].name, type, finder_.options_.dns,
                                                   [weak, host, type](dns::AnswerLookup answer) {
                                                       if (auto self = weak.lock())
                                                           self->on_address(host, type,
                                                                            std::move(answer));
                                                   }));
}

void TargetFinder::Search::on_address(std::size_t host, dns::RecordType type,
                                      dns::AnswerLookup answer) {
    Host& entry = hosts_[host];
    const bool filtered = answer.failed() && answer.error().code == Errc::denied;
    if (filtered) filtered_text_ = answer.error().what;
    if (answer.failed() && !filtered) lookup_failed_ = true;
    if (answer.found()) {
        entry.secure = entry.secure && answer->authenticated;
        entry.canonical_name = answer->canonical_name;
        for (const auto& record : answer->records) {
            if (auto address = IpAddress::parse(record.data)) entry.addresses.push_back(*address);
        }
    }
    if (!answer.found() || answer->records.empty()) {
        missing_text_ = name_error(entry.name, dns::type_name(type),
                                   answer.failed()  ? kTryAgain
                                   : answer.found() ? kNoData
                                                    : kNotFound);
    }
    if (--outstanding_ == 0) addresses_done();
}

std::uint16_t TargetFinder::Search::port(const Host& host) const {
    if (host.port != 0) return host.port;
    return hops_[current_].port ? hops_[current_].port : finder_.options_.default_port;
}

// RFC 7672 2.2: TLSA records count for hosts that signed records lead to.
void TargetFinder::Search::addresses_done() {
    if (!dane_) return hop_done();
    const bool mx_counts = mx_secure_ || finder_.options_.tls.insecure_mx == smtp::TlsLevel::dane;
    const bool insecure = finder_.options_.tlsa_of_insecure_hosts;
    std::vector<std::size_t> wanted;
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        Host& host = hosts_[i];
        host.tlsa.insecure_mx = !mx_secure_;
        if (mx_counts && (host.secure || insecure) && !host.addresses.empty()) wanted.push_back(i);
        if (!mx_secure_ || !host.secure) finder_.probe_dnssec();
    }
    if (wanted.empty()) return hop_done();
    outstanding_ = wanted.size();
    for (const std::size_t i : wanted) {
        const auto& canonical = hosts_[i].canonical_name;
        ask_tlsa(i, !canonical.empty() && !iequals(canonical, hosts_[i].name));
    }
}

// RFC 7672 2.2.2: under the name that CNAMEs led to, then under the one that they began with.
void TargetFinder::Search::ask_tlsa(std::size_t host, bool canonical) {
    Host& entry = hosts_[host];
    entry.tlsa.base = canonical ? entry.canonical_name : entry.name;
    const std::string name = cat({"_", std::to_string(port(entry)), "._tcp.", entry.tlsa.base});
    questions_.push_back(finder_.resolver_.resolve(
        name, dns::RecordType::tlsa, finder_.options_.dns,
        [weak = weak_from_this(), host, canonical](const dns::AnswerLookup& answer) {
            if (auto self = weak.lock()) self->on_tlsa(host, canonical, answer);
        }));
}

void TargetFinder::Search::on_tlsa(std::size_t host, bool canonical,
                                   const dns::AnswerLookup& answer) {
    Tlsa& tlsa = hosts_[host].tlsa;
    tlsa.state = answer.failed() ? Tlsa::State::failed : Tlsa::State::none;
    if (answer.found() && answer->authenticated) {
        for (const auto& record : answer->records) tlsa.records.push_back(record.data);
        if (!tlsa.records.empty()) tlsa.state = Tlsa::State::found;
    }
    if (canonical && tlsa.state == Tlsa::State::none) return ask_tlsa(host, false);
    if (--outstanding_ == 0) hop_done();
}

void TargetFinder::Search::hop_done() {
    std::vector<Target> targets = order_targets();
    if (targets.empty()) return give_up_hop(no_address());
    const unsigned best_found = targets[0].preference;
    if (by_mx_ && !drop_own(targets)) {
        // We are a spare host of the domain, and the better ones have no address at present.
        if (hosts_[0].preference != best_found)
            return give_up_hop(Verdict::defer(
                "4.4.4", cat({"unable to find primary relay for ", hops_[current_].name})));
        return give_up_hop(Verdict::reject(
            "5.4.6", cat({"mail for ", hops_[current_].name, " loops back to myself"})));
    }
    balance(targets);
    targets_.insert(targets_.end(), targets.begin(), targets.end());
    ++current_;
    next_hop();
}

std::vector<Target> TargetFinder::Search::order_targets() {
    const Options& options = finder_.options_;
    std::vector<Target> targets;
    for (const Host& host : hosts_) {
        for (const IpAddress& address : host.addresses) {
            Target target;
            const bool renamed = options.cname_names_server && !host.canonical_name.empty();
            target.host = renamed ? host.canonical_name : host.name;
            target.address = address;
            target.port = port(host);
            target.tlsa = host.tlsa;
            target.preference = host.preference;
            target.hop = hops_[current_].text;
            target.domain = hops_[current_].name;
            targets.push_back(std::move(target));
        }
    }
    // RFC 5321 5.1: addresses of one preference are tried in random order.
    if (options.randomize) {
        for (std::size_t i = targets.size(); i > 1; --i) {
            std::swap(targets[i - 1], targets[finder_.random_.next() % i]);
        }
    }
    auto rank = [&options](const Target& target) {
        bool last = (options.prefer == Options::Prefer::ipv4 && target.address.is_v6()) ||
                    (options.prefer == Options::Prefer::ipv6 && target.address.is_v4());
        return std::pair(target.preference, last);
    };
    std::stable_sort(targets.begin(), targets.end(),
                     [&](const Target& a, const Target& b) { return rank(a) < rank(b); });
    for (Target& target : targets) {
        target.best = current_ == 0 && target.preference == targets[0].preference;
    }
    return targets;
}

// Where only a few addresses are tried, each family gets half of them: a site with many IPv6
// addresses may be reachable by IPv4 only. The order stays.
void TargetFinder::Search::balance(std::vector<Target>& targets) const {
    const std::size_t limit = finder_.options_.address_limit;
    const auto v6 = static_cast<std::size_t>(
        std::count_if(targets.begin(), targets.end(),
                      [](const Target& target) { return target.address.is_v6(); }));
    const std::size_t v4 = targets.size() - v6;
    if (!finder_.options_.balance || limit < 2 || v6 == 0 || v4 == 0 || targets.size() <= limit)
        return;
    const bool v6_first = targets[0].address.is_v6();
    // The odd one goes to the family that comes first.
    std::size_t v6_left = std::min(v6, limit / 2 + (v6_first ? limit % 2 : 0));
    std::size_t v4_left = std::min(v4, limit - v6_left);
    v6_left = std::min(v6, limit - v4_left);
    std::erase_if(targets, [&](const Target& target) {
        std::size_t& left = target.address.is_v6() ? v6_left : v4_left;
        return left == 0 || left-- == 0;
    });
}

// RFC 5321 5.1: a host that finds itself among the MX hosts sends only to better ones; false when
// there is none.
bool TargetFinder::Search::drop_own(std::vector<Target>& targets) const {
    const Options& options = finder_.options_;
    if (options.lmtp || targets[0].port != kSmtpPort) return true;
    auto is_own = [&options](const Target& target) {
        const auto& own = options.own_addresses;
        return iequals(target.host, options.own_name) ||
               std::find(own.begin(), own.end(), target.address) != own.end();
    };
    auto self = std::find_if(targets.begin(), targets.end(), is_own);
    if (self == targets.end()) return true;
    unsigned limit = self->preference;
    std::erase_if(targets, [limit](const Target& target) { return target.preference >= limit; });
    return !targets.empty();
}

Verdict TargetFinder::Search::no_address() const {
    if (lookup_failed_) return Verdict::defer("4.4.3", missing_text_);
    if (!filtered_text_.empty()) return Verdict::defer("4.7.0", filtered_text_);
    if (by_mx_ && finder_.options_.defer_without_mx_address)
        return Verdict::defer("4.4.4", missing_text_);
    return Verdict::reject("5.4.4", missing_text_);
}

// A later hop may still have targets. Of several reasons a temporary one counts.
void TargetFinder::Search::give_up_hop(Verdict verdict) {
    bool first = current_ == 0;
    if (first || verdict.deferred()) verdict_ = std::move(verdict);
    ++current_;
    next_hop();
}

void TargetFinder::Search::finish() {
    questions_.clear();
    Done done = std::move(done_);
    if (targets_.empty()) {
        done(std::move(verdict_));
    } else {
        done(std::move(targets_));
    }
}

}  // namespace postern::forwarder
