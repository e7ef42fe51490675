#include "lib/imap/mailbox_filter.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"

namespace postern::imap {
namespace {

using FilterKind = MailboxFilter::Kind;

constexpr std::pair<std::string_view, FilterKind> kFilterKinds[] = {
    {"selected", FilterKind::selected},       {"selected-delayed", FilterKind::selected_delayed},
    {"inboxes", FilterKind::inboxes},         {"personal", FilterKind::personal},
    {"subscribed", FilterKind::subscribed},   {"subtree", FilterKind::subtree},
    {"subtree-one", FilterKind::subtree_one}, {"mailboxes", FilterKind::mailboxes},
};

bool is_same(std::string_view a, std::string_view b) {
    return a == b || (iequals(a, "INBOX") && iequals(b, "INBOX"));
}

// "a.b.c" is below "a", by two levels.
bool is_below(std::string_view name, std::string_view parent, char separator, bool one_level) {
    if (name.size() <= parent.size() + 1 || name[parent.size()] != separator ||
        !is_same(name.substr(0, parent.size()), parent))
        return false;
    return !one_level || name.find(separator, parent.size() + 1) == std::string_view::npos;
}

}  // namespace

bool MailboxFilter::covers(std::string_view mailbox, bool is_subscribed, char separator) const {
    const auto any = [&](auto predicate) {
        return std::any_of(names.begin(), names.end(), predicate);
    };
    switch (kind) {
        case Kind::selected:
        case Kind::selected_delayed: return false;
        case Kind::inboxes: return iequals(mailbox, "INBOX");  // where deliveries go
        case Kind::personal: return true;
        case Kind::subscribed: return is_subscribed;
        case Kind::mailboxes:
            return any([&](const std::string& name) { return is_same(mailbox, name); });
        case Kind::subtree:
        case Kind::subtree_one: break;
    }
    return any([&](const std::string& name) {
        return is_same(mailbox, name) ||
               is_below(mailbox, name, separator, kind == Kind::subtree_one);
    });
}

Result<MailboxFilter> parse_mailbox_filter(Parser& parser) {
    MailboxFilter out;
    TRY_ASSIGN(const std::string_view word, parser.word());
    const auto* known = std::find_if(std::begin(kFilterKinds), std::end(kFilterKinds),
                                     [&](const auto& row) { return iequals(row.first, word); });
    if (known == std::end(kFilterKinds))
        return bad("Unknown mailbox filter " + printable(word, 40));
    out.kind = known->second;
    if (out.kind < FilterKind::subtree) return out;
    TRY(parser.space());
    const bool several = parser.eat('(');
    do {
        TRY_ASSIGN(std::string name, parser.astring());
        out.names.push_back(std::move(name));
        if (out.names.size() > kMaxFilterNames) return bad("Too many mailboxes");
    } while (several && parser.eat(' '));
    if (several) TRY(parser.expect(')'));
    return out;
}

}  // namespace postern::imap
