// DNS lists and what their answers count: postscreen_dnsbl_sites. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/config/dns_list.h"

namespace postern::postscreen {

// "domain", "domain=127.0.0.[2;4..8]", "domain*3", "domain=127.0.0.2*-2".
class DnsList {
  public:
    static Result<DnsList> parse(std::string_view text);

    const std::string& domain() const { return domain_; }
    int weight() const { return weight_; }
    // Does an answer (an IPv4 address) count? Without a filter all do.
    bool counts(std::string_view address) const { return filter_.counts(address); }

  private:
    std::string domain_;
    int weight_ = 1;
    config::AnswerFilter filter_;
};

// The answers of all lists about one client.
class ListScore {
  public:
    explicit ListScore(const std::vector<DnsList>& lists) : lists_(lists) {}

    // Each domain once, in order.
    std::vector<std::string> domains() const;
    // What a domain answered: the addresses, and how long that holds.
    void add(std::string_view domain, const std::vector<std::string>& addresses, Seconds lifetime);

    int rank() const { return rank_; }
    // The list that counts most against the client; empty: none does.
    const std::string& reason() const { return reason_; }
    Seconds lifetime() const { return lifetime_; }  // the shortest; negative: nobody answered

  private:
    const std::vector<DnsList>& lists_;
    int rank_ = 0, heaviest_ = 0;
    std::string reason_;
    Seconds lifetime_{-1};
};

}  // namespace postern::postscreen
