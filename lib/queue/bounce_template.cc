// Templates of notifications: see bounce_template.h. The built-in texts are our own words, but for
// lines that programs that read bounces look for.
#include "lib/queue/bounce_template.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/strings.h"

namespace postern::queue {
namespace {

constexpr std::string_view kFailure =
    "This is the mail system at host $myhostname.\n"
    "\n"
    "I'm sorry to have to inform you that your message could not\n"
    "be delivered to one or more recipients. It's attached below.\n"
    "\n"
    "For further assistance, please send mail to postmaster.\n"
    "\n"
    "If you do so, please include this problem report. You can\n"
    "delete your own text from the attached returned message.\n"
    "\n"
    "                   The mail system\n";

constexpr std::string_view kDelay =
    "This is the mail system at host $myhostname.\n"
    "\n"
    "####################################################################\n"
    "# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n"
    "####################################################################\n"
    "\n"
    "Your message could not be delivered for more than $delay_warning_time_hours hour(s).\n"
    "It will be retried until it is $maximal_queue_lifetime_days day(s) old.\n"
    "\n"
    "                   The mail system\n";

constexpr std::string_view kSuccess =
    "This is the mail system at host $myhostname.\n"
    "\n"
    "Your message has reached the destination(s) listed below. A mailbox\n"
    "reports no further; for the others you may still hear of errors from\n"
    "the systems that took the message on.\n"
    "\n"
    "                   The mail system\n";

constexpr std::string_view kVerify =
    "This is the mail system at host $myhostname.\n"
    "\n"
    "Below is what became of your message, or would become of it,\n"
    "recipient by recipient.\n"
    "\n"
    "                   The mail system\n";

constexpr std::size_t kMaxHeaderValue = 500;

// One line after the other, counted.
class Lines {
  public:
    explicit Lines(std::string_view text) : rest_(text) {}
    std::optional<std::string_view> next() {
        if (rest_.empty()) return std::nullopt;
        const auto end = rest_.find('\n');
        std::string_view line = rest_.substr(0, end);
        rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
        ++number_;
        if (line.ends_with('\r')) line.remove_suffix(1);
        return line;
    }
    Error wrong(std::string_view what) const {
        return {Errc::invalid, cat({"line ", std::to_string(number_), ": ", what})};
    }

