// Maildrop files: mail that local users submitted and pickup has not taken yet. sendmail writes the
// same bytes to postdrop, which checks every one of them and keeps them in maildrop/. Format:
// doc/formats/maildrop.md. The end record with its checksum is the commit, as in queue files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::queue {

// Of mail that was in the queue already (postsuper -r): what is known of a recipient.
struct RequeuedRecipient {
    std::string original;  // as the first sender said it; empty: the same
    std::string orcpt;
    std::uint8_t notify = 0;
};

// What a local user says about a message besides its text. Addresses are as given: "u1" is one.
struct MaildropEnvelope {
    std::string sender;     // empty: the null sender
    std::string full_name;  // for a missing From:
    std::vector<std::string> recipients;
    std::string envid;        // RFC 3461 4.4
    std::string ret;          // "full", "hdrs" or empty
    std::uint8_t notify = 0;  // Notify bits, for every recipient
    std::string verp;         // two delimiters: VERP; or empty
    bool body_8bit = false;
    bool smtputf8 = false;
    bool report_all = false;  // sendmail -v: a report of the first attempt to deliver
    bool probe = false;       // sendmail -bv: a report of what would be delivered
    QueueId requeued;         // the id that it had; only with it:
    int priority = 0;         // RFC 6710
    WallTime release{};       // RFC 4865
    std::vector<RequeuedRecipient> known;  // with `requeued`: one for each recipient
};

// Makes the bytes of a maildrop file, to be written one after the other.
class MaildropWriter {
  public:
    // Values too long for the format give Errc::invalid.
    Result<std::string> begin(const MaildropEnvelope& envelope);
    std::string content(std::string_view bytes);  // wire form, CRLF
    std::string end();

  private:
    std::string counted(std::string bytes);
    std::uint64_t size_ = 0;
    std::uint32_t crc_ = 0;
};

// Checks the bytes of a maildrop file as they come, in any portions. Whoever wrote them is a
// stranger.
class MaildropParser {
  public:
    struct Limits {
        std::size_t recipients = 200'000;
        std::uint64_t content = UINT64_MAX;
        bool requeued = false;  // whether the writer may say that it was in the queue already
    };
    MaildropParser() = default;
    explicit MaildropParser(Limits limits) : limits_(limits) {}

    // Appends content bytes to `content` unless it is null. After an Error the parser is of no use.
    // Errc::no_space: more content than allowed.
    Result<void> feed(std::string_view bytes, std::string* content);
    // The whole file has been seen, its end record included.
    bool complete() const { return state_ == State::done; }
    // Everything before the content has been seen.
    bool has_envelope() const { return state_ != State::magic && state_ != State::envelope; }
    const MaildropEnvelope& envelope() const { return envelope_; }
    std::uint64_t content_size() const { return content_size_; }

  private:
    enum class State : unsigned char { magic, envelope, content, done };
    Result<void> record(char type, std::string_view value, std::string* content);
    Result<void> envelope_record(char type, std::string_view value);
    Result<void> requeue_record(char type, std::string_view value);
    Result<void> take_recipient(std::string_view value);
    Result<void> take_text(std::string& to, std::string_view value, std::size_t limit,
                           unsigned once);
    Result<void> take_content(std::string_view bytes, std::string* content);
    Result<void> finish(std::string_view value);

    Limits limits_;
    State state_ = State::magic;
    std::string rest_;  // an incomplete record
    MaildropEnvelope envelope_;
    unsigned seen_ = 0;  // record types that may occur once
    char last_ = '\n';
    std::uint64_t content_size_ = 0;
    std::uint64_t size_ = 0;  // of the records taken so far
    std::uint32_t crc_ = 0;
};

// The envelope of a complete file, for listings. Errc::closed when it is not complete (being
// written).
Result<MaildropEnvelope> read_maildrop_envelope(sys::Fs& fs, int fd);

}  // namespace postern::queue
