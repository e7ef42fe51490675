// MailSession: one logged-in POP3 user. Straight-line and blocking: reads commands, asks the engine
// (lib/pop3/session.h), sends messages, and removes what was deleted when the client says QUIT. A
// client that merely disconnects changes nothing (RFC 1939 6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/mailbox.h"
#include "lib/pop3/session.h"

#include "pop3d/client_stream.h"

namespace postern::pop3d {

struct Options {
    Millis idle_timeout{600'000};
    std::string uidl_format = "%08Xu%08Xv";  // pop3_uidl_format
    pop3::Capabilities capabilities;
    mailbox::UidlByBase known_uidls = {};    // told by a server before us, by base name of the file
    std::string greeting = "+OK Logged in.\r\n";  // the answer to the command that logged in
    std::string trace;                             // session id, for the log
};

// What the session did, for the log.
struct Summary {
    std::uint64_t retrieved = 0, retrieved_bytes = 0, topped = 0, deleted = 0, messages = 0;
    std::string end;  // "Logged out", "Disconnected for inactivity", ...
    std::string str() const;
};

// RFC 1939 4: one POP3 session has the maildrop at a time. IMAP sessions and deliveries go on:
// nobody else takes this lock. Errc::timeout: another session has it.
Result<mailbox::FolderLock> lock_maildrop(const mailbox::Mailbox& inbox);

class MailSession {
  public:
    // pending: bytes of the client that were read before. The view is open for read_write.
    MailSession(ClientStream& stream, mailbox::View& view, Options options, std::string pending)
        : stream_(stream), view_(view), options_(std::move(options)), in_(std::move(pending)) {}

    // Serves until the client leaves or the connection breaks.
    Summary run();

  private:
    enum class LineKind : unsigned char { line, too_long };
    struct Line {
        LineKind kind;
        std::string text;
    };

    Result<std::vector<std::uint64_t>> take_stock();
    std::string unique_id(std::uint32_t seq) const;
    Result<void> converse();
    Result<Line> next_line();
    bool take_line(Line& line);
    Result<bool> perform(const pop3::Action& action);  // false: over
    Result<void> send_message(const pop3::Action& action);
    bool update();
    void mark_seen();
    struct OpenMessage {
        Fd file;
        std::uint64_t offset = 0, left = 0;  // bytes of the file
        std::string piece;
    };
    Result<OpenMessage> open_message(std::uint32_t seq);
    static Result<std::string> next_piece(OpenMessage& message);
    void write(std::string_view bytes) { out_ += bytes; }
    Result<void> flush();

    ClientStream& stream_;
    mailbox::View& view_;
    Options options_;
    std::string in_;
    std::string out_;
    bool skipping_ = false;  // inside a line that is too long
    pop3::Session engine_{{}, {}};
    Summary summary_;
};

}  // namespace postern::pop3d
