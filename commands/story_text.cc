#include "commands/story_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "lib/base/date_time.h"
#include "lib/base/strings.h"

#include "commands/queue_listing.h"

namespace postern::commands {
namespace {

std::string millis_of(WallTime time) {
    const auto micros = time.time_since_epoch().count() % 1'000'000;
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), ".%03d", static_cast<int>(micros / 1000));
    return text.data();
}

std::string duration_text(Micros span) {
    const auto seconds = std::chrono::duration_cast<Seconds>(span).count();
    if (seconds < 120) return cat({std::to_string(seconds), " s"});
    if (seconds < 7200) return cat({std::to_string(seconds / 60), " min"});
    return cat({std::to_string(seconds / 3600), " h"});
}

// "1.2", "0.1/0.2/0/0.9" -> "took 1.2 s (0.1 before the queue, ...)"
std::string took(const DeliveryFacts& facts) {
    const auto parts = split(facts.delays, '/');
    if (facts.delay.empty()) return {};
    std::string text = cat({facts.delay, " s since it came"});
    constexpr std::string_view kStages[] = {"coming in", "in the queue", "connecting",
                                            "transmitting"};
    if (parts.size() != 4) return text;
    text += ": ";
    for (std::size_t i = 0; i < parts.size(); ++i)
        text += cat({i == 0 ? "" : ", ", parts[i], " s ", kStages[i]});
    return text;
}

std::string delivery_words(const DeliveryFacts& facts) {
    const bool local = facts.relay == "local" || facts.relay == "virtual" || facts.relay == "none";
    const bool none = facts.relay.empty() || facts.relay == "none";
    std::string text = cat({"<", facts.to, ">"});
    if (!facts.original.empty()) text += cat({" (for <", facts.original, ">)"});
    if (facts.status == "sent") {
        text += local ? ": delivered" : cat({": given to ", facts.relay});
    } else if (facts.status == "deferred") {
        text += ": not now";
    } else if (facts.status == "bounced") {
        text += ": failed for good";
    } else {
        text += cat({": ", facts.status});
    }
    if (facts.status != "sent" && !none && !local) text += cat({" at ", facts.relay});
    return cat({text, facts.dsn.empty() ? "" : ", ", facts.dsn, ": ", facts.text});
}

bool is_queue_id_story(const Event& event) { return event.record.id != "NOQUEUE"; }

std::string json_field(std::string_view name, std::string_view value) {
    return value.empty() ? std::string() : cat({",", json_string(name), ":", json_string(value)});
}

}  // namespace

std::string StoryWriter::moment(WallTime time) const {
    const std::string day = format_local_time(time, "%Y-%m-%d");
    const bool today = day == format_local_time(now_, "%Y-%m-%d");
    return format_local_time(time, today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S");
}

std::string StoryWriter::words_of(const Event& event) const {
    const std::string& text = event.record.text;
    const auto behind = [&](std::size_t skip) { return text.substr(std::min(skip, text.size())); };
    switch (event.what) {
        case Happening::received: {
            const auto protocol = event.record.field("protocol");
            return cat({"comes from ", behind(7), protocol.empty() ? "" : " by ", protocol});
        }
        case Happening::submitted: return cat({"submitted on this host, ", text});
        case Happening::identified: return cat({"its ", text});
        case Happening::queued: return cat({"in the queue, its turn comes: ", text});
        case Happening::delivered:
        case Happening::deferred:
        case Happening::bounced: return delivery_words(*event.delivery);
        case Happening::refused:
            return cat({text.starts_with("reject: ") ? "refused: " : "not taken now: ",
                        behind(text.find(": ") + 2)});
        case Happening::rests:
            if (!event.until) return cat({text, ", until it is released"});
            return cat({text, " until ", moment(*event.until)});
        case Happening::removed: return "done: nobody is left, removed from the queue";
        case Happening::expanded:
        case Happening::notified:
        case Happening::other: break;
    }
    return cat({event.record.level == 2  ? "warning: "
                : event.record.level > 2 ? "error: "
                                         : "",
                text});
}

std::string StoryWriter::rule_of(const Event& event) {
    const log::Record& record = event.record;
    std::string rule = event.rule.empty()
                           ? std::string()
                           : places_.describe(event.rule, record.field("service"), record.time);
    if (event.what != Happening::expanded) return rule;
    // The address in the first angle brackets is the key that was looked up, whole or its local
    // part.
    const auto open = record.text.find('<'), close = record.text.find('>');
    if (open == std::string::npos || close == std::string::npos || close < open) return rule;
    const std::string address = record.text.substr(open + 1, close - open - 1);
    const auto at = address.rfind('@');
    const std::string local = address.substr(0, at);
    const std::string domain = at == std::string::npos ? std::string() : address.substr(at);
    const bool alias = event.rule == "alias_maps";
    if (!alias && !event.rule.empty()) return rule;
    for (const std::string_view maps :
         alias ? std::vector<std::string_view>{"alias_maps"}
               : std::vector<std::string_view>{"recipient_canonical_maps", "canonical_maps",
                                               "virtual_alias_maps"}) {
        const std::string line = places_.line_of_key(maps, {address, local, domain}, record.time);
        if (line.empty()) continue;
        return cat({rule.empty() ? places_.describe(maps, {}, record.time) : rule, ", ", line});
    }
    return rule;
}

std::string StoryWriter::line(const Event& event, std::optional<WallTime> begin, bool with_id) {
    const log::Record& record = event.record;
    std::string elapsed;
    if (begin) {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%+9.3f",
                      static_cast<double>((record.time - *begin).count()) / 1e6);
        elapsed = text.data();
    }
    std::string program(program_of(record));
    program.resize(std::max<std::size_t>(program.size(), 8), ' ');
    const std::string indent(12 + elapsed.size() + 2 + program.size() + 2, ' ');
    std::string out = cat({format_local_time(record.time, "%H:%M:%S"), millis_of(record.time),
                           elapsed, "  ", program, "  ", with_id ? record.id : "",
                           with_id ? ": " : "", printable(words_of(event), 4000), "\n"});
    if (const std::string rule = rule_of(event); !rule.empty())
        out += cat({indent, "rule: ", printable(rule, 2000), "\n"});
    if (event.delivery) {
        if (const std::string time = took(*event.delivery); !time.empty())
            out += cat({indent, time, "\n"});
    }
    return out;
}

