#include "lib/queue/delivery_log.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::queue {
namespace {

WallTime or_else(WallTime time, WallTime fallback) { return time == WallTime{} ? fallback : time; }

std::string stages(const DeliveryTimes& given) {
    DeliveryTimes t = given;
    t.active = or_else(t.active, t.arrival);
    t.started = or_else(t.started, t.active);
    t.connected = or_else(t.connected, t.started);
    t.finished = or_else(t.finished, t.connected);
    return cat({"delay=", format_delay(t.finished - t.arrival),
                ", delays=", format_delay(t.active - t.arrival), "/",
                format_delay(t.started - t.active), "/", format_delay(t.connected - t.started), "/",
                format_delay(t.finished - t.connected)});
}

}  // namespace

std::string_view status_word(Verdict::Kind kind) {
    switch (kind) {
        case Verdict::Kind::accept: return "sent";
        case Verdict::Kind::defer: return "deferred";
        case Verdict::Kind::reject: return "bounced";
    }
    return "deferred";
}

std::string format_delay(Micros delay) {
    const std::int64_t micros = std::max<std::int64_t>(delay.count(), 0);
    // From ten seconds on whole seconds, from one second on tenths, below hundredths: two digits
    // each.
    const std::int64_t unit = micros >= 9'950'000 ? 1'000'000
                              : micros >= 995'000 ? 100'000
                                                  : 10'000;
    const std::int64_t hundredths = (micros + unit / 2) / unit * (unit / 10'000);
    std::string out = std::to_string(hundredths / 100);
    const std::int64_t fraction = hundredths % 100;
    if (fraction == 0) return out;
    out += '.';
    out += static_cast<char>('0' + fraction / 10);
    if (fraction % 10 != 0) out += static_cast<char>('0' + fraction % 10);
    return out;
}

std::string_view status_word(Verdict::Kind kind, bool probe) {
    if (!probe) return status_word(kind);
    return kind == Verdict::Kind::accept ? "deliverable" : "undeliverable";
}

std::string delivery_line(const DeliveryLine& line) {
    std::string out = cat({"to=<", line.to, ">, "});
    if (!line.original.empty() && !iequals(line.original, line.to))
        out += cat({"orig_to=<", line.original, ">, "});
    out += cat({"relay=", line.relay, ", ", stages(line.times), ", dsn=", line.dsn,
                ", status=", line.status, " (", line.text, ")"});
    return out;
}

}  // namespace postern::queue
