#include "imapd/header_source.h"

namespace postern::imapd {

Result<std::string_view> header_with(mailbox::View& view, MessageSource& source, std::uint32_t seq,
                                     std::string_view field) {
    if (const auto known = view.cached(seq)) {
        if (!mailbox::is_omitted(known->omitted, field)) return known->header;
        return source.header(seq);
    }
    TRY_ASSIGN(const mail::MimePart* structure, source.structure(seq));
    TRY_ASSIGN(const std::string_view text, source.text(seq));
    view.remember(seq, mailbox::summarize(text, *structure));
    return source.header(seq);
}

}  // namespace postern::imapd
