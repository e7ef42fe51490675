#include "cleanup/message_filter.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/mail/field_addresses.h"
#include "lib/mail/header.h"

#include "cleanup/header_addresses.h"

namespace postern::cleanup {
namespace {

constexpr std::string_view kBareLf = "Error: bare <LF> in message content";

}  // namespace

bool has_utf8_field(std::string_view message) {
    mail::HeaderCursor cursor(mail::split_message(message).header);
    bool first = true;
    while (const auto field = cursor.next()) {
        const bool own = std::exchange(first, false) && iequals(field->name, "received");
        if (!own && content::is_utf8_field(field->raw)) return true;
    }
    return false;
}

MessageFilter::MessageFilter(const Options& options, FilterTask task, content::Rules* rules)
    : options_(options),
      task_(std::move(task)),
      limits_(options.content),
      cleaner_(options.characters, task_.external),
      rules_(rules) {
    if (!task_.external || !limits_.mime_input) limits_.strict = {};
    if (task_.smtputf8) limits_.strict.headers = false;
    if (options.to_seven_bit) converter_.emplace(limits_);
}

// The first refusal stands; what was wrong with the message itself comes before what rules say.
void MessageFilter::take_refusal() {
    if (effects_.refusal && !refusal_) refusal_ = effects_.refusal;
}

void MessageFilter::refuse(std::string_view status, std::string_view text) {
    if (!refusal_) refusal_ = Verdict::reject(status, text);
}

void MessageFilter::feed(std::string_view bytes, std::string& out) {
    size_ += bytes.size();
    if (options_.message_size_limit != 0 && size_ > options_.message_size_limit)
        refuse("5.3.4", "Error: message file too big");
    if (refusal_) return;
    if (!started_) {
        out += task_.received;
        started_ = true;
    }
    take_clean(cleaner_.clean(bytes), out);
    if (!cleaner_.rejected() || refusal_) return;
    effects_.notes.push_back({cat({"reject: content ", printable(*cleaner_.rejected())}),
                              "5.7.1 disallowed character", "message_reject_characters"});
    refuse("5.7.1", "disallowed character");
}

void MessageFilter::take_clean(std::string_view bytes, std::string& out) {
    if (!converter_) return take(bytes, out);
    converted_.clear();
    converter_->feed(bytes, converted_);
    take(converted_, out);
}

void MessageFilter::take(std::string_view bytes, std::string& out) {
    if (in_header_)
        header_bytes(bytes, out);
    else
        body_bytes(bytes, out);
}

void MessageFilter::header_bytes(std::string_view bytes, std::string& out) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        const std::string_view part =
            bytes.substr(0, end == std::string_view::npos ? end : end + 1);
        bytes.remove_prefix(part.size());
        // A longer line than the limit keeps its beginning and its end, as a longer field does.
        if (partial_.size() + part.size() <= options_.content.header_size)
            partial_ += part;
        else if (end != std::string_view::npos)
            partial_ += "\r\n";
        if (end == std::string_view::npos) return;
        std::string line;
        line.swap(partial_);
        if (!line.ends_with("\r\n")) refuse("5.5.2", kBareLf);
        if (header_line(line, out)) continue;
        in_header_ = false;
        // A body without the empty line before it gets one; it is no line of the text.
        out += "\r\n";
        begin_body();
        if (line != "\r\n") body_bytes(line, out);
        body_bytes(bytes, out);
        return;
    }
}

bool MessageFilter::header_line(std::string_view line, std::string& out) {
    const bool continues = (line[0] == ' ' || line[0] == '\t') && !field_.empty();
    if (line[0] == '.') has_dot_lines_ = true;
    if (continues) {
        if (field_.size() + line.size() <= options_.content.header_size) field_ += line;
        return true;
    }
    end_field(out);
    if (content::field_name_size(line) > 0) {
        field_ = line;
        return true;
    }
    end_header(out);
    return false;
}

void MessageFilter::end_field(std::string& out) {
    if (field_.empty()) return;
    const std::size_t name_size = content::field_name_size(field_);
    const std::string name = to_lower(std::string_view(field_).substr(0, name_size));
    const std::string_view body = std::string_view(field_).substr(field_.find(':') + 1);
    const auto& drop = options_.drop_headers;
    note_field(name, body);
    content::note_content_field(name, body, type_);
    if (limits_.strict.headers) content::check_field(field_, effects_);
    take_refusal();
    if (std::find(drop.begin(), drop.end(), name) == drop.end()) {
        if (rules_ == nullptr && task_.completion == nullptr)
            put_field(std::move(field_), out);
        else if (auto field = checked_field(name, out, std::move(field_)))
            put_field(std::move(*field), out);
    }
    field_.clear();
}

// Rules see a field before its addresses are completed, as in Postfix.
void MessageFilter::put_field(std::string field, std::string& out) {
    effects_.utf8_header =
        effects_.utf8_header || (task_.find_utf8 && content::is_utf8_field(field));
    const std::string_view name =
        std::string_view(field).substr(0, content::field_name_size(field));
    if (task_.completion == nullptr ||
        mail::address_field(to_lower(name)) == mail::AddressField::none) {
        out += field;
        return;
    }
    const std::size_t colon = field.find(':') + 1;
    out += std::string_view(field).substr(0, colon);
    out += complete_addresses(std::string_view(field).substr(colon), *task_.completion,
                              options_.header_address_token_limit);
}

