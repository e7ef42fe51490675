// MessageSource: the text of messages of a View in wire form (CRLF), with its MIME tree, read and
// parsed as far as asked for and at most once. It keeps the last message only: a client that
// fetches a large one in pieces finds it there, and FETCH of a whole mailbox needs memory for one
// message.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/result.h"
#include "lib/mail/mime.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

class MessageSource {
  public:
    explicit MessageSource(mailbox::View& view) : view_(view) {}

    // Errc::not_found: another session expunged the message. Views hold until the next call for
    // another message. The header ends with its empty line; header() may read no more than it.
    Result<std::string_view> header(std::uint32_t seq);
    Result<std::string_view> text(std::uint32_t seq);
    Result<const mail::MimePart*> structure(std::uint32_t seq);

    void forget();

    // Of a message that could not be read: is it the trouble of that one only? Then a command goes
    // on with the others; the first that is not just gone is kept for who tells the client.
    bool passes_over(const Error& error);
    std::optional<Error> take_unreadable() { return std::exchange(unreadable_, std::nullopt); }

  private:
    enum class Have : unsigned char { nothing, header, all };
    Result<void> read_header(std::uint32_t seq);
    Result<void> read_all(std::uint32_t seq);
    void turn_to(std::uint32_t seq);

    mailbox::View& view_;
    mailbox::Uid uid_ = 0;
    Have have_ = Have::nothing;
    std::string text_;
    std::optional<mail::MimePart> structure_;
    std::optional<Error> unreadable_;
};

}  // namespace postern::imapd
