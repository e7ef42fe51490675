// What a URL of a message (lib/imap/message_url.h) refers to: the bytes for CATENATE (RFC 4469) and
// URLFETCH (RFC 4467, RFC 5524).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "imapd/message_source.h"
#include "lib/base/result.h"
#include "lib/imap/message_url.h"
#include "lib/mailbox/store.h"

namespace postern::imapd {

class UrlTarget {
  public:
    // Errors have texts fit for the client.
    static Result<std::unique_ptr<UrlTarget>> open(const mailbox::Store& store,
                                                   const imap::MessageUrl& url);

    Result<std::string> bytes();
    // Without its transfer encoding; nothing where that is not known.
    Result<std::optional<std::string>> binary();
    // As the part is given by binary(), where that is asked for too (RFC 5524 4).
    Result<std::string> structure(bool as_binary);

  private:
    UrlTarget(imap::MessageUrl url, std::unique_ptr<mailbox::View> view)
        : url_(std::move(url)), view_(std::move(view)), source_(*view_) {}
    Result<const mail::MimePart*> part();

    imap::MessageUrl url_;
    std::unique_ptr<mailbox::View> view_;
    MessageSource source_;
    std::uint32_t seq_ = 0;
};

// Verifiers of RFC 4467 2.3, mechanism INTERNAL: an HMAC of the URL under a key of its mailbox.
std::string url_token(std::string_view key, std::string_view rump);

}  // namespace postern::imapd
