// MessageFilter: the text of one message on its way into the queue file. Pure: bytes in, bytes out,
// in any portions. It puts fields on top and below the header, takes some away, completes addresses
// of local submissions, and finds out what others want to know: message id, dot lines, hops.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/verdict.h"
#include "lib/content/body_filter.h"
#include "lib/content/seven_bit.h"

#include "cleanup/options.h"

namespace postern::cleanup {

// What the filter knows about the message beforehand.
struct FilterTask {
    std::string received;  // complete Received: field, or empty
    bool local = false;    // submitted here: complete addresses, add missing fields
    // How addresses in the header are completed; null: not at all.
    const table::Completion* completion = nullptr;
    std::string date;        // for a missing Date:
    std::string message_id;  // for a missing Message-Id:, with <>
    std::string from;        // for a missing From:, complete field body
    bool external = false;   // what is wrong with its text may refuse it
    bool smtputf8 = false;   // its headers may have UTF-8, RFC 6532
    bool find_utf8 = false;  // look for UTF-8 in all headers: effects().utf8_header
};

// Does the message's own header, but for our Received: on top, have UTF-8?
bool has_utf8_field(std::string_view message);

class MessageFilter {
  public:
    // `options` and `rules` must outlive the filter; rules: null when nothing is to be checked.
    MessageFilter(const Options& options, FilterTask task, content::Rules* rules = nullptr);

    // Takes the next bytes of the message (CRLF lines) and appends what goes into the file to out.
    void feed(std::string_view bytes, std::string& out);
    // The message ends here.
    void finish(std::string& out);

    // Why the message must be refused; then what was written is of no use.
    const std::optional<Verdict>& refusal() const { return refusal_; }
    // What the rules want to become of the message.
    content::Effects& effects() { return effects_; }
    bool in_header() const { return in_header_; }
    bool has_dot_lines() const { return has_dot_lines_; }
    // Content-Transfer-Encoding: of the message is 8bit or binary.
    bool declares_8bit() const { return type_.encoding == content::PartType::Encoding::eight_bit; }
    // RFC 8689 5: the header has "TLS-Required: no".
    bool tls_optional() const { return tls_optional_; }
    // It was converted (force_mime_input_conversion), and nothing is left that needs 8BITMIME.
    bool is_seven_bit() const { return converter_ && !converter_->left_8bit(); }
    // The text of the message id with <>, of the field that was found or added; empty if there is
    // none.
    const std::string& message_id() const { return message_id_; }
    // "message-id" or "resent-message-id".
    std::string_view message_id_name() const {
        return resent_ ? "resent-message-id" : "message-id";
    }

  private:
    // Fields whose absence matters.
    enum Seen : unsigned { kDate = 1, kMessageId = 2, kFrom = 4, kDestination = 8 };

    void take_clean(std::string_view bytes, std::string& out);
    void take(std::string_view bytes, std::string& out);
    void header_bytes(std::string_view bytes, std::string& out);
    bool header_line(std::string_view line,
                     std::string& out);  // false: the header has ended before this line
    void end_field(std::string& out);
    void note_field(std::string_view lower_name, std::string_view body);
    void end_header(std::string& out);
    std::optional<std::string> checked_field(std::string_view lower_name, std::string& out,
                                             std::string field);
    void put_field(std::string field, std::string& out);
    void begin_body();
    void body_bytes(std::string_view bytes, std::string& out);
    void put_body(std::string_view bytes, std::string& out);
    void take_refusal();
    void refuse(std::string_view status, std::string_view text);

    const Options& options_;
    FilterTask task_;
    content::Limits limits_;  // of options_, as far as they are for this message
    TextCleaner cleaner_;
    std::optional<content::SevenBitConverter> converter_;  // before anybody looks at the text
    std::string converted_;
    bool in_header_ = true;
    bool started_ = false;
    std::string field_;            // the header field that may go on in the next line
    std::string partial_;          // a line of the header that is not complete yet
    char last_[2] = {'\r', '\n'};  // the last two bytes of the body so far
    std::uint64_t size_ = 0;
    std::size_t hops_ = 0;
    unsigned seen_ = 0, resent_seen_ = 0;
    bool resent_ = false;
    bool tls_optional_ = false;
    bool has_dot_lines_ = false;
    std::string message_id_;
    std::optional<Verdict> refusal_;
    content::NoRules no_rules_;
    content::Rules* rules_;
    content::Effects effects_;
    content::PartType type_;
    std::optional<content::BodyFilter> body_;  // when lines of the text are to be checked
    std::string checked_;                      // what came out of it
};

}  // namespace postern::cleanup
