// The two regular expression engines behind regexp: and pcre: tables, as one interface.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::table {

// What the groups of a match caught; [0] is the whole match. Groups that took no part are empty.
using Groups = std::vector<std::string_view>;

// failed: the engine gave up (backtracking limit). never: not even the negated pattern fits (an IPv6
// address and an IPv4 network).
enum class Match : unsigned char { no, yes, failed, never };

class Regex {
  public:
    virtual ~Regex() = default;
    virtual Match match(const std::string& subject, Groups& groups) const = 0;
    // How many groups the pattern has.
    virtual std::size_t groups() const { return 0; }
};

// The text between the delimiters and the letters after the second one. Letters toggle: both
// engines begin with "i" (letter case does not matter), pcre also with "s" (the dot matches line
// ends).
Result<std::unique_ptr<Regex>> compile_posix(const std::string& pattern, std::string_view letters);
Result<std::unique_ptr<Regex>> compile_pcre(const std::string& pattern, std::string_view letters);

}  // namespace postern::table
