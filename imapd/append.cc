// APPEND, RFC 3501 6.3.11, RFC 3502, RFC 3516: each message is streamed from the client into the
// mailbox and committed when the command's last line end has come. Maildirs hold LF line ends, so
// CRLF becomes LF on the way; the reverse step in to_wire_form() gives the same bytes again (a CR
// before a CRLF stays where it is).
#include <algorithm>
#include <functional>
#include <span>

#include "imapd/flag_names.h"
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/binary_append.h"
#include "lib/mailbox/appender.h"

namespace postern::imapd {
namespace {

using imap::CommandReader;

// A client that sends a refused literal all the same (LITERAL+) is read to its end up to this size.
constexpr std::uint64_t kMaxDropped = 256 * 1024 * 1024;

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

}  // namespace

// One APPEND, its messages in their order.
class AppendCommand {
  public:
    explicit AppendCommand(Session& session) : s_(session) {}
    void run(const std::string& text);

  private:
    using Literal = CommandReader::Literal;
    enum class Then : unsigned char { end, another, error };

    std::optional<Reply> refuse(const imap::AppendItem& item, std::uint64_t size) const;
    std::optional<Reply> find_replaced(const imap::SequenceSet& set, bool uid);
    Reply replace(const Reply& appended);
    void give_up(const Reply& reply, const Literal& literal);
    Reply receive(imap::AppendItem item, Literal literal, const mailbox::Mailbox& box);
    Result<void> receive_message(const imap::AppendItem& item, const Literal& literal,
                                 mailbox::Appender& appender);
    Result<void> receive_binary(std::uint64_t size, mailbox::MessageWriter& writer);
    Then receive_rest(bool closes);
    Result<void> take(std::uint64_t size, const std::function<void(std::string_view)>& use);
    Result<void> receive_literal(std::uint64_t size, mailbox::MessageWriter* writer);
    Reply done(const mailbox::Appended& appended) const;

