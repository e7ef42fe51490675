// Delivery status notifications: see dsn.h. The wording of the first part is for people; its first
// and last lines and the structure are what programs that read bounces look for.
#include "bounce/dsn.h"

#include <ctime>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/mail/xtext.h"

namespace postern::bounce {
namespace {

using Kind = Dsn::Kind;

constexpr std::string_view kLine = "\r\n";

std::string_view subject(const Dsn& dsn) {
    const bool own = dsn.to_postmaster && !dsn.text.postmaster_subject.empty();
    return own ? dsn.text.postmaster_subject : dsn.text.subject;
}

bool is_us_ascii(const Dsn& dsn) { return iequals(dsn.text.charset, "us-ascii"); }

// Whether the part for people says something that is not ASCII.
bool speaks_utf8(const Dsn& dsn) {
    return std::any_of(dsn.recipients.begin(), dsn.recipients.end(), [](const auto& record) {
        return !is_ascii(record.address) || !is_ascii(record.original) || !is_ascii(record.text);
    });
}

// An address without a domain gets ours: "MAILER-DAEMON (Mail Delivery System)".
std::string author(const Dsn& dsn) {
    const std::string& from = dsn.text.from;
    const auto end = std::min(from.find_first_of(" (<"), from.size());
    if (from.find('@') != from.npos || end == 0) return from;
    return cat({from.substr(0, end), "@", dsn.from_domain, from.substr(end)});
}

std::string boundary(const Dsn& dsn) {
    auto seconds = std::chrono::duration_cast<Seconds>(dsn.now.time_since_epoch()).count();
    return cat({dsn.queue_id, ".", std::to_string(seconds), "/", dsn.myhostname});
}

void add_line(std::string& out, std::initializer_list<std::string_view> parts) {
    for (std::string_view part : parts) out += part;
    out += kLine;
}

// RFC 3464 2: the report is a multipart/report (RFC 3462) with three parts.
void add_header(std::string& out, const Dsn& dsn) {
    add_line(out, {"Date: ", mail_date(dsn.now)});
    add_line(out, {"From: ", author(dsn)});
    add_line(out, {"Subject: ", subject(dsn)});
    add_line(out, {"To: ", dsn.to});
    out += dsn.thread_fields;
    add_line(out, {"Auto-Submitted: auto-replied"});  // RFC 3834 5
    add_line(out, {"MIME-Version: 1.0"});
    add_line(out, {"Content-Type: multipart/report; report-type=",
                   dsn.utf8 ? "global-delivery-status;" : "delivery-status;"});
    add_line(out, {"\tboundary=\"", boundary(dsn), "\""});
    if (dsn.eight_bit || is_8bit(dsn)) add_line(out, {"Content-Transfer-Encoding: 8bit"});
    add_line(out, {""});
    add_line(out, {"This is a MIME-encapsulated message."});
    add_line(out, {""});
}

void add_recipient_text(std::string& out, const queue::BounceRecord& record) {
    std::string line = cat({"<", printable(record.address), ">"});
    if (!record.original.empty() && !iequals(record.original, record.address)) {
        line += cat({" (expanded from <", printable(record.original), ">)"});
    }
    out += wrap_text(cat({line, ": ", record.text}));
    out += kLine;
}

void add_notification(std::string& out, const Dsn& dsn) {
    const bool utf8 = (dsn.utf8 || speaks_utf8(dsn)) && is_us_ascii(dsn);
    add_line(out, {"--", boundary(dsn)});
    add_line(out, {"Content-Description: Notification"});
    add_line(out, {"Content-Type: text/plain; charset=", utf8 ? "utf-8" : dsn.text.charset});
    if (is_8bit(dsn)) add_line(out, {"Content-Transfer-Encoding: 8bit"});
    add_line(out, {""});
    std::string_view body = dsn.text.body;
    if (body.ends_with('\n')) body.remove_suffix(1);
    for (const std::string_view line : split(body, '\n')) add_line(out, {line});
    add_line(out, {""});
    for (const queue::BounceRecord& record : dsn.recipients) add_recipient_text(out, record);
}

std::string_view default_action(Kind kind) {
    if (kind == Kind::delay) return "delayed";
    return kind == Kind::failure ? "failed" : "delivered";
}

// RFC 6533 3: the type of an address in UTF-8; as it is where the report may be UTF-8, and
// otherwise with its characters spelt out.
std::string typed(const Dsn& dsn, std::string_view space, std::string_view address) {
    if (is_ascii(address)) return cat({"rfc822;", space, address});
    if (!is_utf8(address))
        return cat({"rfc822;", space, printable(address, queue::kMaxBounceValue, false)});
    return cat(
        {"utf-8;", space, dsn.utf8 ? std::string(address) : mail::utf8_xtext_encode(address)});
}

std::string original_recipient(const Dsn& dsn, const queue::BounceRecord& record) {
    if (record.orcpt.empty())
        return record.original.empty() ? std::string() : typed(dsn, "", record.original);
    const auto orcpt = mail::parse_orcpt(record.orcpt);
    if (!orcpt) return printable(record.orcpt, queue::kMaxBounceValue, dsn.utf8);
    if (!is_ascii(orcpt->address)) return typed(dsn, "", orcpt->address);
    return cat({orcpt->type, ";", orcpt->address});  // RFC 3461 6.3
}

// RFC 3464 1: message/delivery-status is ASCII.
std::string status_text(const Dsn& dsn, std::string_view text) {
    return printable(text, queue::kMaxBounceValue, dsn.utf8);
}

// RFC 3464 2.3: the fields of one recipient.
void add_recipient_status(std::string& out, const Dsn& dsn, const queue::BounceRecord& record) {
    add_line(out, {""});
    add_line(out, {"Final-Recipient: ", typed(dsn, " ", record.address)});
    if (std::string original = original_recipient(dsn, record); !original.empty()) {
        add_line(out, {"Original-Recipient: ", original});
    }
    add_line(out, {"Action: ", record.action.empty() ? default_action(dsn.kind) : record.action});
    add_line(out, {"Status: ", record.status.empty() ? std::string_view("5.0.0") : record.status});
    if (!record.remote_mta.empty()) add_line(out, {"Remote-MTA: dns; ", record.remote_mta});
    bool smtp = iequals(record.diagnostic_type, "smtp");
    std::string_view words = record.diagnostic;
    if (words.empty()) words = smtp ? diagnostic_words(record.text) : std::string_view(record.text);
    if (!words.empty())
        out += wrap_text(
            cat({"Diagnostic-Code: ", smtp ? "smtp; " : "X-Postfix; ", status_text(dsn, words)}));
    if (dsn.kind == Kind::delay) add_line(out, {"Will-Retry-Until: ", mail_date(dsn.retry_until)});
}

// RFC 3464 2.2: the fields of the message, then each recipient's.
void add_status(std::string& out, const Dsn& dsn) {
    add_line(out, {"--", boundary(dsn)});
    add_line(out, {"Content-Description: Delivery report"});
    add_line(out,
             {"Content-Type: message/", dsn.utf8 ? "global-delivery-status" : "delivery-status"});
    if (dsn.utf8) add_line(out, {"Content-Transfer-Encoding: 8bit"});
    add_line(out, {""});
    add_line(out, {"Reporting-MTA: dns; ", dsn.myhostname});
    if (!dsn.envid.empty()) add_line(out, {"Original-Envelope-Id: ", dsn.envid});
    add_line(out, {"X-", dsn.mail_name, "-Queue-ID: ", dsn.queue_id});
    if (!dsn.sender.empty())
        add_line(out, {"X-", dsn.mail_name, "-Sender: ", typed(dsn, " ", dsn.sender)});
    add_line(out, {"Arrival-Date: ", mail_date(dsn.arrival)});
    for (const queue::BounceRecord& record : dsn.recipients) add_recipient_status(out, dsn, record);
    add_line(out, {""});
}

void add_returned_head(std::string& out, const Dsn& dsn) {
    add_line(out, {"--", boundary(dsn)});
    add_line(out, {"Content-Description: ",
                   dsn.kind == Kind::failure || dsn.kind == Kind::delay ? "Undelivered " : "",
                   dsn.headers_only ? "Message Headers" : "Message"});
    std::string_view whole = dsn.utf8 ? "message/global" : "message/rfc822";
    std::string_view headers = dsn.utf8 ? "message/global-headers" : "text/rfc822-headers";
    add_line(out, {"Content-Type: ", dsn.headers_only ? headers : whole});
    if (dsn.eight_bit || dsn.utf8) add_line(out, {"Content-Transfer-Encoding: 8bit"});
    add_line(out, {""});
}

}  // namespace

bool is_8bit(const Dsn& dsn) { return dsn.utf8 || speaks_utf8(dsn) || !is_us_ascii(dsn); }

DsnText make_dsn(const Dsn& original) {
    Dsn dsn = original;
    for (queue::BounceRecord& record : dsn.recipients) {  // what is declared UTF-8 must be
        record.text = printable(record.text, queue::kMaxBounceValue);
        record.diagnostic = printable(record.diagnostic, queue::kMaxBounceValue);
    }
    DsnText text;
    add_header(text.before, dsn);
    add_notification(text.before, dsn);
    add_status(text.before, dsn);
    add_returned_head(text.before, dsn);
    text.after = cat({"\r\n--", boundary(dsn), "--\r\n"});
    return text;
}

std::string wrap_text(std::string_view text) {
    constexpr std::size_t kWidth = 76;
    std::string out;
    std::size_t column = 0;
    for (std::string_view word : split_words(text, " \t\r\n")) {
        if (column > 0 && column + 1 + word.size() > kWidth) {
            out += "\r\n   ";
            column = 3;
        }
        if (column > 0) {
            out += ' ';
            ++column;
        }
        out += word;
        column += word.size();
    }
    return out += kLine;
}

std::string_view diagnostic_words(std::string_view text) {
    constexpr std::string_view kSaid = " said: ";
    auto said = text.find(kSaid);
    if (said == std::string_view::npos) return text;
    text.remove_prefix(said + kSaid.size());
    auto reply = text.rfind(" (in reply to ");
    return reply == std::string_view::npos ? text : text.substr(0, reply);
}

std::string mail_date(WallTime time) {
    static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                      "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::time_t seconds = std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%s, %2d %s %d %02d:%02d:%02d +0000 (UTC)",
                  kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday,
                  kMonths.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_year + 1900,
                  parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text.data();
}

}  // namespace postern::bounce
