#include "lib/config/dns_list.h"

#include <algorithm>
#include <optional>

#include "lib/base/strings.h"

namespace postern::config {
namespace {

std::optional<unsigned> octet_of(std::string_view text) {
    const auto number = parse_number<unsigned>(text);
    return number && *number <= 255 ? number : std::nullopt;
}

// "127.0.0.[2;4..8]" at the dots that are not within brackets.
std::vector<std::string_view> split_octets(std::string_view text) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    bool inside = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '[' || text[i] == ']') inside = text[i] == '[';
        if (text[i] != '.' || inside) continue;
        parts.push_back(text.substr(begin, i - begin));
        begin = i + 1;
    }
    parts.push_back(text.substr(begin));
    return parts;
}

}  // namespace

Result<AnswerFilter> AnswerFilter::parse(std::string_view text) {
    AnswerFilter filter;
    const auto parts = split_octets(text);
    if (parts.size() != 4)
        return Error{Errc::invalid, "expected a filter of four numbers, like 127.0.0.[2;4..8]"};
    for (std::string_view part : parts) {
        if (part.starts_with('[') && part.ends_with(']')) part = part.substr(1, part.size() - 2);
        auto& ranges = filter.octets_.emplace_back();
        for (const auto word : split(part, ';')) {
            const auto dots = word.find("..");
            const auto low = octet_of(word.substr(0, dots));
            const auto high = dots == word.npos ? low : octet_of(word.substr(dots + 2));
            if (!low || !high || *low > *high)
                return Error{Errc::invalid, "not a number from 0 to 255, or a range"};
            ranges.push_back({*low, *high});
        }
    }
    return filter;
}

bool AnswerFilter::counts(std::string_view address) const {
    if (octets_.empty()) return true;
    const auto parts = split(address, '.');
    if (parts.size() != octets_.size()) return false;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto number = octet_of(parts[i]);
        const auto holds = [&](const Range& r) { return *number >= r.low && *number <= r.high; };
        if (!number || std::none_of(octets_[i].begin(), octets_[i].end(), holds)) return false;
    }
    return true;
}

Result<DnsListName> DnsListName::parse(std::string_view text) {
    DnsListName list;
    const auto equals = text.find('=');
    list.domain = text.substr(0, equals);
    if (list.domain.empty()) return Error{Errc::invalid, "no domain"};
    if (equals == text.npos) return list;
    TRY_ASSIGN(list.filter, AnswerFilter::parse(text.substr(equals + 1)));
    return list;
}

}  // namespace postern::config
