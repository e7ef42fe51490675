#include "lib/imap/sequence_set.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::imap {
namespace {

std::optional<std::uint32_t> parse_bound(std::string_view text) {
    if (text == "*") return 0;
    // RFC 3501 9: nz-number; digits only, no sign, no leading zero
    if (text.empty() || text.front() < '1' || text.front() > '9') return std::nullopt;
    return parse_number<std::uint32_t>(text);
}

}  // namespace

std::optional<SequenceSet> SequenceSet::parse(std::string_view text) {
    SequenceSet set;
    if (text == "$") {
        set.saved_result_ = true;
        return set;
    }
    for (const std::string_view part : split(text, ',')) {
        const auto pair = split_once(part, ':');
        const auto first = parse_bound(pair ? pair->first : part);
        const auto last = pair ? parse_bound(pair->second) : first;
        if (!first || !last) return std::nullopt;
        set.ranges_.push_back({*first, *last});
    }
    return set;
}

SequenceSet SequenceSet::of(std::vector<Range> ranges) {
    SequenceSet set;
    set.ranges_ = std::move(ranges);
    return set;
}

std::vector<Range> SequenceSet::resolve(std::uint32_t largest) const {
    std::vector<Range> out;
    out.reserve(ranges_.size());
    for (const Range& range : ranges_) {
        const std::uint32_t a = range.first == kStar ? largest : range.first;
        const std::uint32_t b = range.last == kStar ? largest : range.last;
        // RFC 3501 9: "3:*" with a largest number of 2 means 2:3
        if (a != 0 && b != 0) out.push_back({std::min(a, b), std::max(a, b)});
    }
    std::sort(out.begin(), out.end(),
              [](const Range& x, const Range& y) { return x.first < y.first; });
    std::size_t kept = 0;
    for (std::size_t i = 1; i < out.size(); ++i) {
        if (std::uint64_t{out[kept].last} + 1 >= out[i].first) {
            out[kept].last = std::max(out[kept].last, out[i].last);
        } else {
            out[++kept] = out[i];
        }
    }
    if (!out.empty()) out.resize(kept + 1);
    return out;
}

bool SequenceSet::has_star() const {
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [](const Range& r) { return r.first == kStar || r.last == kStar; });
}

std::uint32_t SequenceSet::largest_written() const {
    std::uint32_t largest = 0;
    for (const Range& range : ranges_) largest = std::max({largest, range.first, range.last});
    return largest;
}

bool contains(const std::vector<Range>& sorted, std::uint32_t number) {
    const auto after =
        std::upper_bound(sorted.begin(), sorted.end(), number,
                         [](std::uint32_t n, const Range& range) { return n < range.first; });
    return after != sorted.begin() && number <= std::prev(after)->last;
}

std::string format_set(const std::vector<std::uint32_t>& numbers) {
    return format_set(to_ranges(numbers));
}

std::vector<Range> to_ranges(const std::vector<std::uint32_t>& numbers) {
    std::vector<Range> out;
    for (const std::uint32_t number : numbers) {
        if (!out.empty() && out.back().last + 1 == number)
            out.back().last = number;
        else
            out.push_back({number, number});
    }
    return out;
}

std::string format_set(const std::vector<Range>& ranges) {
    std::string out;
    for (const Range& range : ranges) {
        if (!out.empty()) out += ',';
        out += std::to_string(range.first);
        if (range.last != range.first) out += ':' + std::to_string(range.last);
    }
    return out;
}

}  // namespace postern::imap
