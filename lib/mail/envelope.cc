#include "lib/mail/envelope.h"

#include <iterator>

#include "lib/base/strings.h"
#include "lib/mail/header.h"

namespace postern::mail {
namespace {

using TextMember = std::optional<std::string> Envelope::*;
using ListMember = std::vector<ListedAddress> Envelope::*;

constexpr std::pair<std::string_view, TextMember> kTexts[] = {
    {"date", &Envelope::date},
    {"subject", &Envelope::subject},
    {"in-reply-to", &Envelope::in_reply_to},
    {"message-id", &Envelope::message_id},
};
constexpr std::pair<std::string_view, ListMember> kLists[] = {
    {"from", &Envelope::from}, {"sender", &Envelope::sender}, {"reply-to", &Envelope::reply_to},
    {"to", &Envelope::to},     {"cc", &Envelope::cc},         {"bcc", &Envelope::bcc},
};

void read_field(Envelope& envelope, const HeaderField& field) {
    for (const auto& [name, member] : kTexts) {
        if (!iequals(field.name, name)) continue;
        if (!(envelope.*member)) envelope.*member = std::string(trim(unfold(field.body)));
        return;
    }
    for (const auto& [name, member] : kLists) {
        if (!iequals(field.name, name)) continue;
        auto more = parse_address_list(field.body);
        auto& list = envelope.*member;
        if (list.size() + more.size() > kMaxListedAddresses) return;
        list.insert(list.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
        return;
    }
}

}  // namespace

Envelope parse_envelope(std::string_view header) {
    Envelope envelope;
    HeaderCursor cursor(header);
    while (const auto field = cursor.next()) read_field(envelope, *field);
    // RFC 3501 7.4.2: the server defaults these two from From.
    if (envelope.sender.empty()) envelope.sender = envelope.from;
    if (envelope.reply_to.empty()) envelope.reply_to = envelope.from;
    return envelope;
}

}  // namespace postern::mail
