#include "postscreen/dns_lists.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::postscreen {
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
    auto filter = config::AnswerFilter::parse(rest.substr(equals + 1));
    if (!filter) return bad(filter.error().what);
    list.filter_ = std::move(*filter);
    return list;
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
