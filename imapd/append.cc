// APPEND, RFC 3501 6.3.11: the message is streamed from the client into the mailbox and committed
// when the command's last line end has come. Maildirs hold LF line ends, so CRLF becomes LF on the
// way; the reverse step in to_wire_form() gives the same bytes again (a CR before a CRLF stays
// where it is).
#include <algorithm>

#include "imapd/flag_names.h"
#include "imapd/session.h"
#include "lib/base/strings.h"

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

}  // namespace

void Session::append(const std::string& text) {
    const auto literal = reader_.literal();
    auto command = imap::parse_command(text);
    if (!command) {
        finish_bad(imap::tag_or_star(text), command.error().what);
        return reader_.refuse_literal();
    }
    const auto& arguments = std::get<imap::AppendArguments>(command->arguments);
    if (const auto refusal = refuse_append(arguments, literal.size)) {
        finish(command->tag, *refusal);
        if (!literal.waits && literal.size > kMaxDropped) return end("Too large literal");
        return reader_.refuse_literal();
    }
    const Reply reply = run_append(arguments, literal);
    if (selected_ && !over_) synchronize(mailbox::Expunges::report);
    finish(command->tag, reply);
}

// Reasons to say NO before the message is sent.
std::optional<Reply> Session::refuse_append(const imap::AppendArguments& arguments,
                                            std::uint64_t size) const {
    if (auto flags = sort_flags(arguments.flags); !flags) return Reply::bad(flags.error().what);
    if (options_.max_message != 0 && size > options_.max_message)
        return Reply::no("[TOOBIG] Message is too large");
    if (size == 0) return Reply::no("[CANNOT] Can't save an empty message");
    if (auto box = store_.mailbox(arguments.mailbox); !box) {
        if (box.error().code == Errc::not_found)
            return Reply::no("[TRYCREATE] Mailbox doesn't exist");
        return failed(box.error());
    }
    return std::nullopt;
}

Reply Session::run_append(const imap::AppendArguments& arguments, CommandReader::Literal literal) {
    auto box = store_.mailbox(arguments.mailbox);
    auto flags = sort_flags(arguments.flags);
    if (!box || !flags) return failed(box ? flags.error() : box.error());
    if (literal.waits) {
        out_.write("+ OK\r\n");
        out_.flush();
    }
    reader_.stream_literal();
    bool received = false;  // all of the command has been read
    bool connected = true;
    mailbox::AppendMessage message;
    message.flags = flags->system;
    message.keywords = flags->keywords;
    message.date = arguments.date ? arguments.date->seconds : 0;
    message.content = [&](mailbox::MessageWriter& writer) -> Result<void> {
        auto content = receive_literal(literal.size, &writer);
        connected = !over_;
        if (!connected) return content;
        auto rest = receive_end_of_append();  // also after a failed write: the next command starts
                                              // behind it
        received = true;
        connected = !over_;
        TRY(content);
        return rest;
    };
    auto appended = box->append(std::span(&message, 1));
    if (!received && connected) {  // the mailbox failed before it asked for the content
        if (receive_literal(literal.size, nullptr)) (void)receive_end_of_append().has_value();
    }
    return append_done(appended, !over_);
}

Reply Session::append_done(const Result<mailbox::Appended>& appended, bool connection_is_good) {
    if (appended) {
        return Reply::ok(cat({"[APPENDUID ", std::to_string(appended->uid_validity), " ",
                              std::to_string(appended->uids.front()), "] Append completed."}));
    }
    if (connection_is_good && appended.error().code == Errc::invalid)
        return Reply::bad(appended.error().what);
    return failed(appended.error());
}

// Takes the literal's bytes from the connection. A failed write does not stop the reading: the
// client goes on sending. Sets over_ when the connection ends.
Result<void> Session::receive_literal(std::uint64_t size, mailbox::MessageWriter* writer) {
    LineEnds line_ends;
    Result<void> written;
    while (size > 0) {
        auto input = connection_.input(Deadline::in(options_.idle_timeout));
        if (!input) {
            end(input.error().what);
            return std::move(input).error();
        }
        const auto bytes = input->substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(size, input->size())));
        if (writer != nullptr && written) written = line_ends.write(*writer, bytes);
        connection_.consume(bytes.size());
        size -= bytes.size();
    }
    if (writer != nullptr && written) written = line_ends.finish(*writer);
    return written;
}

// RFC 3501 9: nothing but the line end follows the message.
Result<void> Session::receive_end_of_append() {
    const std::size_t before = reader_.text().size();
    for (;;) {
        auto input = connection_.input(Deadline::in(options_.idle_timeout));
        if (!input) {
            end(input.error().what);
            return std::move(input).error();
        }
        std::string_view rest = *input;
        const auto event = reader_.feed(rest);
        connection_.consume(input->size() - rest.size());
        switch (event) {
            case CommandReader::Event::need_more: continue;
            case CommandReader::Event::literal: reader_.refuse_literal(); break;
            case CommandReader::Event::too_long: break;
            case CommandReader::Event::complete:
                if (trim(reader_.text().substr(before)).empty()) return {};
                break;
        }
        return Error{Errc::invalid, "Unexpected arguments after the message"};
    }
}

}  // namespace postern::imapd
