// DNS lists as the configuration names them: "list.example", "list.example=127.0.0.[2;4..6]".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::config {

// Which answers of a DNS list count: "127.0.0.[2;4..6]", numbers, or choices of numbers and ranges.
class AnswerFilter {
  public:
    AnswerFilter() = default;  // every answer counts
    // Errc::invalid says what is wrong with the text, without quoting it.
    static Result<AnswerFilter> parse(std::string_view text);

    // address: of IPv4, as text; nothing else comes through a filter.
    bool counts(std::string_view address) const;

  private:
    struct Range {
        unsigned low = 0, high = 255;
    };
    std::vector<std::vector<Range>> octets_;  // empty: everything
};

// What reject_rbl_client and its kind are followed by.
struct DnsListName {
    std::string domain;
    AnswerFilter filter;
    static Result<DnsListName> parse(std::string_view text);
};

}  // namespace postern::config
