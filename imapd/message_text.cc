#include "imapd/message_text.h"

#include <optional>

#include "lib/base/strings.h"
#include "lib/mail/charset.h"
#include "lib/mail/encoded_word.h"
#include "lib/mail/header.h"
#include "lib/mail/transfer_encoding.h"

namespace postern::imapd {
namespace {

using fulltext::Place;

bool visit_header(std::string_view header, const TextVisitor& visit) {
    mail::HeaderCursor cursor(header);
    while (const auto field = cursor.next()) {
        const std::string line = cat({field->name, ":", mail::decode_words(field->body)});
        if (visit(Place::header, mail::fold_for_search(line))) return true;
    }
    return false;
}

std::string text_of(const mail::MimePart& part, std::string_view message) {
    const std::string bytes = mail::decode_content(part.encoding, part.body(message));
    const std::string* charset = part.type.parameter("charset");
    std::optional<std::string> utf8;
    if (charset != nullptr && !iequals(*charset, "us-ascii")) utf8 = mail::to_utf8(*charset, bytes);
    return mail::fold_for_search(utf8 ? *utf8 : mail::guess_utf8(bytes));
}

bool visit_part(const mail::MimePart& part, std::string_view message, bool with_header,
                const TextVisitor& visit) {
    for (const mail::MimePart& child : part.children) {
        if (with_header && visit_header(child.header(message), visit)) return true;
        if (visit_part(child, message, with_header, visit)) return true;
    }
    if (!part.children.empty()) return false;
    // A multipart without parts, and text of any kind, can be read; pictures cannot.
    if (!part.type.is("text") && !part.is_multipart()) return false;
    return visit(Place::body, text_of(part, message));
}

}  // namespace

Result<bool> visit_texts(MessageSource& source, std::uint32_t seq, bool with_header,
                         const TextVisitor& visit) {
    if (with_header) {
        TRY_ASSIGN(const std::string_view header, source.header(seq));
        if (visit_header(header, visit)) return true;
    }
    TRY_ASSIGN(const mail::MimePart* part, source.structure(seq));
    TRY_ASSIGN(const std::string_view message, source.text(seq));
    return visit_part(*part, message, with_header, visit);
}

}  // namespace postern::imapd
