// Stories written down: in words for people, as JSON lines for programs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "commands/rule_place.h"
#include "commands/story.h"

namespace postern::commands {

// Where a message is now, as the queue's folders say.
struct Whereabouts {
    std::string queue;             // incoming, active, deferred, hold; empty: in none
    std::optional<WallTime> next;  // deferred: the next attempt
};

struct StoryView {
    std::string name;                        // of its first message
    std::vector<Event> events;               // in order of time
    std::map<std::string, Whereabouts> now;  // by queue id
};

class StoryWriter {
  public:
    StoryWriter(RulePlaces& places, WallTime now) : places_(places), now_(now) {}

    std::string in_words(const StoryView& story);
    std::string as_json(const StoryView& story);
    // One event alone, for -f.
    std::string line(const Event& event, std::optional<WallTime> begin, bool with_id);
    std::string json_line(const Event& event, const std::string& story);

  private:
    std::string words_of(const Event& event) const;
    std::string rule_of(const Event& event);
    std::string outlook(const std::string& id, const StoryView& story) const;
    std::string moment(WallTime time) const;

    RulePlaces& places_;
    WallTime now_;
};

}  // namespace postern::commands
