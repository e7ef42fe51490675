#include "lib/imap/notify_arguments.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::imap {
namespace {

// The word is "MessageNew", the next thing perhaps its items.
Result<void> parse_event(Parser& parser, NotifyEvents& out) {
    TRY_ASSIGN(const std::string_view word, parser.word());
    if (iequals(word, "MessageNew")) {
        out.message_new = true;
        if (!parser.rest().starts_with(" (")) return {};
        TRY(parser.space());
        TRY_ASSIGN(out.new_items, parse_fetch_items(parser));
    } else if (iequals(word, "MessageExpunge")) {
        out.message_expunge = true;
    } else if (iequals(word, "FlagChange")) {
        out.flag_change = true;
    } else if (iequals(word, "MailboxName")) {
        out.mailbox_name = true;
    } else if (iequals(word, "SubscriptionChange")) {
        out.subscription_change = true;
    } else if (iequals(word, "MailboxMetadataChange")) {
        out.mailbox_metadata_change = true;
    } else if (iequals(word, "ServerMetadataChange")) {
        out.server_metadata_change = true;
    } else {
        out.unknown = true;  // RFC 5465 3.1: told by BADEVENT
    }
    return {};
}

Result<NotifyEvents> parse_events(Parser& parser) {
    NotifyEvents out;
    if (parser.eat('(')) {
        do {
            TRY(parse_event(parser, out));
        } while (parser.eat(' '));
        TRY(parser.expect(')'));
    } else {
        TRY_ASSIGN(const std::string_view word, parser.word());
        if (!iequals(word, "NONE")) return bad("Events are missing");
    }
    if (out.message_new != out.message_expunge)
        return bad("MessageNew and MessageExpunge need each other");
    if (out.flag_change && !out.message_new) return bad("FlagChange needs MessageNew");
    return out;
}

Result<NotifyGroup> parse_group(Parser& parser) {
    NotifyGroup out;
    TRY(parser.expect('('));
    TRY_ASSIGN(out.filter, parse_mailbox_filter(parser));
    TRY(parser.space());
    TRY_ASSIGN(out.events, parse_events(parser));
    TRY(parser.expect(')'));
    if (out.is_selected() && out.events.of_mailboxes())
        return bad("Only message events for the selected mailbox");
    // RFC 5465 8: what to tell of new messages is for the selected mailbox only
    if (!out.is_selected() && !out.events.new_items.empty())
        return bad("Items are for the selected mailbox only");
    return out;
}

}  // namespace

void NotifyEvents::join(const NotifyEvents& other) {
    message_new = message_new || other.message_new;
    message_expunge = message_expunge || other.message_expunge;
    flag_change = flag_change || other.flag_change;
    mailbox_name = mailbox_name || other.mailbox_name;
    subscription_change = subscription_change || other.subscription_change;
    mailbox_metadata_change = mailbox_metadata_change || other.mailbox_metadata_change;
    server_metadata_change = server_metadata_change || other.server_metadata_change;
}

bool NotifyArguments::has_unknown() const {
    return std::any_of(groups.begin(), groups.end(),
                       [](const NotifyGroup& group) { return group.events.unknown; });
}

Result<NotifyArguments> parse_notify(Parser& parser) {
    NotifyArguments out;
    TRY(parser.space());
    TRY_ASSIGN(const std::string_view word, parser.word());
    if (iequals(word, "NONE")) return out;
    if (!iequals(word, "SET")) return bad("NOTIFY takes SET or NONE");
    TRY(parser.space());
    if (parser.peek() != '(') {
        TRY_ASSIGN(const std::string_view status, parser.word());
        if (!iequals(status, "STATUS"))
            return bad("Unknown NOTIFY option " + printable(status, 40));
        out.status = true;
        TRY(parser.space());
    }
    do {
        TRY_ASSIGN(NotifyGroup group, parse_group(parser));
        out.groups.push_back(std::move(group));
        if (out.groups.size() > kMaxNotifyGroups) return bad("Too many event groups");
    } while (parser.eat(' ') && !parser.at_end());
    const auto selected =
        std::count_if(out.groups.begin(), out.groups.end(),
                      [](const NotifyGroup& group) { return group.is_selected(); });
    if (selected > 1) return bad("The selected mailbox twice");
    return out;
}

}  // namespace postern::imap
