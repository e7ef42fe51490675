// Dialogue: our side of the milter protocol (Sendmail's libmilter, version 6 and the older ones
// down to 2) with one milter, without I/O. Events go in and give bytes to send; the milter's bytes
// go in and give an outcome. The driver is cleanup/milters.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"

#include "lib/milter/text.h"

namespace postern::milter {

// Where a session is; the values are those of the protocol's macro lists (SMFIM_*).
enum class Stage : std::uint8_t { connect, helo, mail, rcpt, data, end_of_message, end_of_header };
inline constexpr std::size_t kStages = 7;

using Macros = std::vector<std::pair<std::string, std::string>>;  // "{daemon_name}" -> value

// What to send, and whether to wait for the answer before anything else.
struct Step {
    std::string bytes;
    bool answered = false;
};

struct Outcome {
    enum class Kind : unsigned char {
        proceed,
        accept,  // no more of this message (or session, at connect and helo) for this milter
        refuse,  // code and text say how; 421 ends the session
        discard
    };
    Kind kind = Kind::proceed;
    int code = 0;
    std::string text;  // with its enhanced status: "5.7.1 Command rejected"

    bool proceeds() const { return kind == Kind::proceed || kind == Kind::accept; }
    static Outcome reject() { return {Kind::refuse, 550, "5.7.1 Command rejected"}; }
    static Outcome tempfail() {
        return {Kind::refuse, 451, "4.7.1 Service unavailable - try again later"};
    }
    static Outcome shutdown() { return {Kind::refuse, 421, "4.7.0 Server closing connection"}; }
};

// What a milter wants at the end of a message besides changes of the text, in its order.
struct EnvelopeEdit {
    enum class Kind : unsigned char { add_recipient, delete_recipient, sender, hold };
    Kind kind = Kind::hold;
    std::string text;  // an address without <>, or the reason
};

class Dialogue {
  public:
    static constexpr std::size_t kMaxAnswer = 1 << 20;  // bytes of one packet from the milter
    static constexpr std::size_t kMaxEdits = 200000;    // of one message; body chunks are edits too

    explicit Dialogue(int version = 6, std::uint64_t body_limit = 0);

    Step negotiate();
    // After negotiate() was answered: the names of macros that the milter wants instead of ours.
    const std::string* wanted_macros(Stage stage) const;

    // Events; `macros` go with them. A Step without bytes: the milter does not want this event.
    Step connect(std::string_view name, std::string_view address, std::uint16_t port,
                 const Macros& macros);
    Step helo(std::string_view name, const Macros& macros);
    Step mail(std::string_view sender, const std::vector<std::string>& parameters,
              const Macros& macros);
    Step rcpt(std::string_view recipient, const std::vector<std::string>& parameters,
              const Macros& macros);
    Step data(const Macros& macros);
    // The text, a portion at a time: call until done() is true, after each answer again.
    void begin_text() { part_ = Part::header, field_ = SIZE_MAX, body_at_ = 0, edits_ = 0; }
    Step text(const Text& text, const Macros& end_of_header, const Macros& end_of_message);
    bool text_done() const { return part_ == Part::done; }
    Step abort();
    Step quit();

    // Takes what the milter has sent, then gives the outcome of what was asked, once it is there.
    // Errc::invalid: the milter does not keep to the protocol. `progress` is set when it asks for
    // more time.
    void feed(std::string_view bytes) { input_ += bytes; }
    bool has_input() const { return !input_.empty(); }
    Result<std::optional<Outcome>> take(Text& text, std::vector<EnvelopeEdit>& envelope,
                                        bool& progress);

  private:
    enum class Part : unsigned char { header, end_of_header, body, end, done };

    Step event(char command, std::string_view data, std::uint32_t unwanted,
               std::uint32_t unanswered, Stage stage, const Macros& macros);
    bool has(std::uint32_t flag) const { return (flags_ & flag) != 0; }
    Result<std::optional<Outcome>> answer(char code, std::string_view data, Text& text,
                                          std::vector<EnvelopeEdit>& envelope);
    Result<void> on_negotiated(std::string_view data);
    Result<bool> edit(char code, std::string_view data, Text& text,
                      std::vector<EnvelopeEdit>& envelope);
    Outcome finish(Outcome outcome, Text& text);

    const std::uint32_t asked_version_;
    const std::uint64_t body_limit_;  // 0: none
    std::uint32_t version_ = 0, actions_ = 0, flags_ = 0;
    std::map<Stage, std::string> wanted_;
    std::string input_;
    bool negotiating_ = false;
    Part part_ = Part::done;
    bool at_end_ = false;  // the end of the message has been told: edits may come
    bool body_replaced_ = false;
    bool body_skipped_ = false;  // it has seen enough of the body
    std::size_t field_ = 0, body_at_ = 0, edits_ = 0;
};

}  // namespace postern::milter
