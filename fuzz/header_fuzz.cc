// Header block: fields, dates, address lists, encoded words, ENVELOPE.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/imap/response.h"
#include "lib/mail/content_type.h"
#include "lib/mail/date.h"
#include "lib/mail/encoded_word.h"
#include "lib/mail/envelope.h"
#include "lib/mail/header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace mail = postern::mail;
    namespace imap = postern::imap;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto parts = mail::split_message(input);
    mail::HeaderCursor cursor(parts.header);
    while (const auto field = cursor.next()) {
        const std::string text = mail::unfold(field->body);
        (void)mail::decode_words(text);
        (void)mail::parse_content_type(text);
        (void)mail::parse_disposition(text);
        if (const auto date = mail::parse_date(text)) (void)mail::format_date(*date);
    }
    std::string out;
    imap::append_envelope(out, mail::parse_envelope(parts.header));
    return 0;
}
