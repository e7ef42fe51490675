// URLs of messages (RFC 5092, 4467), and the base subject that SORT and THREAD compare (RFC 5256
// 2.1): what comes of any bytes is taken again.
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/base/unicode.h"
#include "lib/imap/base_subject.h"
#include "lib/imap/message_url.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace imap = postern::imap;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto url = imap::parse_message_url(input)) {
        POSTERN_CHECK(url->uid != 0 && !url->mailbox.empty());
        POSTERN_CHECK(!url->auth || url->auth->rump_size <= input.size());
        // What is signed is a URL too, which names the same message.
        if (url->auth) {
            const auto rump = imap::parse_message_url(input.substr(0, url->auth->rump_size));
            POSTERN_CHECK(rump && rump->uid == url->uid && rump->mailbox == url->mailbox);
        }
    }
    const auto subject = imap::base_subject(input);
    POSTERN_CHECK(postern::is_utf8(subject.text));
    (void)imap::collated(subject.text);
    return 0;
}
