// THREAD, RFC 5256 3 and REFS (as REFERENCES, but subjects say nothing, and the thread with the
// youngest message is the last): which messages belong together. Pure: what is known of each message comes in,
// the text of the response comes out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern::imap {

enum class ThreadAlgorithm : unsigned char { ordered_subject, references, refs };

struct ThreadMessage {
    std::uint32_t number = 0;  // as it is to be shown: sequence number or UID
    std::int64_t date = 0;     // sent, in UTC
    std::string subject;       // base subject, collated
    bool is_reply = false;
    std::string id;                       // Message-ID without angle brackets; may be empty
    std::vector<std::string> references;  // the same; oldest first
};

inline constexpr std::size_t kMaxReferences = 100;  // of one message: the last ones

// The message ids ("<a@b>") in the text of a field, without their brackets and quoting.
std::vector<std::string> message_ids(std::string_view field);

// "(1)(2 (3)(4))"; messages in the order of their numbers.
std::string thread_messages(ThreadAlgorithm algorithm, std::vector<ThreadMessage> messages);

}  // namespace postern::imap