  private:
    std::string_view rest_;
    int number_ = 0;
};

// "name = <<WORD"
std::optional<std::pair<std::string_view, std::string_view>> opening(std::string_view line) {
    const auto parts = split_once(line, '=');
    if (!parts) return std::nullopt;
    std::string_view word = trim(parts->second);
    if (!word.starts_with("<<")) return std::nullopt;
    word = trim(word.substr(2));
    if (word.empty() || word.find_first_of(" \t") != word.npos) return std::nullopt;
    return std::pair{trim(parts->first), word};
}

Result<void> take_header(const Lines& lines, std::string_view line, BounceTemplate& to) {
    const auto parts = split_once(line, ':');
    if (!parts) return lines.wrong("\"Name: value\" or an empty line expected");
    const std::string_view value = trim(parts->second);
    const bool plain = std::all_of(value.begin(), value.end(),
                                   [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
    if (value.empty() || value.size() > kMaxHeaderValue || !plain)
        return lines.wrong("a header needs a value of printable ASCII characters");
    const std::pair<std::string_view, std::string*> known[] = {
        {"Charset", &to.charset},
        {"From", &to.from},
        {"Subject", &to.subject},
        {"Postmaster-Subject", &to.postmaster_subject}};
    for (const auto& [name, member] : known) {
        if (!iequals(trim(parts->first), name)) continue;
        *member = value;
        return {};
    }
    return lines.wrong(cat({"unknown template header \"", printable(parts->first, 50), "\""}));
}

// What stands between the opening line and its end word.
Result<void> take_template(Lines& lines, std::string_view end, BounceTemplate& to) {
    bool in_header = true;
    std::string body;
    for (;;) {
        const auto line = lines.next();
        if (!line) return lines.wrong(cat({"\"", printable(end, 50), "\" is missing"}));
        if (*line == end) break;
        if (!in_header) {
            body.append(*line).append("\n");
        } else if (trim(*line).empty()) {
            in_header = false;
        } else {
            TRY(take_header(lines, *line, to));
        }
    }
    if (body.empty()) return lines.wrong("template without a text");
    const bool ascii = std::all_of(body.begin(), body.end(), [](char c) { return c > 0; });
    if (!ascii && iequals(to.charset, "us-ascii"))
        return lines.wrong("8-bit characters in a text whose Charset is us-ascii");
    to.body = std::move(body);
    return {};
}

// "$name", "${name}" or "$(name)" at the front of text: the name and how long all of it is.
std::optional<std::pair<std::string_view, std::size_t>> leading_name(std::string_view text) {
    if (text.size() < 2) return std::nullopt;
    const char close = text[1] == '{' ? '}' : text[1] == '(' ? ')' : '\0';
    const std::size_t begin = close == '\0' ? 1 : 2;
    std::size_t end = begin;
    while (end < text.size() && (is_alnum(text[end]) || text[end] == '_')) ++end;
    if (end == begin) return std::nullopt;
    if (close == '\0') return std::pair{text.substr(begin, end - begin), end};
    if (end == text.size() || text[end] != close) return std::nullopt;
    return std::pair{text.substr(begin, end - begin), end + 1};
}

constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits{
    {{"_seconds", 1}, {"_minutes", 60}, {"_hours", 3600}, {"_days", 86400}, {"_weeks", 604800}}};

std::optional<std::string> in_units(std::string_view name, std::string_view base, Micros time) {
    if (!name.starts_with(base)) return std::nullopt;
    const auto seconds = std::chrono::duration_cast<Seconds>(time).count();
    for (const auto& [suffix, unit] : kUnits) {
        if (name.substr(base.size()) == suffix) return std::to_string(seconds / unit);
    }
    return std::nullopt;
}

}  // namespace

BounceTemplates BounceTemplates::built_in() {
    BounceTemplates all;
    all.failure.subject = "Undelivered Mail Returned to Sender";
    all.failure.postmaster_subject = "Postmaster Copy: Undelivered Mail";
    all.failure.body = kFailure;
    all.delay.subject = "Delayed Mail (still being retried)";
    all.delay.postmaster_subject = "Postmaster Warning: Delayed Mail";
    all.delay.body = kDelay;
    all.success.subject = "Successful Mail Delivery Report";
    all.success.body = kSuccess;
    all.verify.subject = "Mail Delivery Status Report";
    all.verify.body = kVerify;
    return all;
}

std::string BounceTemplates::text() const {
    const std::pair<std::string_view, const BounceTemplate*> all[] = {
        {"failure", &failure}, {"delay", &delay}, {"success", &success}, {"verify", &verify}};
    std::string out;
    for (const auto& [name, one] : all) {
        if (!out.empty()) out += "\n";
        out += cat({name, "_template = <<EOF\nCharset: ", one->charset, "\nFrom: ", one->from,
                    "\nSubject: ", one->subject, "\n"});
        if (!one->postmaster_subject.empty())
            out += cat({"Postmaster-Subject: ", one->postmaster_subject, "\n"});
        out += cat({"\n", one->body, "EOF\n"});
    }
    return out;
}

Result<BounceTemplates> BounceTemplates::parse(std::string_view text) {
    BounceTemplates all = built_in();
    const std::pair<std::string_view, BounceTemplate*> known[] = {
        {"failure_template", &all.failure},
        {"delay_template", &all.delay},
        {"success_template", &all.success},
        {"verify_template", &all.verify}};
    Lines lines(text);
    while (const auto line = lines.next()) {
        if (trim(*line).empty() || line->starts_with('#')) continue;
        const auto open = opening(*line);
        if (!open) return lines.wrong("\"name_template = <<EOF\" expected");
        const auto* const entry =
            std::find_if(std::begin(known), std::end(known),
                         [&](const auto& one) { return one.first == open->first; });
        if (entry == std::end(known))
            return lines.wrong(cat({"unknown template \"", printable(open->first, 50), "\""}));
        TRY(take_template(lines, open->second, *entry->second));
    }
    return all;
}

std::string insert_times(std::string_view body, Micros delay_warning_time,
                         Micros maximal_queue_lifetime) {
    std::string out;
    for (std::size_t at = 0; at < body.size();) {
        const auto dollar = body.find('$', at);
        out += body.substr(at, dollar - at);
        if (dollar == body.npos) break;
        if (body.substr(dollar).starts_with("$$")) {
            out += "$$";
            at = dollar + 2;
            continue;
        }
        const auto name = leading_name(body.substr(dollar));
        std::optional<std::string> value;
        if (name) {
            value = in_units(name->first, "delay_warning_time", delay_warning_time);
            if (!value)
                value = in_units(name->first, "maximal_queue_lifetime", maximal_queue_lifetime);
        }
        out += value ? *value : std::string("$");
        at = dollar + (value ? name->second : 1);
    }
    return out;
}

}  // namespace postern::queue
