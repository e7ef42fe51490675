// Story: what the trace records say about one message, from its arrival to its end, with the
// messages that it became on its way (forwarded, through a content filter, returned to its sender).
// Pure: records in, events out. story_text.h writes them down.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/log/record.h"

namespace postern::commands {

enum class Happening : unsigned char {
    received,    // by SMTP
    submitted,   // on this host
    identified,  // its message-id is known
    expanded,    // an address became others
    queued,      // in the active queue
    delivered,   // to a mailbox, command or next host
    deferred,
    bounced,
    refused,
    rests,     // in the deferred or hold queue
    notified,  // somebody is told in a message of its own
    removed,
    other  // the words say it
};
std::string_view name_of(Happening what);

// The fields of "to=<u@a>, orig_to=<x>, relay=r, delay=1.2, delays=0/0/1/0.2, dsn=4.4.1,
// status=deferred (text)".
struct DeliveryFacts {
    std::string to, original, relay, delay, delays, dsn, status, text;
};
std::optional<DeliveryFacts> parse_delivery(std::string_view text);

struct Event {
    log::Record record;
    Happening what = Happening::other;
    std::optional<DeliveryFacts> delivery;
    std::string child;  // the message that this one became: forwarded, filtered, returned
    std::string rule;   // who decided: the record's, or what its words imply
    std::optional<WallTime> until;  // rests: the next attempt
};
Event explain(log::Record record);

// "postfix/submission/smtpd" -> "smtpd"
std::string_view program_of(const log::Record& record);

struct Question {
    std::vector<std::string>
        words;  // queue ids, session ids, addresses, message-ids; none: everything
    std::optional<WallTime> since;
};

// Finds the records that answer a question. They are shown twice: first all are looked at, then the
// ones that belong to the messages found are wanted.
class Finder {
  public:
    explicit Finder(Question question);

    void look(const log::Record& record);
    void close();  // between the two: adds the messages that belong to those found
    bool wants(const log::Record& record) const;
    // Which story a wanted record belongs to: the id of the first message of it.
    std::string story_of(const log::Record& record) const;
    // Live: looks and says at once.
    bool follows(const log::Record& record);
    // Whether an id is a message's: somebody other than policy, which knows sessions, told of it.
    bool is_message(const std::string& id) const { return messages_.contains(id); }
    bool found(const std::string& id) const { return found_.contains(id); }

  private:
    bool matches(const log::Record& record) const;
    bool connect();
    std::string root_of(std::string id) const;
    static std::string unit_of(const log::Record& record);

    Question question_;
    std::set<std::string> found_;  // queue ids; sessions for refusals without one
    std::map<std::string, std::set<std::string>> children_;  // by parent
    std::map<std::string, std::string> parents_;
    std::map<std::string, std::set<std::string>> by_message_id_;
    std::map<std::string, std::string> message_id_;
    std::map<std::string, std::string> session_of_;  // queue id -> SMTP session
    std::map<std::string, std::string> first_of_session_;
    std::set<std::string> messages_;
    std::set<std::string> known_;  // queue ids of this store
};

}  // namespace postern::commands
