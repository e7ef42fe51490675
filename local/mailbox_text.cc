#include "local/mailbox_text.h"

#include <cerrno>

#include "lib/base/strings.h"

namespace postern::local {

mailbox::Delivery maildir_delivery(sys::Fs& fs, std::string_view path, MailboxText text,
                                   const ipc::DeliverRequest& request, std::string_view address,
                                   std::string_view myhostname) {
    mailbox::Delivery delivery;
    delivery.maildir = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
    delivery.stem =
        mailbox::delivery_stem(request.arrival, request.queue_id.str(), address, myhostname);
    std::string headers = queue::mailbox_headers(text.sender, text.original, text.delivered);
    delivery.content = [&fs, body = text.text,
                        headers = std::move(headers)](mailbox::MessageWriter& out) -> Result<void> {
        TRY(out.write(headers));
        return queue::copy_with_lf(fs, body,
                                   [&](std::string_view bytes) { return out.write(bytes); });
    };
    return delivery;
}

Result<void> append_message(sys::Fs& fs, const std::string& path, const MboxRules& rules,
                            const MailboxText& text, WallTime now) {
    return append_to_mbox(fs, path, rules, [&](const auto& write) -> Result<void> {
        TRY(write(queue::from_line(text.sender, now) + "\n" +
                  queue::mailbox_headers(text.sender, text.original, text.delivered)));
        TRY(queue::copy_lines(fs, text.text, queue::LineStyle{"\n", true, false}, write));
        return write("\n");
    });
}

Result<bool> was_delivered(sys::Fs& fs, const queue::MessageText& text, const std::string& address,
                           const std::string& delivered) {
    TRY_ASSIGN(const bool seen, queue::delivered_before(fs, text, address));
    if (seen || iequals(address, delivered)) return seen;
    return queue::delivered_before(fs, text, delivered);
}

Verdict mailbox_failure(const Error& error, std::string_view doing, bool orders) {
    const std::string text = cat({doing, error.what});
    if (error.sys == EFBIG || error.sys == EDQUOT) return Verdict::reject("5.2.2", text);
    if (error.code == Errc::no_space) return Verdict::defer("4.2.2", text);
    const bool hopeless =
        error.code == Errc::denied || error.code == Errc::invalid || error.code == Errc::not_found;
    return orders && hopeless ? Verdict::reject("5.2.0", text) : Verdict::defer("4.2.0", text);
}

}  // namespace postern::local
