// Addresses in headers and envelopes: completed by ourselves ("root" becomes "root@$myorigin"),
// and, where tables say so, changed by what rewrite (canonical maps, masquerading) makes of them.
// Pure: the questions to rewrite are asked by transaction.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/strings.h"
#include "lib/table/address_lookup.h"

#include "cleanup/options.h"

namespace postern::cleanup {

// The body of a field of addresses, with complete ones; everything else stays byte by byte.
std::string complete_addresses(std::string_view body, const table::Completion& completion,
                               std::size_t token_limit);

// Whether completing a whole envelope address would change nothing.
bool is_complete(std::string_view address, const table::Completion& completion);

// The addresses of one header that tables may change, and what they made of them.
class HeaderRewriting {
  public:
    explicit HeaderRewriting(const Options& options) : options_(options) {}

    // Takes note of all addresses in the header at the start of `text`.
    void collect(std::string_view text);
    // The next ones to ask rewrite about; both empty: all are known.
    struct Portion {
        std::vector<std::string> senders, recipients;
        bool empty() const { return senders.empty() && recipients.empty(); }
    };
    Portion next();
    // What became of them, in the same order.
    void answered(const Portion& asked, const Portion& answer);
    // The text, its header with the new addresses.
    std::string apply(std::string_view text) const;

  private:
    using Answers = std::map<std::string, std::string, std::less<>>;
    const Answers* answers_for(std::string_view field_name) const;

    const Options& options_;
    Answers senders_, recipients_;  // an empty one: not yet known
    std::vector<std::string> open_senders_, open_recipients_;
};

}  // namespace postern::cleanup
