#include "imapd/thread_id.h"

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/digest.h"
#include "lib/imap/thread.h"
#include "lib/mail/header.h"

#include "imapd/header_source.h"

namespace postern::imapd {

Result<std::string> thread_id(mailbox::View& view, MessageSource& source, std::uint32_t seq) {
    std::string root;
    // RFC 5256 3: In-Reply-To only where there are no References
    for (const char* field : {"References", "In-Reply-To", "Message-ID"}) {
        TRY_ASSIGN(const std::string_view header, header_with(view, source, seq, field));
        const auto ids = imap::message_ids(mail::field_text(header, field));
        if (ids.empty()) continue;
        root = ids.front();
        break;
    }
    if (root.empty()) root = cat({"\n", view.email_id(seq)});  // what no message id can be
    const std::string digest = crypto::digest(crypto::Digest::sha256, root);
    return cat({"T", hex_encode(std::string_view(digest).substr(0, 10))});
}

}  // namespace postern::imapd
