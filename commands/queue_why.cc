#include "commands/queue_why.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>
#include <vector>

#include "lib/base/strings.h"

namespace postern::commands {
namespace {

constexpr std::size_t kCauses = 5;  // told of one destination
constexpr std::size_t kMaxKept =
    1000;  // causes of one destination; others count as "other reasons"
constexpr std::size_t kMaxReason = 200;
constexpr std::string_view kOther = "other reasons";

std::string span_text(Micros span) {
    const auto seconds = std::chrono::duration_cast<Seconds>(span).count();
    if (seconds < 120) return cat({std::to_string(seconds), " s"});
    if (seconds < 7200) return cat({std::to_string(seconds / 60), " min"});
    return cat({std::to_string(seconds / 3600), " h"});
}

// Whether a word is an id or a long number, and says nothing to who reads a summary.
bool is_detail(std::string_view word) {
    const auto digits = std::count_if(word.begin(), word.end(), is_digit);
    const bool plain = std::all_of(word.begin(), word.end(), is_alnum);
    return plain && digits >= 2 && word.size() >= 6;
}

// Largest first, then by name.
template <typename Map>
std::vector<const typename Map::value_type*> by_count(const Map& map) {
    std::vector<const typename Map::value_type*> sorted;
    for (const auto& one : map) sorted.push_back(&one);
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
        return a->second.count > b->second.count;
    });
    return sorted;
}

std::string number_text(std::uint64_t number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%9llu", static_cast<unsigned long long>(number));
    return text.data();
}

}  // namespace

std::string without_details(std::string_view reason) {
    std::string out;
    for (std::size_t at = 0; at < reason.size();) {
        std::size_t end = at;
        while (end < reason.size() && is_alnum(reason[end])) ++end;
        const auto word = reason.substr(at, end - at);
        out += is_detail(word) ? "*" : word;
        if (end < reason.size()) out += reason[end];
        at = end + 1;
    }
    return printable(out, kMaxReason);
}

void QueueWhy::add(std::string_view domain, std::string_view queue, std::string_view reason,
                   std::optional<WallTime> next) {
    Destination& destination = destinations_[to_lower(domain)];
    ++destination.count;
    std::string name = cat({queue, queue == "deferred" ? ": " : "",
                            queue == "deferred" ? without_details(reason) : ""});
    if (destination.causes.size() >= kMaxKept && !destination.causes.contains(name)) name = kOther;
    Cause& cause = destination.causes[name];
    ++cause.count;
    if (next && (!cause.soonest || *next < *cause.soonest)) cause.soonest = next;
}

std::string QueueWhy::line(const std::string& name, const Cause& cause, WallTime now) const {
    std::string text = number_text(cause.count) + "  ";
    if (name == "hold") return text + "held: released by \"postsuper -H\"\n";
    if (name == "maildrop") return text + "submitted: pickup takes it\n";
    if (name == "active" || name == "incoming") {
        text += name == "active" ? "under way or waiting for a turn"
                                 : "not looked at yet: the active queue is full or it just came";
        if (name == "active") {
            text += cat({": at most ", limits_.concurrency, " at a time"});
            if (!limits_.rate_delay.empty() && limits_.rate_delay != "0s" &&
                limits_.rate_delay != "0")
                text += cat({", ", limits_.rate_delay, " between two"});
        }
        return text + "\n";
    }
    if (!name.starts_with("deferred: ")) return cat({text, name, "\n"});
    text += "backs off";
    if (cause.soonest)
        text += *cause.soonest <= now ? ", due now"
                                      : cat({", next in ", span_text(*cause.soonest - now)});
    const std::string reason = name.substr(10);
    return cat({text, ": ", reason.empty() ? "no reason recorded" : reason, "\n"});
}

std::string QueueWhy::text(WallTime now) const {
    std::string out;
    for (const auto* destination : by_count(destinations_)) {
        const auto& [domain, what] = *destination;
        out +=
            cat({domain.empty() ? "(no domain)" : printable(domain, 255), ": ",
                 std::to_string(what.count), what.count == 1 ? " recipient\n" : " recipients\n"});
        std::uint64_t rest = 0;
        std::size_t told = 0;
        for (const auto* cause : by_count(what.causes)) {
            if (++told > kCauses)
                rest += cause->second.count;
            else
                out += line(cause->first, cause->second, now);
        }
        if (rest > 0) out += cat({number_text(rest), "  ", kOther, "\n"});
    }
    return out.empty() ? "nothing waits\n" : out;
}

}  // namespace postern::commands
