#include "imapd/message_urls.h"

#include <algorithm>

#include "imapd/fetch.h"
#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/digest.h"
#include "lib/imap/response.h"
#include "lib/mail/transfer_encoding.h"

namespace postern::imapd {
namespace {

Error unknown_url(std::string_view why) { return {Errc::not_found, std::string(why), 0}; }

// What a body without an encoding is called, RFC 2045 6.2.
std::string plain_encoding(std::string_view bytes) {
    if (bytes.find('\0') != std::string_view::npos) return "binary";
    const auto is_8bit = [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; };
    return std::any_of(bytes.begin(), bytes.end(), is_8bit) ? "8bit" : "7bit";
}

}  // namespace

Result<std::unique_ptr<UrlTarget>> UrlTarget::open(const mailbox::Store& store,
                                                   const imap::MessageUrl& url) {
    const auto box = store.mailbox(url.mailbox);
    if (!box) return unknown_url("Mailbox of the URL doesn't exist");
    auto view = box->open(mailbox::Access::read_only);
    if (!view) return unknown_url("Mailbox of the URL can't be opened");
    if (url.uid_validity && *url.uid_validity != (*view)->uid_validity())
        return unknown_url("UIDVALIDITY of the URL is another one");
    std::unique_ptr<UrlTarget> out(new UrlTarget(url, *std::move(view)));
    out->seq_ = out->view_->seq_of(url.uid);
    if (out->seq_ == 0) return unknown_url("Message of the URL doesn't exist");
    return out;
}

Result<std::string> UrlTarget::bytes() {
    TRY_ASSIGN(const mail::MimePart* structure, source_.structure(seq_));
    TRY_ASSIGN(const std::string_view text, source_.text(seq_));
    const SectionBytes found = section_bytes(url_.section, text, structure);
    if (!found.found) return unknown_url("Section of the URL doesn't exist");
    std::string_view bytes = found.view();
    if (url_.partial) {
        bytes.remove_prefix(std::min<std::uint64_t>(url_.partial->offset, bytes.size()));
        if (url_.partial->count != 0) bytes = bytes.substr(0, url_.partial->count);
    }
    return std::string(bytes);
}

Result<const mail::MimePart*> UrlTarget::part() {
    TRY_ASSIGN(const mail::MimePart* structure, source_.structure(seq_));
    if (url_.section.text != imap::Section::Text::all)
        return unknown_url("Section of the URL is no part of a message");
    const mail::MimePart* part =
        url_.section.path.empty() ? structure : mail::find_part(*structure, url_.section.path);
    if (part == nullptr) return unknown_url("Section of the URL doesn't exist");
    return part;
}

Result<std::optional<std::string>> UrlTarget::binary() {
    if (url_.section.path.empty()) {
        TRY_ASSIGN(std::string whole, bytes());
        return std::optional(std::move(whole));
    }
    TRY_ASSIGN(const mail::MimePart* found, part());
    TRY_ASSIGN(const std::string_view text, source_.text(seq_));
    if (!found->children.empty()) return std::optional(std::string(found->body(text)));
    if (!is_known_encoding(found->encoding)) return std::optional<std::string>();
    return std::optional(mail::decode_content(found->encoding, found->body(text)));
}

Result<std::string> UrlTarget::structure(bool as_binary) {
    TRY_ASSIGN(const mail::MimePart* found, part());
    TRY_ASSIGN(const std::string_view text, source_.text(seq_));
    std::string out;
    if (as_binary && found->children.empty() && is_known_encoding(found->encoding)) {
        const std::string content = mail::decode_content(found->encoding, found->body(text));
        mail::MimePart decoded = *found;
        decoded.header_begin = decoded.body_begin = 0;
        decoded.body_end = content.size();
        decoded.body_lines = 0;  // not counted, as Dovecot does not
        decoded.encoding = plain_encoding(content);
        imap::append_body(out, content, decoded, true);
        return out;
    }
    imap::append_body(out, text, *found, true);
    return out;
}

std::string url_token(std::string_view key, std::string_view rump) {
    return hex_encode(crypto::hmac(crypto::Digest::sha256, key, rump));
}

}  // namespace postern::imapd
