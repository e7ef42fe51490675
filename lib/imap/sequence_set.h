// Sequence sets, RFC 3501 9 "sequence-set": 2,4:7,9,12:*
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::imap {

// An inclusive range, first <= last.
struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    bool operator==(const Range&) const = default;
};

class SequenceSet {
  public:
    // "$" too: the result of the last SEARCH RETURN (SAVE), RFC 5182.
    static std::optional<SequenceSet> parse(std::string_view text);
    // Of numbers that are known already, ascending.
    static SequenceSet of(std::vector<Range> ranges);
    bool is_saved_result() const { return saved_result_; }
    bool has_star() const;
    bool empty() const { return ranges_.empty() && !saved_result_; }

    // With "*" as the given largest number: sorted, without overlaps, each range within what was
    // asked. "*" of an empty mailbox (0) asks for nothing.
    std::vector<Range> resolve(std::uint32_t largest) const;

    // The largest number written out (0 when there is only "*"): RFC 3501 makes a sequence number
    // beyond the mailbox an error.
    std::uint32_t largest_written() const;

  private:
    static constexpr std::uint32_t kStar = 0;  // RFC 3501 has no number 0
    std::vector<Range> ranges_;                // as written; kStar for "*"
    bool saved_result_ = false;                // "$"; ranges_ is empty then
};

bool contains(const std::vector<Range>& sorted, std::uint32_t number);
// 1,2,3,7 -> "1:3,7", for UIDPLUS responses. Keeps the order; descending runs are not joined.
std::string format_set(const std::vector<std::uint32_t>& numbers);
std::string format_set(const std::vector<Range>& ranges);
// Ascending numbers as ranges.
std::vector<Range> to_ranges(const std::vector<std::uint32_t>& numbers);

}  // namespace postern::imap
