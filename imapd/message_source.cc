#include "imapd/message_source.h"

#include "lib/mail/header.h"
#include "lib/mail/transfer_encoding.h"
#include "lib/mailbox/compressed.h"
#include "lib/sys/fs.h"

namespace postern::imapd {
namespace {

constexpr std::size_t kHeaderChunk = 16384;

bool ends_header(std::string_view text, std::size_t searched) {
    const std::size_t from = searched < 3 ? 0 : searched - 3;
    return text.starts_with('\n') || text.starts_with("\r\n") ||
           text.find("\n\n", from) != std::string_view::npos ||
           text.find("\n\r\n", from) != std::string_view::npos;
}

std::string wire_form(std::string text) {
    if (!mail::is_wire_form(text)) return mail::to_wire_form(text);
    return text;
}

}  // namespace

void MessageSource::turn_to(std::uint32_t seq) {
    const mailbox::Uid uid = view_.message(seq).uid;
    if (uid == uid_) return;
    forget();
    uid_ = uid;
}

bool MessageSource::passes_over(const Error& error) {
    const bool passes = mailbox::is_only_its_own(error);
    if (passes && error.code != Errc::not_found && !unreadable_) unreadable_ = error;
    return passes;
}

void MessageSource::forget() {
    uid_ = 0;
    have_ = Have::nothing;
    structure_.reset();
    std::string().swap(text_);
}

// Reads in chunks until the header is complete. A small message is complete with it, and one that
// Dovecot compressed.
Result<void> MessageSource::read_header(std::uint32_t seq) {
    TRY_ASSIGN(const Fd file, view_.open(seq));
    std::string raw;
    for (;;) {
        const std::size_t searched = raw.size();
        TRY_ASSIGN(const std::string chunk,
                   sys::RealFs::instance().read_at(file.get(), raw.size(), kHeaderChunk));
        if (searched == 0 && mailbox::is_compressed(chunk)) return read_all(seq);
        raw += chunk;
        const bool at_end = chunk.size() < kHeaderChunk;
        if (!at_end && !ends_header(raw, searched)) continue;
        if (!at_end) raw.resize(mail::split_message(raw).header.size());
        have_ = at_end ? Have::all : Have::header;
        text_ = wire_form(std::move(raw));
        return {};
    }
}

Result<void> MessageSource::read_all(std::uint32_t seq) {
    TRY_ASSIGN(std::string raw, view_.read(seq));
    text_ = wire_form(std::move(raw));
    have_ = Have::all;
    return {};
}

Result<std::string_view> MessageSource::header(std::uint32_t seq) {
    turn_to(seq);
    if (have_ == Have::nothing) TRY(read_header(seq));
    if (have_ == Have::header) return std::string_view(text_);
    return mail::split_message(text_).header;
}

Result<std::string_view> MessageSource::text(std::uint32_t seq) {
    turn_to(seq);
    if (have_ != Have::all) TRY(read_all(seq));
    return std::string_view(text_);
}

Result<const mail::MimePart*> MessageSource::structure(std::uint32_t seq) {
    TRY_ASSIGN(const std::string_view message, text(seq));
    if (!structure_) structure_ = mail::parse_mime(message);
    return &*structure_;
}

}  // namespace postern::imapd
