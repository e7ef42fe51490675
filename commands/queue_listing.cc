// Queue listings: see queue_listing.h. Column widths are Postfix's for long queue ids.
#include "commands/queue_listing.h"

#include <array>
#include <chrono>
#include <cstdio>

#include "lib/base/date_time.h"
#include "lib/base/strings.h"

namespace postern::commands {
namespace {

constexpr std::size_t kIdWidth = 17;
constexpr std::size_t kReasonColumns = 76;
constexpr std::string_view kHeading =
    "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n";

std::string pad_left(std::string_view text, std::size_t width) {
    std::string out(text.size() < width ? width - text.size() : 0, ' ');
    return out.append(text);
}

std::string pad_right(std::string text, std::size_t width) {
    if (text.size() < width) text.resize(width, ' ');
    return text;
}

std::int64_t unix_seconds(WallTime time) {
    return std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
}

// The mark behind the id: being delivered, held, to be returned.
std::string_view status_mark(const ipc::QueueListEntry& entry) {
    if (entry.queue_name == "active") return "*";
    if (entry.queue_name == "hold") return "!";
    return entry.forced_expire ? "#" : "";
}

std::string sender_text(const ipc::QueueListEntry& entry) {
    return entry.sender.empty() ? "MAILER-DAEMON" : printable(entry.sender);
}

}  // namespace

std::string QueueListing::entry(const ipc::QueueListEntry& entry) {
    std::string text = form_ == Form::json ? json(entry) : traditional(entry);
    any_ = true;
    continued_ = entry.more;
    return text;
}

std::string QueueListing::traditional(const ipc::QueueListEntry& entry) {
    std::string out;
    if (!any_) out += kHeading;
    if (!continued_) {
        if (any_) out += '\n';
        out += pad_right(cat({entry.queue_id.str(), status_mark(entry)}), kIdWidth);
        out += ' ';
        out += pad_left(std::to_string(entry.size), 8);
        out += cat({" ", format_local_time(entry.arrival, "%a %b %e %H:%M:%S"), " ",
                    sender_text(entry), "\n"});
        last_reason_.clear();
    }
    for (const ipc::QueueListRecipient& recipient : entry.recipients) {
        if (!recipient.reason.empty() && recipient.reason != last_reason_) {
            std::string reason = printable(recipient.reason);
            out += pad_left(cat({"(", reason, ")"}), kReasonColumns + 2);
            out += '\n';
            last_reason_ = recipient.reason;
        }
        out.append(kIdWidth + 30, ' ').append(printable(recipient.address)).append("\n");
    }
    return out;
}

std::string QueueListing::json(const ipc::QueueListEntry& entry) {
    std::string out;
    if (!continued_) {
        out = cat({"{\"queue_name\": ", json_string(entry.queue_name),
                   ", \"queue_id\": ", json_string(entry.queue_id.str()),
                   ", \"arrival_time\": ", std::to_string(unix_seconds(entry.arrival)),
                   ", \"message_size\": ", std::to_string(entry.size),
                   ", \"forced_expire\": ", entry.forced_expire ? "true" : "false",
                   entry.priority == 0 ? "" : ", \"priority\": ",
                   entry.priority == 0 ? "" : std::to_string(entry.priority),
                   entry.release <= WallTime{} ? "" : ", \"release_time\": ",
                   entry.release <= WallTime{} ? "" : std::to_string(unix_seconds(entry.release)),
                   ", \"sender\": ", json_string(sender_text(entry)), ", \"recipients\": ["});
    }
    bool first = !continued_;
    for (const ipc::QueueListRecipient& recipient : entry.recipients) {
        out += cat({first ? "" : ", ", "{\"address\": ", json_string(recipient.address)});
        if (!recipient.reason.empty())
            out += cat({", \"delay_reason\": ", json_string(recipient.reason)});
        out += '}';
        first = false;
    }
    return entry.more ? out : out.append("]}\n");
}

std::string QueueListing::end(const ipc::QueueListEnd& totals) const {
    if (form_ == Form::json) return {};
    if (!any_) return "Mail queue is empty\n";
    return cat({"\n-- ", std::to_string(totals.bytes / 1024), " Kbytes in ",
                std::to_string(totals.count), totals.count == 1 ? " Request.\n" : " Requests.\n"});
}

std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (is_control(c)) {
            std::array<char, 8> escape{};
            std::snprintf(escape.data(), escape.size(), "\\u%04x",
                          static_cast<unsigned>(static_cast<unsigned char>(c)));
            out += escape.data();
        } else {
            out += c;
        }
    }
    return out += '"';
}

}  // namespace postern::commands
