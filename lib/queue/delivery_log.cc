#include "lib/queue/delivery_log.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/delay_digits.h"

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
    // As many digits after the point as it takes to have two that say something: none from ten
    // seconds on. What is rounded up to the next length has one less.
    const unsigned most = log::delay_digits();
    std::int64_t unit = 1'000'000;
    unsigned digits = 0;
    while (digits < most && (micros + unit / 20) / unit < 10) {
        unit /= 10;
        ++digits;
    }
    std::string out = std::to_string((micros + unit / 2) / unit);
    if (out.size() <= digits) out.insert(0, digits + 1 - out.size(), '0');
    if (digits == 0) return out;
    out.insert(out.size() - digits, ".");
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
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
