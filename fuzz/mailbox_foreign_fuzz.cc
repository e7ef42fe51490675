// What Dovecot, Courier and mbox files say: any bytes. A list of UIDs that is understood ascends
// and is read again from what we write of it; an mbox's messages come back from what we write of
// them.
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/mbox_text.h"

namespace mailbox = postern::mailbox;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& uids :
         {mailbox::parse_dovecot_uidlist(text), mailbox::parse_courier_uiddb(text)}) {
        if (!uids) continue;
        std::uint32_t last = 0;
        for (const auto& [uid, name] : uids->messages) {
            POSTERN_CHECK(uid > last && !name.empty());
            last = uid;
        }
        POSTERN_CHECK(uids->next_uid > last && uids->validity != 0);
        const auto again = mailbox::parse_dovecot_uidlist(
            mailbox::format_dovecot_uidlist(*uids, "0123456789abcdef0123456789abcdef"));
        POSTERN_CHECK(again && again->messages == uids->messages);
    }
    for (const auto& [letter, name] : mailbox::parse_dovecot_keywords(text))
        POSTERN_CHECK(letter >= 'a' && letter <= 'z');
    (void)mailbox::parse_courier_keywords(text);
    (void)mailbox::parse_dovecot_subscriptions(text);
    (void)mailbox::parse_courier_subscriptions(text);
    mailbox::MboxReader reader(text);
    while (const auto message = reader.next()) {
        const std::string written = mailbox::to_mbox(*message);
        mailbox::MboxReader second(written);
        const auto back = second.next();
        POSTERN_CHECK(back && back->flags == message->flags && !second.next());
    }
    return 0;
}
