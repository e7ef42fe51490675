#include "commands/story.h"

#include <algorithm>

#include "lib/base/ids.h"
#include "lib/base/strings.h"

namespace postern::commands {
namespace {

constexpr std::string_view kNoQueue = "NOQUEUE";

// What stands between the first `from` and the next `to` behind it.
std::string between(std::string_view text, std::string_view from, std::string_view to) {
    const auto begin = text.find(from);
    if (begin == std::string_view::npos) return {};
    const auto rest = text.substr(begin + from.size());
    return std::string(rest.substr(0, rest.find(to)));
}

std::string id_behind(std::string_view text, std::string_view words) {
    const auto at = text.rfind(words);
    if (at == std::string_view::npos) return {};
    const auto rest = text.substr(at + words.size());
    const auto word = rest.substr(0, rest.find_first_of(" ),;"));
    return QueueId::parse(word) ? std::string(word) : std::string();
}

// Rules that no program names, because they are one of a kind.
struct Implied {
    std::string_view words, rule;
};
constexpr Implied kImplied[] = {
    {"Message size exceeds fixed limit", "message_size_limit"},
    {"message size exceeds", "message_size_limit"},
    {"Error: message file too big", "message_size_limit"},
    {"Error: too many recipients after address expansion", "virtual_alias_expansion_limit"},
    {"too many recipients", "smtpd_recipient_limit"},
    {"too many hops", "hopcount_limit"},
    {"Insufficient system storage", "queue_minfree"},
    {"status=expired", "maximal_queue_lifetime"},
    {"status=force-expired", "postsuper -f"},
    {"deferred transport", "defer_transports"},
    {"soft_bounce:", "soft_bounce"},
    {"mail forwarding loop for", "the message's own Delivered-To: header"},
    {"virtual_alias_recursion_limit", "virtual_alias_recursion_limit"},
    {"User unknown in virtual alias table", "virtual_alias_maps"},
    {"User unknown in virtual mailbox table", "virtual_mailbox_maps"},
    {"mailbox is full", "mailbox_size_limit"},
    {"mailbox size limit exceeded", "mailbox_size_limit"},
    {"sender delivery status notification", "NOTIFY=SUCCESS, which the sender asked for"},
    {"need fully-qualified hostname", "smtpd_helo_required"},
    {"send HELO/EHLO first", "smtpd_helo_required"},
    {"Must issue a STARTTLS command first", "smtpd_tls_security_level"},
    {"mail to command is restricted", "allow_mail_to_commands"},
    {"mail to file is restricted", "allow_mail_to_files"},
    {"placed on hold", "postsuper -h"},
    {"released from hold", "postsuper -H"},
    {"requeued as ", "postsuper -r"},
    {"unknown user: \"", "alias_maps and the users of this host"},
    {"loops back to myself", "inet_interfaces; proxy_interfaces; myhostname"},
    {"does not accept mail (nullMX)", "the domain's own null MX record"},
    {"Host or domain name not found", "the DNS"},
    {"SASL authentication failed", "smtp_sasl_password_maps"},
    {" exceeds size limit ", "the remote server's SIZE"},
    {"SMTPUTF8 is required, but was not offered", "the remote server, which lacks SMTPUTF8"},
    {"delivery temporarily suspended", "default_destination_concurrency_failed_cohort_limit"},
};

// The same of what begins with certain words.
constexpr Implied kImpliedByBegin[] = {{"uid=", "authorized_submit_users"}};

std::string implied_rule(std::string_view text) {
    for (const auto& [words, rule] : kImpliedByBegin) {
        if (text.starts_with(words)) return std::string(rule);
    }
    for (const auto& [words, rule] : kImplied) {
        if (ifind(text, words) != std::string_view::npos) return std::string(rule);
    }
    return {};
}

void explain_delivery(Event& event) {
    const DeliveryFacts& facts = *event.delivery;
    event.what = facts.status == "sent"       ? Happening::delivered
                 : facts.status == "deferred" ? Happening::deferred
                                              : Happening::bounced;
    if (facts.status != "sent" && facts.status != "deferred" && facts.status != "bounced")
        event.what = Happening::other;
    event.child = id_behind(facts.text, "queued as ");
    if (event.child.empty()) event.child = id_behind(facts.text, "forwarded as ");
    if (event.rule.empty() && facts.text.find(" said: ") != std::string::npos)
        event.rule = cat({"the remote server, ", facts.relay});
}

Happening kind_of(std::string_view text) {
    const auto begins = [&](std::string_view with) { return text.starts_with(with); };
    if (begins("client=")) return Happening::received;
    if (begins("uid=")) return Happening::submitted;
    if (begins("message-id=") || begins("resent-message-id=")) return Happening::identified;
    if (begins("address <") || text.find(">: an alias of ") != text.npos ||
        text.find(">: follows ") != text.npos)
        return Happening::expanded;
    if ((begins("sender ") || begins("postmaster ")) && text.find("notification: ") != text.npos)
        return Happening::notified;
    if (begins("from=<") && text.ends_with("(queue active)")) return Happening::queued;
    if (begins("reject: ") || begins("deferred: ")) return Happening::refused;
    if (begins("rests in the ")) return Happening::rests;
    if (text == "removed") return Happening::removed;
    return Happening::other;
}

bool has_address(std::string_view text, std::string_view address) {
    const std::string wanted = cat({"<", address, ">"});
    return ifind(text, wanted) != std::string_view::npos;
}

std::string message_id_of(std::string_view text) {
    const bool is = text.starts_with("message-id=") || text.starts_with("resent-message-id=");
    const std::string id = is ? std::string(text.substr(text.find('=') + 1)) : std::string();
    return id == "<>" ? std::string() : id;
}

}  // namespace

std::string_view name_of(Happening what) {
    constexpr std::string_view kNames[] = {
        "received", "submitted", "identified", "expanded", "queued",  "delivered", "deferred",
        "bounced",  "refused",   "rests",      "notified", "removed", "other"};
    return kNames[static_cast<std::size_t>(what)];
}

std::string_view program_of(const log::Record& record) {
    const std::string_view tag = record.program;
    return tag.substr(tag.rfind('/') + 1);
}

std::optional<DeliveryFacts> parse_delivery(std::string_view text) {
    if (!text.starts_with("to=<")) return std::nullopt;
    const auto status = text.find(", status=");
    if (status == std::string_view::npos) return std::nullopt;
    const std::string_view head = text.substr(0, status), tail = text.substr(status + 9);
    DeliveryFacts facts;
    facts.to = between(head, "to=<", ">, ");
    facts.original = between(head, "orig_to=<", ">, ");
    facts.relay = between(head, " relay=", ", ");
    facts.delay = between(head, " delay=", ", ");
    facts.delays = between(head, " delays=", ", ");
    facts.dsn = between(head, " dsn=", ", ");
    facts.status = tail.substr(0, tail.find(' '));
    const auto open = tail.find('(');
    if (open != std::string_view::npos) {
        facts.text = tail.substr(open + 1);
        if (facts.text.ends_with(')')) facts.text.pop_back();
    }
    return facts;
}

Event explain(log::Record record) {
    Event event;
    event.rule = record.field("rule");
    event.delivery = parse_delivery(record.text);
    event.what = kind_of(record.text);
    if (event.delivery) explain_delivery(event);
    if (event.what == Happening::notified) event.child = id_behind(record.text, "notification: ");
    if (record.text.starts_with("requeued as "))
        event.child = id_behind(record.text, "requeued as ");
    if (event.rule.empty()) event.rule = implied_rule(record.text);
    if (event.rule == "mailbox_size_limit" && event.delivery && event.delivery->relay == "virtual")
        event.rule = "virtual_mailbox_limit";
    if (event.rule == "smtp_sasl_password_maps" && program_of(record) == "lmtp")
        event.rule = "lmtp_sasl_password_maps";
    if (const auto until = parse_number<std::int64_t>(record.field("until")))
        event.until = WallTime(Micros(*until));
    event.record = std::move(record);
    return event;
}

Finder::Finder(Question question) : question_(std::move(question)) {}

// A message, or a session that never got to one.
std::string Finder::unit_of(const log::Record& record) {
    if (record.id != kNoQueue) return record.id;
    const auto session = record.field("session");
    return session.empty() ? record.id : std::string(session);
}

bool Finder::matches(const log::Record& record) const {
    if (question_.since && record.time < *question_.since) return false;
    if (question_.words.empty()) return true;
    for (const std::string& word : question_.words) {
        if (record.id == word || record.field("session") == word) return true;
        if (word.find('@') != std::string::npos && has_address(record.text, word)) return true;
        if (word.starts_with('<') && ifind(record.text, word) != std::string_view::npos)
            return true;
    }
    return false;
}

void Finder::look(const log::Record& record) {
    const std::string unit = unit_of(record);
    if (record.id != kNoQueue) known_.insert(record.id);
    if (record.id != kNoQueue && program_of(record) != "policy") messages_.insert(record.id);
    if (matches(record)) found_.insert(unit);
    if (const std::string session(record.field("session")); !session.empty() && unit != session) {
        if (session_of_.emplace(unit, session).second) first_of_session_.emplace(session, unit);
    }
    if (const std::string id = message_id_of(record.text); !id.empty()) {
        by_message_id_[id].insert(record.id);
        message_id_[record.id] = id;
    }
    // Cheap words first: most records name no other message.
    if (record.text.find(" as ") == std::string::npos &&
        record.text.find("notification: ") == std::string::npos)
        return;
    const Event event = explain(record);
    if (event.child.empty() || event.child == record.id) return;
    children_[record.id].insert(event.child);
    parents_.emplace(event.child, record.id);
}

// One round; false when nothing was added.
bool Finder::connect() {
    const std::size_t before = found_.size();
    for (const std::string& id : std::vector<std::string>(found_.begin(), found_.end())) {
        if (const auto at = children_.find(id); at != children_.end()) {
            for (const auto& child : at->second) {
                if (known_.contains(child)) found_.insert(child);
            }
        }
        if (const auto at = parents_.find(id); at != parents_.end()) found_.insert(at->second);
        if (const auto at = message_id_.find(id); at != message_id_.end()) {
            const auto& same = by_message_id_[at->second];
            found_.insert(same.begin(), same.end());
        }
    }
    return found_.size() > before;
}

void Finder::close() {
    constexpr int kMaxRounds = 100;
    for (int round = 0; round < kMaxRounds && connect(); ++round) {
    }
    // What policy said in the SMTP session belongs to the story as well.
    for (const auto& [id, session] : session_of_) {
        if (found_.contains(id)) found_.insert(session);
    }
}

bool Finder::wants(const log::Record& record) const {
    if (!found_.contains(unit_of(record))) return false;
    // Another message's refusal in the same session is not this story, unless it is asked for.
    return record.id != kNoQueue || matches(record);
}

std::string Finder::root_of(std::string id) const {
    constexpr int kMaxSteps = 100;  // ids are told by others: they may go in circles
    for (int step = 0; step < kMaxSteps; ++step) {
        const auto parent = parents_.find(id);
        if (parent == parents_.end() || !found_.contains(parent->second)) break;
        id = parent->second;
    }
    if (const auto at = message_id_.find(id); at != message_id_.end()) {
        const auto same = by_message_id_.find(at->second);
        const std::string& first = *same->second.begin();  // ids sort by time
        if (first != id && !parents_.contains(first)) return first;
    }
    return id;
}

std::string Finder::story_of(const log::Record& record) const {
    const std::string unit = unit_of(record);
    if (record.id == kNoQueue) return unit;
    const auto message = first_of_session_.find(unit);
    return root_of(message == first_of_session_.end() ? unit : message->second);
}

bool Finder::follows(const log::Record& record) {
    look(record);
    if (question_.words.empty()) return true;
    close();
    return wants(record);
}

}  // namespace postern::commands
