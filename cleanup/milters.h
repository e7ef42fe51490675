// Milters: the dialogues with all milters of one SMTP session, or of one message that a local user
// has submitted. One event at a time, asked of one milter after the other; the first that refuses
// has decided. What cannot be asked (down, silent, out of protocol) counts as its default action
// says, for the whole session.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/ipc/messages/milter.h"
#include "lib/loop/loop.h"
#include "lib/loop/stream.h"
#include "lib/milter/dialogue.h"

#include "cleanup/milter_settings.h"

namespace postern::cleanup {

class Milters : public std::enable_shared_from_this<Milters> {
  public:
    using Done = std::function<void(const milter::Outcome&)>;

    Milters(loop::Loop& loop, std::shared_ptr<const MilterSettings> settings);
    ~Milters();
    Milters(const Milters&) = delete;
    Milters& operator=(const Milters&) = delete;

    bool busy() const { return static_cast<bool>(done_); }
    // Precondition of all that ask: not busy. `done` is called from the loop, never from inside.
    // connect, helo, mail, rcpt. What should have come before and did not (a new connection of
    // smtpd's in the midst of a session) is made up for.
    void tell(ipc::MilterEvent event, Done done);
    void data(const std::string& queue_id, Done done);
    // The message; its changes are in text() and edits() afterwards, unless it was refused.
    void message(milter::Text text, Done done);
    milter::Text& text() { return text_; }
    const std::vector<milter::EnvelopeEdit>& edits() const { return edits_; }
    bool discards() const { return discards_; }
    // Why the message is to wait in hold/, or empty.
    const std::string& hold() const { return hold_; }
    // The milter that refused, discarded or held last: "inet:127.0.0.1:1234".
    const std::string& decided_by() const { return decided_by_; }
    bool in_message() const { return in_message_; }

  private:
    class Talk;

    void next_stage();
    void ask_next();
    void proceed(Talk& talk);
    void on_outcome(Talk& talk, milter::Outcome outcome);
    void on_failure(Talk& talk, const std::string& why);
    void finish(milter::Outcome outcome);
    void abort_message();
    void begin_mail();
    milter::Step step_of(milter::Dialogue& dialogue);
    milter::Macros macros(const milter::Dialogue& dialogue, milter::Stage stage) const;
    std::string macro(std::string_view name) const;
    milter::Outcome default_outcome(const MilterServer& server);

    loop::Loop& loop_;
    std::shared_ptr<const MilterSettings> settings_;
    std::vector<std::unique_ptr<Talk>> talks_;
    ipc::MilterEvent event_;  // the latest: all that is known of the client
    std::string sender_, recipient_, queue_id_;
    std::vector<milter::Stage> stages_;  // still to be told, the last first
    milter::Stage stage_ = milter::Stage::connect;
    bool connected_ = false, greeted_ = false, in_message_ = false, whole_message_ = false,
         discards_ = false;
    std::size_t at_ = 0;  // which milter is being asked
    Done done_;
    milter::Text text_, before_;
    std::size_t edits_before_ = 0;
    std::vector<milter::EnvelopeEdit> edits_;
    std::string hold_;
    std::string decided_by_;
};

}  // namespace postern::cleanup
