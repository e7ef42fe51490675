#include "postscreen/dns_lists.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::postscreen {
namespace {

std::optional<int> octet(std::string_view text) {
    const auto number = parse_number<int>(text);
    if (!number || *number < 0 || *number > 255) return std::nullopt;
    return number;
}

// "127.0.0.[2;4..8]" at the dots that are not within brackets.
std::vector<std::string_view> split_filter(std::string_view text) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    bool inside = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '[') inside = true;
        if (text[i] == ']') inside = false;
        if (text[i] != '.' || inside) continue;
        parts.push_back(text.substr(begin, i - begin));
        begin = i + 1;
    }
    parts.push_back(text.substr(begin));
    return parts;
}

}  // namespace

Result<DnsList> DnsList::parse(std::string_view text) {
    const auto bad = [&](std::string_view what) {
        return Error{Errc::invalid, cat({"bad list \"", text, "\": ", what})};
    };
    DnsList list;
    std::string_view rest = text;
    if (const auto star = rest.rfind('*'); star != std::string_view::npos) {
        const auto weight = parse_number<int>(rest.substr(star + 1));
        if (!weight || *weight < -1000 || *weight > 1000)
            return bad("the weight after * is no number");
        list.weight_ = *weight;
        rest = rest.substr(0, star);
    }
    const auto equals = rest.find('=');
    list.domain_ = rest.substr(0, equals);
    if (list.domain_.empty()) return bad("no domain");
    if (equals == std::string_view::npos) return list;
    const auto parts = split_filter(rest.substr(equals + 1));
    if (parts.size() != 4) return bad("expected a filter of four numbers, like 127.0.0.[2;4..8]");
    for (std::string_view part : parts) {
        if (part.starts_with('[') && part.ends_with(']')) part = part.substr(1, part.size() - 2);
        auto& ranges = list.filter_.emplace_back();
        for (const auto word : split(part, ';')) {
            const auto dots = word.find("..");
            const auto low = octet(word.substr(0, dots));
            const auto high = dots == std::string_view::npos ? low : octet(word.substr(dots + 2));
            if (!low || !high || *low > *high) return bad("not a number from 0 to 255, or a range");
            ranges.push_back({*low, *high});
        }
    }
    return list;
}

bool DnsList::counts(std::string_view address) const {
    if (filter_.empty()) return true;
    const auto parts = split(address, '.');
    if (parts.size() != filter_.size()) return false;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto number = octet(parts[i]);
        const auto holds = [&](const Range& r) { return *number >= r.low && *number <= r.high; };
        if (!number || std::none_of(filter_[i].begin(), filter_[i].end(), holds)) return false;
    }
    return true;
}

std::vector<std::string> ListScore::domains() const {
    std::vector<std::string> out;
    for (const auto& list : lists_)
        if (std::find(out.begin(), out.end(), list.domain()) == out.end())
            out.push_back(list.domain());
    return out;
}

void ListScore::add(std::string_view domain, const std::vector<std::string>& addresses,
                    Seconds lifetime) {
    if (lifetime_ < Seconds{0} || lifetime < lifetime_) lifetime_ = lifetime;
    for (const auto& list : lists_) {
        const bool counts =
            list.domain() == domain && std::any_of(addresses.begin(), addresses.end(),
                                                   [&](const auto& a) { return list.counts(a); });
        if (!counts) continue;
        rank_ += list.weight();
        if (list.weight() <= heaviest_) continue;
        heaviest_ = list.weight();
        reason_ = domain;
    }
}

}  // namespace postern::postscreen
