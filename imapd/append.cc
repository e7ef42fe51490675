// APPEND, RFC 3501 6.3.11, RFC 3502, RFC 3516, CATENATE of RFC 4469: each message is streamed from
// the client into the mailbox and committed when the command's last line end has come. Maildirs
// hold LF line ends, so CRLF becomes LF on the way; the reverse step in to_wire_form() gives the
// same bytes again (a CR before a CRLF stays where it is).
#include <algorithm>
#include <functional>
#include <span>

#include "imapd/flag_names.h"
#include "imapd/message_urls.h"
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/binary_append.h"
#include "lib/imap/message_url.h"
#include "lib/imap/response.h"
#include "lib/log/log.h"
#include "lib/mailbox/appender.h"

namespace postern::imapd {
namespace {

using imap::CommandReader;

// A message with binary parts is held in memory.
constexpr std::uint64_t kMaxBinary = 256 * 1024 * 1024;

// CRLF to LF over pieces. "\r\r\n" is kept, or reading could not tell it from "\r\n".
class LineEnds {
  public:
    Result<void> write(mailbox::MessageWriter& writer, std::string_view bytes) {
        std::string out;
        out.reserve(bytes.size() + 1);
        for (const char c : bytes) {
            if (pending_cr_ && (c != '\n' || before_cr_is_cr_)) out += '\r';
            before_cr_is_cr_ = pending_cr_ && c == '\r';
            pending_cr_ = c == '\r';
            if (!pending_cr_) out += c;
        }
        return writer.write(out);
    }
    Result<void> finish(mailbox::MessageWriter& writer) {
        return pending_cr_ ? writer.write("\r") : Result<void>();
    }

  private:
    bool pending_cr_ = false;
    bool before_cr_is_cr_ = false;
};

Error no_encoding() {
    return {Errc::permanent, "NUL outside of a part with binary transfer encoding", 0};
}

// Is the literal, whose mark ends the text, a URL of CATENATE?
bool is_url_literal(std::string_view text) {
    const auto mark = text.rfind('{');
    return mark != std::string_view::npos && iends_with(text.substr(0, mark), "URL ");
}

}  // namespace

// One APPEND, its messages in their order. Between two steps, rest_ is the text that was not looked
// at yet, and pending_ the literal that ends it.
class AppendCommand {
  public:
    explicit AppendCommand(Session& session) : s_(session) {}
    // `at_literal`: the text ends with the mark of one, else it is a whole command.
    void run(const std::string& text, bool at_literal);

  private:
    using Literal = CommandReader::Literal;

    Reply carry_out(const imap::Command& command);
    std::optional<Reply> refuse(const imap::AppendItem& item) const;
    std::optional<Reply> find_replaced(const imap::SequenceSet& set, bool uid);
    Reply replace(const Reply& appended);
    void answer(const Reply& reply);
    Reply receive(imap::AppendItem item, const std::string& name, const mailbox::Mailbox& box);
    Reply not_added(const Error& error) const;
    Result<void> add(const imap::AppendItem& item, mailbox::Appender& appender);
    Result<void> receive_message(const imap::AppendItem& item, mailbox::MessageWriter& writer);
    Result<void> catenate(imap::CatenatePiece piece, mailbox::MessageWriter& writer);
    Result<void> append_url(const std::string& url, LineEnds& line_ends,
                            mailbox::MessageWriter& writer, std::uint64_t& size);
    Result<void> receive_binary(std::uint64_t size, mailbox::MessageWriter& writer);
    std::uint64_t accept_literal();
    Result<void> receive_rest(bool closes);
    Result<void> take(std::uint64_t size, const std::function<void(std::string_view)>& use);
    Result<void> receive_literal(std::uint64_t size, LineEnds& line_ends,
                                 mailbox::MessageWriter& writer);
    Reply done(const mailbox::Appended& appended) const;
    Error stop(Reply reply);

