#include "pop3d/mail_session.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/compressed.h"
#include "lib/pop3/uidl.h"
#include "lib/sys/fs.h"

namespace postern::pop3d {
namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr Millis kWritePatience{120'000};

std::string number(std::uint64_t n) { return std::to_string(n); }

}  // namespace

std::string Summary::str() const {
    return cat({end, ": messages=", number(messages), " retr=", number(retrieved), "/",
                number(retrieved_bytes), " top=", number(topped), " del=", number(deleted)});
}

Result<mailbox::FolderLock> lock_maildrop(const mailbox::Mailbox& inbox) {
    // RFC 1939 6: a session answers QUIT first and gives its lock up then; its client may be back
    // before that.
    constexpr Millis kLeaving{1000};
    return mailbox::FolderLock::take(*inbox.environment().fs, inbox.path() + "/postern.pop3.lock",
                                     kLeaving);
}

Summary MailSession::run() {
    auto sizes = take_stock();
    if (!sizes) {
        summary_.end = sizes.error().what;
        write("-ERR [SYS/TEMP] The mailbox cannot be opened, try again later.\r\n");
        (void)flush().has_value();  // the client may have gone: nothing more to do for it
        return summary_;
    }
    summary_.messages = sizes->size();
    const auto id_of = [this](std::size_t i) {
        return unique_id(static_cast<std::uint32_t>(i + 1));
    };
    engine_ = pop3::Session(*std::move(sizes), id_of, options_.capabilities);
    const auto done = converse();
    if (!done && stream_.stopped()) {
        // Without QUIT nothing is deleted, RFC 1939 6. A reply in the middle cannot be cut short.
        if (out_.empty()) write(cat({"-ERR [SYS/TEMP] ", stream_.stop_reason(), ".\r\n"}));
        (void)flush().has_value();
        summary_.end = stream_.stop_reason();
    } else if (!done) {
        summary_.end = done.error().code == Errc::timeout  ? "Disconnected for inactivity"
                       : done.error().code == Errc::closed ? "Disconnected"
                                                           : "Disconnected: " + done.error().what;
    }
    return summary_;
}

Result<std::vector<std::uint64_t>> MailSession::take_stock() {
    std::vector<std::uint64_t> sizes;
    sizes.reserve(view_.count());
    for (std::uint32_t seq = 1; seq <= view_.count(); ++seq) {
        const auto size = view_.crlf_size(seq);
        // Removed by another session since we looked, or nothing that can be read: it keeps its
        // number, without content.
        if (!size && !mailbox::is_only_its_own(size.error())) return Error(size.error());
        sizes.push_back(size ? *size : 0);
    }
    return sizes;
}

std::string MailSession::unique_id(std::uint32_t seq) const {
    const std::uint32_t uid = view_.message(seq).uid;
    const std::uint32_t validity = view_.uid_validity();
    const std::string base = view_.base_name(seq);
    const auto known = options_.known_uidls.find(base);
    if (known != options_.known_uidls.end() && pop3::is_uidl(known->second)) return known->second;
    auto id = pop3::format_uidl(options_.uidl_format, uid, validity, base);
    // A file's name may be no unique id; the message has one all the same.
    if (!id) id = pop3::format_uidl(Options{}.uidl_format, uid, validity, "");
    return id.value_or("0");
}

Result<void> MailSession::converse() {
    write(options_.greeting);
    for (;;) {
        TRY_ASSIGN(const Line line, next_line());
        const auto action =
            line.kind == LineKind::line ? engine_.on_line(line.text) : engine_.on_line_too_long();
        TRY_ASSIGN(const bool more, perform(action));
        if (!more) return flush();
        if (out_.size() >= kPiece) TRY(flush());
    }
}

// Cuts the next line off the input; replies wait in out_ while there is one (PIPELINING), as long
// as they are few.
bool MailSession::take_line(Line& line) {
    const auto lf = in_.find('\n');
    if (lf == std::string::npos) {
        if (in_.size() > pop3::kMaxCommandLine) {
            skipping_ = true;
            in_.clear();
        }
        return false;
    }
    std::string text = in_.substr(0, lf);
    in_.erase(0, lf + 1);
    if (text.ends_with('\r')) text.pop_back();
    const bool too_long = skipping_ || text.size() > pop3::kMaxCommandLine;
    skipping_ = false;
    line = {too_long ? LineKind::too_long : LineKind::line, too_long ? "" : std::move(text)};
    return true;
}

Result<MailSession::Line> MailSession::next_line() {
    Line line{};
    while (!take_line(line)) {
        TRY(flush());
        TRY_ASSIGN(const std::string_view more,
                   stream_.read_some(Deadline::in(options_.idle_timeout)));
        if (more.empty()) return Error{Errc::closed, "client disconnected", 0};
        in_ += more;
    }
    return line;
}

Result<bool> MailSession::perform(const pop3::Action& action) {
    switch (action.then) {
        case pop3::Action::Then::go_on: write(action.reply); return true;
        case pop3::Action::Then::send_message: TRY(send_message(action)); return true;
        case pop3::Action::Then::update: write(engine_.on_update(update()).reply); return false;
        case pop3::Action::Then::close:
            summary_.end = "Too many bad commands";
            write(action.reply);
            return false;
    }
    return false;
}

// Of a message that is compressed, the first piece is all of its text.
Result<MailSession::OpenMessage> MailSession::open_message(std::uint32_t seq) {
    OpenMessage out;
    TRY_ASSIGN(out.file, view_.open(seq));
    TRY_ASSIGN(const auto info, sys::RealFs::instance().info(out.file.get()));
    out.left = info.size;
    TRY_ASSIGN(out.piece, next_piece(out));
    if (mailbox::is_compressed(out.piece)) {
        TRY_ASSIGN(out.piece, view_.read(seq));
        out.left = 0;
    }
    return out;
}

Result<std::string> MailSession::next_piece(OpenMessage& message) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, message.left));
    auto piece = sys::RealFs::instance().read_at(message.file.get(), message.offset, size);
    if (!piece) return piece;
    message.offset += piece->size();
    message.left = piece->size() < size ? 0 : message.left - size;
    return piece;
}