std::optional<std::string> MessageFilter::checked_field(std::string_view name, std::string& out,
                                                        std::string field) {
    if (rules_ == nullptr) return field;
    const bool mime = options_.content.mime_input && content::is_mime_field(name);
    const std::size_t before = out.size();
    auto made =
        content::judge_field(*rules_, mime ? content::Kind::mime_header : content::Kind::header,
                             std::move(field), effects_, out);
    const auto dotted = [](std::string_view text) {
        return text.starts_with('.') || text.find("\n.") != std::string_view::npos;
    };
    if (dotted(std::string_view(out).substr(before)) || (made && dotted(*made)))
        has_dot_lines_ = true;
    take_refusal();
    return made;
}

void MessageFilter::begin_body() {
    if (rules_ == nullptr && !task_.find_utf8 && !limits_.strict.any()) return;
    content::Rules& rules = rules_ != nullptr ? *rules_ : no_rules_;
    const bool parts = task_.find_utf8 && options_.content.mime_input &&
                       type_.kind != content::PartType::Kind::text;
    if (parts || content::BodyFilter::needed(rules, limits_, type_))
        body_.emplace(rules, limits_, effects_, type_);
}

void MessageFilter::note_field(std::string_view name, std::string_view body) {
    const bool resent = name.starts_with("resent-");
    if (resent) name.remove_prefix(7);
    unsigned& seen = resent ? resent_seen_ : seen_;
    resent_ = resent_ || resent;
    if (name == "date") seen |= kDate;
    if (name == "from") seen |= kFrom;
    if (name == "to" || name == "cc" || name == "bcc") seen |= kDestination;
    if (name == "message-id") {
        seen |= kMessageId;
        if (message_id_.empty() || resent) message_id_ = std::string(trim(mail::unfold(body)));
    }
    if (!resent && name == "tls-required" && iequals(trim(mail::unfold(body)), "no"))
        tls_optional_ = true;
    // RFC 5321 6.3: too many Received fields mean a loop.
    if (!resent && name == "received" && ++hops_ > options_.hopcount_limit)
        refuse("5.4.6", "Error: too many hops");
}

void MessageFilter::end_header(std::string& out) {
    if (!task_.local && !options_.always_add_missing_headers) return;
    const std::string prefix = resent_ ? "Resent-" : "";
    const unsigned seen = resent_ ? resent_seen_ : seen_;
    if ((seen & kMessageId) == 0 && !task_.message_id.empty()) {
        message_id_ = task_.message_id;
        out += cat({prefix, "Message-Id: ", task_.message_id, "\r\n"});
    }
    if ((seen & kDate) == 0) out += cat({prefix, "Date: ", task_.date, "\r\n"});
    if ((seen & kFrom) == 0) out += cat({prefix, "From: ", task_.from, "\r\n"});
    if (((seen_ | resent_seen_) & kDestination) == 0 &&
        !options_.undisclosed_recipients_header.empty())
        out += options_.undisclosed_recipients_header + "\r\n";
}

void MessageFilter::body_bytes(std::string_view bytes, std::string& out) {
    if (!body_) return put_body(bytes, out);
    checked_.clear();
    body_->feed(bytes, checked_);
    take_refusal();
    put_body(checked_, out);
}

void MessageFilter::put_body(std::string_view bytes, std::string& out) {
    if (bytes.empty()) return;
    if (bytes[0] == '.' && last_[1] == '\n') has_dot_lines_ = true;
    for (std::size_t at = bytes.find('\n'); at != std::string_view::npos;
         at = bytes.find('\n', at + 1)) {
        const char before = at > 0 ? bytes[at - 1] : last_[1];
        // RFC 5321 2.3.8: CR and LF only together. Agents rely on it (a lone "\n.\n" must never
        // reach a wire).
        if (before != '\r') refuse("5.5.2", kBareLf);
        if (at + 1 < bytes.size() && bytes[at + 1] == '.') has_dot_lines_ = true;
    }
    last_[0] = bytes.size() > 1 ? bytes[bytes.size() - 2] : last_[1];
    last_[1] = bytes.back();
    out += bytes;
}

void MessageFilter::finish(std::string& out) {
    if (refusal_) return;
    if (!started_) feed({}, out);
    take_clean(cleaner_.finish(), out);
    if (converter_) {
        converted_.clear();
        converter_->finish(converted_);
        take(converted_, out);
    }
    if (in_header_) {
        if (!partial_.empty()) take("\r\n", out);
        if (in_header_) {
            end_field(out);
            end_header(out);
            out += "\r\n";
        }
        return;
    }
    if (body_) {
        checked_.clear();
        body_->finish(checked_);
        take_refusal();
        put_body(checked_, out);
    }
    if (last_[0] != '\r' || last_[1] != '\n') out += "\r\n";
}

}  // namespace postern::cleanup