std::string StoryWriter::outlook(const std::string& id, const StoryView& story) const {
    const auto at = story.now.find(id);
    const std::string queue = at == story.now.end() ? std::string() : at->second.queue;
    if (queue == "hold") return "held; goes on after \"postsuper -H\"";
    if (queue == "deferred") {
        const auto& next = at->second.next;
        if (!next) return "deferred";
        if (*next <= now_) return "deferred; the next attempt is due";
        return cat({"deferred until ", moment(*next), " (in ", duration_text(*next - now_), ")"});
    }
    if (!queue.empty())
        return cat({"in the ", queue, " queue: delivery is under way or its turn comes"});
    for (auto event = story.events.rbegin(); event != story.events.rend(); ++event) {
        if (event->record.id != id) continue;
        if (event->what == Happening::removed) return "not in the queue any more: all is done";
        if (event->what == Happening::refused) return "was never taken";
    }
    return "not in the queue any more";
}

std::string StoryWriter::in_words(const StoryView& story) {
    if (story.events.empty()) return {};
    std::vector<std::string> ids;
    for (const Event& event : story.events) {
        const bool message = is_queue_id_story(event) && story.now.contains(event.record.id);
        if (message && std::find(ids.begin(), ids.end(), event.record.id) == ids.end())
            ids.push_back(event.record.id);
    }
    const WallTime begin = story.events.front().record.time;
    std::string out = cat({ids.empty() ? "Session " : "Message ", story.name, ", ",
                           format_local_time(begin, "%Y-%m-%d %H:%M:%S")});
    if (ids.size() > 1) out += cat({", and ", std::to_string(ids.size() - 1), " that it became"});
    out += "\n";
    for (const Event& event : story.events) out += line(event, begin, ids.size() > 1);
    for (const std::string& id : ids)
        out += cat({"now: ", ids.size() > 1 ? id : "", ids.size() > 1 ? ": " : "",
                    outlook(id, story), "\n"});
    return out;
}

std::string StoryWriter::json_line(const Event& event, const std::string& story) {
    const log::Record& record = event.record;
    std::string out =
        cat({"{\"time_us\":", std::to_string(record.time.time_since_epoch().count()),
             json_field("story", story), json_field("id", record.id),
             json_field("program", program_of(record)), ",\"pid\":", std::to_string(record.pid),
             json_field("event", name_of(event.what)), json_field("text", record.text)});
    if (event.delivery) {
        const DeliveryFacts& d = *event.delivery;
        out += cat({json_field("to", d.to), json_field("orig_to", d.original),
                    json_field("relay", d.relay), json_field("delay", d.delay),
                    json_field("delays", d.delays), json_field("dsn", d.dsn),
                    json_field("status", d.status), json_field("response", d.text)});
    }
    out += json_field("became", event.child);
    for (const auto& [key, value] : record.fields) {
        if (key != "rule" && key != "until") out += json_field(key, value);
    }
    out += json_field("rule", rule_of(event));
    if (event.until)
        out += cat({",\"until_us\":", std::to_string(event.until->time_since_epoch().count())});
    return out + "}\n";
}

std::string StoryWriter::as_json(const StoryView& story) {
    std::string out;
    for (const Event& event : story.events) out += json_line(event, story.name);
    for (const auto& [id, where] : story.now) {
        out += cat({"{\"event\":\"now\"", json_field("story", story.name), json_field("id", id),
                    json_field("queue", where.queue), json_field("text", outlook(id, story))});
        if (where.next)
            out += cat({",\"until_us\":", std::to_string(where.next->time_since_epoch().count())});
        out += "}\n";
    }
    return out;
}

}  // namespace postern::commands
