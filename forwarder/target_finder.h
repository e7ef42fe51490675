// TargetFinder: from a next hop to the addresses to try, in order: MX records by preference (RFC
// 5321 5.1), equal ones at random, without those that would bring the mail back to us.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/random.h"
#include "lib/base/verdict.h"
#include "lib/dns/resolver.h"
#include "lib/loop/loop.h"

#include "forwarder/next_hop.h"
#include "forwarder/options.h"

namespace postern::forwarder {

// One address to try.
struct Target {
    std::string host;  // as named by MX or next hop
    IpAddress address;
    std::uint16_t port = 25;
    std::string path;    // a Unix socket instead
    std::string hop;     // the destination that led here, as written: "[mx.test]:587"
    std::string domain;  // the same without [] and port
    unsigned preference = 0;
    Tlsa tlsa;         // where DANE is wanted
    bool best = true;  // of the best preference: its connection may be kept for the destination

    std::string endpoint() const;  // "192.0.2.1:25": names the place for the connection cache
    smtp::PeerName peer() const;
};

// Targets, best first and never empty, or why there are none.
using TargetsOrVerdict = std::variant<std::vector<Target>, Verdict>;

class TargetFinder {
  public:
    using Done = std::function<void(TargetsOrVerdict)>;

    TargetFinder(loop::Loop& loop, dns::AsyncResolver& resolver, const Options& options,
                 Random& random);

    // Looks up all hops; targets of an earlier hop come before those of a later one. Calls back
    // once, never from inside. Dropping the handle cancels.
    class Search;
    // `dane`: whether the hosts' TLSA records are wanted, too.
    std::shared_ptr<Search> find(std::vector<NextHop> hops, Done done, bool dane = false);

  private:
    void probe_dnssec();

    bool probed_ = false;
    loop::Loop& loop_;
    dns::AsyncResolver& resolver_;
    const Options& options_;
    Random& random_;
};

class TargetFinder::Search : public std::enable_shared_from_this<Search> {
  public:
    Search(TargetFinder& finder, std::vector<NextHop> hops, Done done, bool dane);
    ~Search();
    Search(const Search&) = delete;
    Search& operator=(const Search&) = delete;

    void next_hop();

  private:
    struct Host {
        std::string name;
        unsigned preference = 0;
        std::uint64_t order = 0;  // among equals
        std::uint16_t port = 0;   // 0: the hop's
        std::vector<IpAddress> addresses;
        bool secure = true;          // all answers about it were signed
        std::string canonical_name;  // where CNAMEs led
        Tlsa tlsa;
    };

    bool by_srv() const;
    void ask_srv();
    void on_srv(dns::AnswerLookup answer);
    void without_srv();
    void ask_mx();
    void on_mx(dns::AnswerLookup answer);
    void use_host(std::string name);
    void ask_addresses();
    void ask(std::size_t host, dns::RecordType type);
    void on_address(std::size_t host, dns::RecordType type, dns::AnswerLookup answer);
    void addresses_done();
    void ask_tlsa(std::size_t host, bool canonical);
    void on_tlsa(std::size_t host, bool canonical, const dns::AnswerLookup& answer);
    std::uint16_t port(const Host& host) const;
    void hop_done();
    std::vector<Target> order_targets();
    void balance(std::vector<Target>& targets) const;
    bool drop_own(std::vector<Target>& targets) const;
    void give_up_hop(Verdict verdict);
    void finish();
    Verdict no_address() const;

    TargetFinder& finder_;
    std::vector<NextHop> hops_;
    Done done_;
    std::size_t current_ = 0;
    const bool dane_;
    bool by_mx_ = false, mx_secure_ = true;
    std::vector<Host> hosts_;
    std::size_t outstanding_ = 0;
    std::vector<dns::AsyncResolver::Id> questions_;
    bool lookup_failed_ = false;
    std::string missing_text_;
    std::string filtered_text_;  // what smtp_dns_reply_filter has left nothing of
    std::vector<Target> targets_;
    Verdict verdict_;
};

// RFC 2782: SRV records of equal priority in the order of a lottery by their weights.
std::vector<dns::Record> order_srv(std::vector<dns::Record> records, Random& random);

}  // namespace postern::forwarder