    Session& s_;
    std::string tag_;
    std::string rest_;            // what followed the message at hand
    bool answered_ = false;       // the command, before its end
    std::uint32_t replaced_ = 0;  // sequence number; 0: it is no REPLACE
};

void Session::append(const std::string& text) { AppendCommand(*this).run(text); }

void AppendCommand::run(const std::string& text) {
    const Literal literal = s_.reader_.literal();
    auto command = imap::parse_command(text);
    if (!command || !s_.take_names(*command)) {
        s_.finish_bad(imap::tag_or_star(text),
                      command ? "Mailbox name is not UTF-8" : command.error().what);
        return s_.reader_.refuse_literal();
    }
    tag_ = command->tag;
    const auto& arguments = std::get<imap::AppendArguments>(command->arguments);
    if (command->verb == imap::Verb::replace) {
        if (const auto refusal = find_replaced(arguments.replaces, command->uid))
            return give_up(*refusal, literal);
    }
    auto box = s_.store_.mailbox(arguments.mailbox);
    if (!box) {
        const bool missing = box.error().code == Errc::not_found;
        return give_up(
            missing ? Reply::no("[TRYCREATE] Mailbox doesn't exist") : s_.failed(box.error()),
            literal);
    }
    Reply reply = receive(arguments.first, literal, *box);
    if (answered_ || s_.over_) return;
    if (replaced_ != 0 && reply.kind == Reply::Kind::ok) reply = replace(reply);
    if (s_.selected_) s_.synchronize(mailbox::Expunges::report);
    s_.finish(tag_, reply);
}

// RFC 8508 3.3: exactly one message of the selected mailbox
std::optional<Reply> AppendCommand::find_replaced(const imap::SequenceSet& set, bool uid) {
    if (!s_.selected_) return Reply::bad("No mailbox selected.");
    if (s_.selected_->view->read_only()) return Reply::no("[READ-ONLY] Mailbox is read-only");
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

// Answers before the client has sent the message.
void AppendCommand::give_up(const Reply& reply, const Literal& literal) {
    answered_ = true;
    s_.finish(tag_, reply);
    if (!literal.waits && literal.size > kMaxDropped) return s_.end("Too large literal");
    s_.reader_.refuse_literal();
}

// Reasons to say NO before the message is sent.
std::optional<Reply> AppendCommand::refuse(const imap::AppendItem& item, std::uint64_t size) const {
    if (item.utf8 && !s_.enabled_.utf8)  // RFC 6855 4
        return Reply::bad("Error in IMAP command: UTF8 is not enabled");
    if (auto flags = sort_flags(item.flags); !flags) return Reply::bad(flags.error().what);
    if (s_.options_.max_message != 0 && size > s_.options_.max_message)
        return Reply::no("[TOOBIG] Message is too large");
    if (item.binary && size > kMaxDropped) return Reply::no("[TOOBIG] Message is too large");
    if (size == 0) return Reply::no("[CANNOT] Can't save an empty message");
    return std::nullopt;
}

// All messages, RFC 3502; they are in the mailbox when the last has come, or none is.
Reply AppendCommand::receive(imap::AppendItem item, Literal literal, const mailbox::Mailbox& box) {
    mailbox::Appender appender(box);
    for (;;) {
        if (const auto refusal = refuse(item, literal.size))
            return give_up(*refusal, literal), *refusal;
        const auto added = receive_message(item, literal, appender);
        if (s_.over_) return Reply::no("");  // which nobody hears
        const Then then = receive_rest(item.utf8);
        if (s_.over_) return Reply::no("");
        if (then == Then::error)
            return Reply::bad("Error in IMAP command: Unexpected arguments after the message");
        literal = s_.reader_.literal();
        Reply failure = Reply::ok("");
        if (!added && added.error().code == Errc::permanent)
            failure = Reply::no("[UNKNOWN-CTE] " + added.error().what);  // RFC 3516 4.4
        else if (!added)
            failure = s_.failed(added.error());
        if (then == Then::end && !added) return failure;
        if (then == Then::end) break;
        if (!added) return give_up(failure, literal), failure;
        if (replaced_ != 0) {
            const Reply one = Reply::bad("Error in IMAP command: REPLACE takes one message");
            return give_up(one, literal), one;
        }
        auto next = imap::parse_next_append(rest_);
        if (!next) {
            const Reply reply = Reply::bad("Error in IMAP command: " + next.error().what);
            return give_up(reply, literal), reply;
        }
        item = *std::move(next);
    }
    const auto appended = appender.commit();
    return appended ? done(*appended) : s_.failed(appended.error());
}

Reply AppendCommand::done(const mailbox::Appended& appended) const {
    return Reply::ok(cat({"[APPENDUID ", std::to_string(appended.uid_validity), " ",
                          imap::format_set(appended.uids), "] Append completed."}));
}

Result<void> AppendCommand::receive_message(const imap::AppendItem& item, const Literal& literal,
                                            mailbox::Appender& appender) {
    TRY_ASSIGN(const NamedFlags flags, sort_flags(item.flags));
    if (literal.waits) {
        s_.out_.write("+ OK\r\n");
        s_.out_.flush();
    }
    s_.reader_.stream_literal();
    bool asked = false;
    mailbox::AppendMessage message;
    message.flags = flags.system;
    message.keywords = flags.keywords;
    message.date = item.date ? item.date->seconds : 0;
    message.content = [&](mailbox::MessageWriter& writer) -> Result<void> {
        asked = true;
        return item.binary ? receive_binary(literal.size, writer)
                           : receive_literal(literal.size, &writer);
    };
    auto added = appender.add(message);
    // The mailbox failed before it asked for the content: the client sends it all the same.
    if (!asked) TRY(receive_literal(literal.size, nullptr));
    return added;
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

// A failed write does not stop the reading: the client goes on sending.
Result<void> AppendCommand::receive_literal(std::uint64_t size, mailbox::MessageWriter* writer) {
    LineEnds line_ends;
    Result<void> written;
    TRY(take(size, [&](std::string_view bytes) {
        if (writer != nullptr && written) written = line_ends.write(*writer, bytes);
    }));
    if (writer != nullptr && written) written = line_ends.finish(*writer);
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

// RFC 3502 6.3.11: another message follows, or the line ends; before that, where it `closes`, a
// parenthesis.
AppendCommand::Then AppendCommand::receive_rest(bool closes) {
    const std::size_t before = s_.reader_.text().size();
    for (;;) {
        auto input = s_.connection_.input(Deadline::in(s_.options_.idle_timeout));
        if (!input) {
            s_.end(input.error().what);
            return Then::error;
        }
        std::string_view rest = *input;
        const auto event = s_.reader_.feed(rest);
        s_.connection_.consume(input->size() - rest.size());
        if (event == CommandReader::Event::need_more) continue;
        if (event == CommandReader::Event::too_long) return Then::error;
        rest_ = s_.reader_.text().substr(before);
        if (closes && !rest_.starts_with(')')) return Then::error;
        if (closes) rest_.erase(0, 1);
        if (event == CommandReader::Event::literal) return Then::another;
        return trim(rest_).empty() ? Then::end : Then::error;
    }
}

}  // namespace postern::imapd
