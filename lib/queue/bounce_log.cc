// Bounce logs: see bounce_log.h.
#include "lib/queue/bounce_log.h"

#include <array>
#include <utility>

#include "lib/base/strings.h"

namespace postern::queue {
namespace {

struct Field {
    std::string_view name;
    std::string BounceRecord::*member;
};

constexpr std::array<Field, 10> kFields{{
    {"recipient", &BounceRecord::address},
    {"original_recipient", &BounceRecord::original},
    {"dsn_orig_rcpt", &BounceRecord::orcpt},
    {"dsn_notify", &BounceRecord::notify},
    {"action", &BounceRecord::action},
    {"status", &BounceRecord::status},
    {"mta_name", &BounceRecord::remote_mta},
    {"diag_type", &BounceRecord::diagnostic_type},
    {"diag_text", &BounceRecord::diagnostic},
    {"reason", &BounceRecord::text},
}};

void set_field(BounceRecord& record, std::string_view line) {
    auto parts = split_once(line, '=');
    if (!parts) return;
    for (const Field& field : kFields) {
        if (field.name == parts->first)
            record.*field.member = printable(parts->second, kMaxBounceValue);
    }
}

}  // namespace

std::string format_bounce_record(const BounceRecord& record) {
    std::string out;
    for (const Field& field : kFields) {
        const std::string& value = record.*field.member;
        if (value.empty()) continue;
        out.append(field.name).append("=").append(printable(value, kMaxBounceValue)).append("\n");
    }
    return out.append("\n");
}

std::vector<BounceRecord> parse_bounce_log(std::string_view log, std::size_t max_records) {
    std::vector<BounceRecord> records;
    BounceRecord current;
    while (records.size() < max_records) {
        auto end = log.find('\n');
        if (end == std::string_view::npos) break;
        std::string_view line = log.substr(0, end);
        log.remove_prefix(end + 1);
        if (!line.empty()) {
            set_field(current, line);
            continue;
        }
        if (!current.address.empty()) records.push_back(std::move(current));
        current = BounceRecord{};
    }
    return records;
}

}  // namespace postern::queue