    Session& s_;
    std::string tag_;
    std::string rest_;
    std::optional<Literal> pending_;
    std::optional<Reply> refusal_;  // why the command cannot be carried out
    std::string rights_;            // in the mailbox
    std::uint32_t replaced_ = 0;    // sequence number; 0: it is no REPLACE
};

void Session::append(const std::string& text, bool at_literal) {
    AppendCommand(*this).run(text, at_literal);
}

void AppendCommand::run(const std::string& text, bool at_literal) {
    if (at_literal) pending_ = s_.reader_.literal();
    auto command = imap::parse_command(text);
    if (!command || !s_.take_names(*command)) {
        s_.finish_bad(imap::tag_or_star(text),
                      command ? "Mailbox name is not UTF-8" : command.error().what);
        if (at_literal) s_.refuse_literal(*pending_);
        return;
    }
    tag_ = command->tag;
    const Reply reply = carry_out(*command);
    // What was carried out is said, also where the selected mailbox went meanwhile, or the client
    // would do it again.
    if (!s_.over_ || !reply.text.empty()) answer(reply);
}

Reply AppendCommand::carry_out(const imap::Command& command) {
    const auto& arguments = std::get<imap::AppendArguments>(command.arguments);
    if (command.verb == imap::Verb::replace) {
        if (auto refusal = find_replaced(arguments.replaces, command.uid)) return *refusal;
    }
    auto box = s_.store_.mailbox(arguments.mailbox);
    if (!box && box.error().code == Errc::not_found)
        return Reply::no("[TRYCREATE] Mailbox doesn't exist");
    if (!box) return s_.failed(box.error());
    rights_ = s_.rights_of(arguments.mailbox);
    if (!mailbox::has_right(rights_, 'i'))
        return s_.lacks("i", arguments.mailbox).value_or(Reply::no("[NOPERM] Not allowed"));
    Reply reply = receive(arguments.first, arguments.mailbox, *box);
    if (s_.over_) return reply;
    if (replaced_ != 0 && reply.kind == Reply::Kind::ok) reply = replace(reply);
    if (s_.selected_ && !pending_ && (!s_.is_silent() || replaced_ != 0))
        s_.synchronize(mailbox::Expunges::report);
    return reply;
}

// RFC 8508 3.3: exactly one message of the selected mailbox
std::optional<Reply> AppendCommand::find_replaced(const imap::SequenceSet& set, bool uid) {
    if (!s_.selected_) return Reply::bad("No mailbox selected.");
    if (!uid && s_.enabled_.uid_only) return uid_required();
    if (s_.selected_->view->read_only()) return Reply::no("[READ-ONLY] Mailbox is read-only");
    if (!s_.may_go_on()) return Reply::no("[NOPERM] The mailbox may not be read any more");
    if (!s_.selected_->may('t') || !s_.selected_->may('e'))
        return s_.lacks("te", s_.selected_->name).value_or(Reply::no("[NOPERM] Not allowed"));
    const auto seqs = s_.sequence_numbers(set, uid);
    if (!seqs) return Reply::bad(seqs.error().what);
    if (seqs->empty()) return Reply::no("[NONEXISTENT] No such message");
    if (seqs->size() > 1) return Reply::bad("REPLACE takes one message");
    replaced_ = seqs->front();
    return std::nullopt;
}

// The new message is there: the old one goes. RFC 8508 4: its UID is told before the EXPUNGE.
Reply AppendCommand::replace(const Reply& appended) {
    s_.out_.write(cat({"* OK ", appended.text, "\r\n"}));
    if (auto gone = s_.selected_->view->expunge(std::span(&replaced_, 1)); !gone)
        return s_.failed(gone.error());
    return Reply::ok("Replace completed.");
}

// Where a literal is still to come, the answer is there before the client has sent it.
void AppendCommand::answer(const Reply& reply) {
    s_.finish(tag_, reply);
    if (pending_) s_.refuse_literal(*pending_);
}

// Reasons to say NO before the message is sent.
std::optional<Reply> AppendCommand::refuse(const imap::AppendItem& item) const {
    if (item.utf8 && !s_.enabled_.utf8)  // RFC 6855 4
        return Reply::bad("Error in IMAP command: UTF8 is not enabled");
    if (auto flags = sort_flags(item.flags); !flags) return Reply::bad(flags.error().what);
    if (!pending_) return std::nullopt;
    if (s_.options_.max_message != 0 && pending_->size > s_.options_.max_message)
        return Reply::no("[TOOBIG] Message is too large");
    if (item.binary && pending_->size > kMaxBinary)
        return Reply::no("[TOOBIG] Message is too large");
    if (!item.catenate && pending_->size == 0)
        return Reply::no("[CANNOT] Can't save an empty message");
    return std::nullopt;
}

// All messages, RFC 3502; they are in the mailbox when the last has come, or none is.
Reply AppendCommand::receive(imap::AppendItem item, const std::string& name,
                             const mailbox::Mailbox& box) {
    mailbox::Appender appender(box);
    for (std::size_t count = 1;; ++count) {
        if (auto refusal = s_.too_many_to_save(count)) return *refusal;
        if (auto refusal = refuse(item)) return *refusal;
        const auto added = add(item, appender);
        if (s_.over_) return Reply::no("");  // which nobody hears
        if (refusal_) return *refusal_;
        if (!added) return not_added(added.error());
        if (!pending_ && trim(rest_).empty()) break;
        if (replaced_ != 0) return Reply::bad("Error in IMAP command: REPLACE takes one message");
        auto next = imap::parse_next_append(rest_);
        if (!next) return Reply::bad("Error in IMAP command: " + next.error().what);
        item = *std::move(next);
    }
    // The client may have taken days for its message.
    if (auto refusal = s_.lacks("i", name)) return *refusal;
    const auto appended = appender.commit();
    if (!appended) return s_.failed(appended.error());
    if (s_.selected_ && box.path() == s_.selected_->mailbox.path())
        s_.selected_->note_own(appended->uids);
    s_.note_added(name, appended->uids);
    return done(*appended);
}

Reply AppendCommand::not_added(const Error& error) const {
    if (error.code == Errc::permanent) return Reply::no("[UNKNOWN-CTE] " + error.what);  // RFC 3516
    return s_.failed(error);
}

Reply AppendCommand::done(const mailbox::Appended& appended) const {
    return Reply::ok(cat({"[APPENDUID ", std::to_string(appended.uid_validity), " ",
                          imap::format_set(appended.uids), "] Append completed."}));
}

Error AppendCommand::stop(Reply reply) {
    refusal_ = std::move(reply);
    return {Errc::invalid, "APPEND is refused", 0};
}

// Where the mailbox fails before it asks for the content, the literal stays pending.
Result<void> AppendCommand::add(const imap::AppendItem& item, mailbox::Appender& appender) {
    TRY_ASSIGN(const NamedFlags flags, sort_flags(item.flags));
    mailbox::AppendMessage message;
    // RFC 4314 4: flags that may not be set are left out
    message.flags = static_cast<mailbox::SystemFlags>(flags.system & settable_flags(rights_));
    if (mailbox::has_right(rights_, 'w')) message.keywords = flags.keywords;
    message.date = item.date ? item.date->seconds : 0;
    message.content = [&](mailbox::MessageWriter& writer) -> Result<void> {
        return item.catenate ? catenate(*item.catenate, writer) : receive_message(item, writer);
    };
    return appender.add(message);
}

// A failed write does not stop the reading: the client goes on sending.
Result<void> AppendCommand::receive_message(const imap::AppendItem& item,
                                            mailbox::MessageWriter& writer) {
    const std::uint64_t size = accept_literal();
    Result<void> written;
    if (item.binary) {
        written = receive_binary(size, writer);
    } else {
        LineEnds line_ends;
        written = receive_literal(size, line_ends, writer);
        if (written) written = line_ends.finish(writer);
    }
    if (!s_.over_) TRY(receive_rest(item.utf8));
    return written;
}

// RFC 4469 3: texts of the client and parts of messages that are here already
Result<void> AppendCommand::catenate(imap::CatenatePiece piece, mailbox::MessageWriter& writer) {
    LineEnds line_ends;
    std::uint64_t size = 0;
    for (;;) {
        for (const std::string& url : piece.urls) TRY(append_url(url, line_ends, writer, size));
        if (piece.closed) break;
        if (piece.utf8 && !s_.enabled_.utf8)
            return stop(Reply::bad("Error in IMAP command: UTF8 is not enabled"));
        size += pending_->size;
        if (s_.options_.max_message != 0 && size > s_.options_.max_message)
            return stop(Reply::no("[TOOBIG] Message is too large"));
        const auto written = receive_literal(accept_literal(), line_ends, writer);
        if (!s_.over_) TRY(receive_rest(piece.utf8));
        TRY(written);
        auto next = imap::parse_catenate_piece(rest_);
        if (!next) return stop(Reply::bad("Error in IMAP command: " + next.error().what));
        piece = *std::move(next);
    }
    rest_ = piece.rest;
    if (size == 0) return stop(Reply::no("[CANNOT] Can't save an empty message"));
    return line_ends.finish(writer);
}

Result<void> AppendCommand::append_url(const std::string& url, LineEnds& line_ends,
                                       mailbox::MessageWriter& writer, std::uint64_t& size) {
    const auto bytes = s_.bytes_of_url(url);
    if (!bytes) {  // RFC 4469 4.1
        std::string shown;
        imap::append_string(shown, printable(url, 1000, false));
        log::info(s_.options_.trace, bytes.error().what);
        const std::string_view why =
            bytes.error().sys == 0 ? std::string_view(bytes.error().what) : "cannot be read";
        return stop(Reply::no(cat({"[BADURL ", shown, "] ", why})));
    }
    size += bytes->size();
    if (s_.options_.max_message != 0 && size > s_.options_.max_message)
        return stop(Reply::no("[TOOBIG] Message is too large"));
    return line_ends.write(writer, *bytes);
}

// The client may send the pending literal now; how long it is.
std::uint64_t AppendCommand::accept_literal() {
    const Literal literal = *pending_;
    pending_.reset();
    if (literal.waits) {
        s_.out_.write("+ OK\r\n");
        s_.out_.flush();
    }
    s_.reader_.stream_literal();
    return literal.size;
}

// Takes the literal's bytes from the connection. Ends the session when the connection ends.
Result<void> AppendCommand::take(std::uint64_t size,
                                 const std::function<void(std::string_view)>& use) {
    while (size > 0) {
        auto input = s_.connection_.input(Deadline::in(s_.options_.idle_timeout));
        if (!input) {
            s_.end(input.error().what);
            return std::move(input).error();
        }
        const auto bytes = input->substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(size, input->size())));
        use(bytes);
        s_.connection_.consume(bytes.size());
        size -= bytes.size();
    }
    return {};
}