Result<void> MailSession::send_message(const pop3::Action& action) {
    auto message = open_message(static_cast<std::uint32_t>(action.index + 1));
    if (!message) {
        log::warning(options_.trace, message.error().what);
        write(engine_.cannot_read());
        return {};
    }
    write(action.reply);
    ++(action.lines ? summary_.topped : summary_.retrieved);
    pop3::MessageEncoder encoder(action.lines);
    for (;;) {
        encoder.encode(message->piece, out_);
        if (!action.lines) summary_.retrieved_bytes += message->piece.size();
        if (out_.size() >= kPiece) TRY(flush());
        if (message->left == 0 || encoder.satisfied()) break;
        // An error here comes in the middle of a message: only the end of the connection can tell
        // it.
        TRY_ASSIGN(message->piece, next_piece(*message));
    }
    encoder.finish(out_);
    if (!action.lines) engine_.on_sent(action.index);
    return {};
}

// RFC 1939 6, the UPDATE state. True when all that was deleted is gone.
bool MailSession::update() {
    summary_.end = "Logged out";
    mark_seen();
    std::vector<std::uint32_t> gone;
    for (std::size_t i = 0; i < engine_.deleted().size(); ++i)
        if (engine_.deleted()[i]) gone.push_back(static_cast<std::uint32_t>(i + 1));
    if (gone.empty()) return true;
    const auto removed = view_.expunge(gone);
    if (removed)
        summary_.deleted = gone.size();
    else
        log::warning("", removed.error().what);
    return removed.has_value();
}

// What was fetched counts as read, for IMAP clients of the same mailbox. Not worth failing for.
void MailSession::mark_seen() {
    std::vector<std::uint32_t> read;
    for (std::size_t i = 0; i < engine_.retrieved().size(); ++i) {
        const auto seq = static_cast<std::uint32_t>(i + 1);
        const bool unseen = (view_.message(seq).flags.system & mailbox::kSeen) == 0;
        if (engine_.retrieved()[i] && !engine_.deleted()[i] && unseen) read.push_back(seq);
    }
    if (read.empty()) return;
    const auto stored = view_.store(read, mailbox::StoreMode::add, {mailbox::kSeen, 0});
    if (!stored) log::warning("", stored.error().what);
}

Result<void> MailSession::flush() {
    if (out_.empty()) return {};
    TRY(stream_.write(out_, kWritePatience));
    out_.clear();
    return {};
}

}  // namespace postern::pop3d
