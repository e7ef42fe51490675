// QueueId and SessionId: the two names by which a story is followed across processes and logs.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/base/result.h"

namespace postern {

// Names a message for as long as it is in the queue, and its queue file. Digits, upper- and lower-case
// consonants (as Postfix's long ids: no word can appear by chance); sorts by time of arrival.
class QueueId {
  public:
    static constexpr std::size_t kMinSize = 6;
    static constexpr std::size_t kMaxSize = 24;

    QueueId() = default;  // "no message"; is logged as NOQUEUE
    // Microsecond time and 24 random bits.
    static QueueId make(const Clock& clock, Random& random);
    // Errc::invalid unless the text has only id characters and a fitting length.
    static Result<QueueId> parse(std::string_view text);

    const std::string& str() const { return text_; }
    bool empty() const { return text_.empty(); }
    auto operator<=>(const QueueId&) const = default;

  private:
    explicit QueueId(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

// Names one accepted connection, 12 characters.
class SessionId {
  public:
    static constexpr std::size_t kSize = 12;

    SessionId() = default;
    static SessionId make(const Clock& clock, Random& random);
    static Result<SessionId> parse(std::string_view text);

    const std::string& str() const { return text_; }
    bool empty() const { return text_.empty(); }
    auto operator<=>(const SessionId&) const = default;

  private:
    explicit SessionId(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

}  // namespace postern