Result<void> AppendCommand::receive_literal(std::uint64_t size, LineEnds& line_ends,
                                            mailbox::MessageWriter& writer) {
    Result<void> written;
    TRY(take(size, [&](std::string_view bytes) {
        if (written) written = line_ends.write(writer, bytes);
    }));
    return written;
}

// In memory, since parts are encoded anew.
Result<void> AppendCommand::receive_binary(std::uint64_t size, mailbox::MessageWriter& writer) {
    std::string text;
    TRY(take(size, [&](std::string_view bytes) { text += bytes; }));
    text = imap::without_binary(text);
    if (text.find('\0') != std::string::npos) return no_encoding();
    LineEnds line_ends;
    TRY(line_ends.write(writer, text));
    return line_ends.finish(writer);
}

// What follows a literal, up to the next one or the line's end: into rest_ and pending_. Where the
// literal `closes`, a parenthesis comes first.
Result<void> AppendCommand::receive_rest(bool closes) {
    const auto extra = [&] {
        return stop(Reply::bad("Error in IMAP command: Unexpected arguments after the message"));
    };
    const std::size_t before = s_.reader_.text().size();
    for (;;) {
        auto input = s_.connection_.input(Deadline::in(s_.options_.idle_timeout));
        if (!input) {
            s_.end(input.error().what);
            return std::move(input).error();
        }
        std::string_view rest = *input;
        const auto event = s_.reader_.feed(rest);
        s_.connection_.consume(input->size() - rest.size());
        if (event == CommandReader::Event::need_more) continue;
        if (event == CommandReader::Event::too_long) return extra();
        rest_ = s_.reader_.text().substr(before);
        if (event == CommandReader::Event::literal) {
            pending_ = s_.reader_.literal();
            if (is_url_literal(rest_) && s_.reader_.fits(*pending_)) {
                if (pending_->waits) s_.out_.write("+ OK\r\n");
                s_.out_.flush();
                s_.reader_.keep_literal();
                pending_.reset();
                continue;
            }
        }
        if (closes && !rest_.starts_with(')')) return extra();
        if (closes) rest_.erase(0, 1);
        return {};
    }
}

}  // namespace postern::imapd
