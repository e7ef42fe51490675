// The milters of a session, see milters.h. An event is a few stages (usually one); each stage goes
// to one milter after the other: step_of() makes what to send, on_outcome() goes on.
#include "cleanup/milters.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/socket.h"

namespace postern::cleanup {

using milter::Outcome;
using milter::Stage;
using milter::Step;

// One milter's connection. What happens on it is told to the owner by calls of its own, one at a
// time.
class Milters::Talk : public loop::StreamHandler {
  public:
    enum class State : unsigned char { fresh, connecting, negotiating, ready, failed, done };

    Talk(Milters& owner, const MilterServer& which)
        : server(which),
          dialogue(which.protocol, owner.settings_->body_limit),
          owner_(owner),
          timer_(owner.loop_, [this] { fail("timeout"); }) {}

    void connect() {
        state = State::connecting;
        timer_.start(server.connect_timeout);
        auto address = server.address();
        if (!address) return fail_later(address.error().what);
        auto socket = sys::start_connect(*address);
        if (!socket) return fail_later(socket.error().what);
        stream_ = loop::Stream::connecting(owner_.loop_, std::move(*socket), server.name, *this);
    }
    void send(const std::string& bytes) {
        stream_->write(bytes);
        stream_->flush();
    }
    void expect(Millis limit) {
        waiting = true;
        timer_.start(limit_ = limit);
        if (dialogue.has_input() || !stream_->input().empty() || stream_->at_eof())
            owner_.loop_.post([weak = owner_.weak_from_this(), this] {
                if (const auto owner = weak.lock()) on_input();
            });
    }
    bool usable() const { return state == State::ready; }

    const MilterServer& server;
    milter::Dialogue dialogue;
    State state = State::fresh;
    bool waiting = false;   // for an answer
    bool accepted = false;  // no more of this message for it

  private:
    void on_connected() override {
        state = State::negotiating;
        send(dialogue.negotiate().bytes);
        expect(server.connect_timeout);
    }
    void on_input() override {
        const auto keep = owner_.shared_from_this();
        if (!stream_) return;
        if (waiting) {
            dialogue.feed(stream_->input());
            stream_->consume(stream_->input().size());
            bool progress = false;
            auto outcome = dialogue.take(owner_.text_, owner_.edits_, progress);
            if (!outcome) return fail(outcome.error().what);
            if (*outcome) return answered(std::move(**outcome));
            if (progress) timer_.start(limit_);
        }
        if (stream_ && stream_->at_eof()) fail("connection closed");
    }
    void answered(Outcome outcome) {
        waiting = false;
        timer_.stop();
        if (std::exchange(state, State::ready) == State::negotiating) return owner_.proceed(*this);
        owner_.on_outcome(*this, std::move(outcome));
    }
    void on_closed(const Error* error) override {
        const auto keep = owner_.shared_from_this();
        fail(error ? error->what : std::string("connection closed"));
    }
    void fail_later(std::string why) {
        owner_.loop_.post([weak = owner_.weak_from_this(), this, why = std::move(why)] {
            if (const auto owner = weak.lock()) fail(why);
        });
    }
    void fail(const std::string& why) {
        if (state == State::failed || state == State::done) return;
        const bool asked = waiting || state == State::connecting;
        timer_.stop();
        waiting = false;
        state = State::failed;
        stream_.reset();
        const auto keep = owner_.shared_from_this();
        log::warning(owner_.queue_id_, cat({"milter ", server.name, ": ", why}));
        if (asked) owner_.on_failure(*this, why);
    }

    Milters& owner_;
    loop::Timer timer_;
    Millis limit_{0};
    std::unique_ptr<loop::Stream> stream_;
};

Milters::Milters(loop::Loop& loop, std::shared_ptr<const MilterSettings> settings)
    : loop_(loop), settings_(std::move(settings)) {
    for (const auto& server : settings_->servers)
        talks_.push_back(std::make_unique<Talk>(*this, server));
}

Milters::~Milters() {
    for (auto& talk : talks_) {
        if (talk->usable()) talk->send(talk->dialogue.abort().bytes + talk->dialogue.quit().bytes);
    }
}

// --- Events ---

void Milters::tell(ipc::MilterEvent event, Done done) {
    using enum ipc::MilterStage;
    event_ = std::move(event);
    const bool knows_client = connected_ && event_.stage != connect;
    stages_.clear();
    if (event_.stage == rcpt) {
        recipient_ = event_.address;
        if (!in_message_) {  // its MAIL went to a cleanup that is no more
            return loop_.post([done = std::move(done)] { done(Outcome::tempfail()); });
        }
        stages_ = {Stage::rcpt};
    }
    if (event_.stage == mail) {
        begin_mail();
        stages_ = {Stage::mail};
    }
    if (event_.stage == helo || (event_.stage == mail && !greeted_ && !event_.helo.empty()))
        stages_.push_back(Stage::helo);
    if (event_.stage == helo) abort_message();
    if (!knows_client) stages_.push_back(Stage::connect);
    done_ = std::move(done);
    next_stage();
}

// A message that came to nothing is ended here, before the next.
void Milters::abort_message() {
    for (auto& talk : talks_) {
        if (talk->usable() && !whole_message_ && !sender_.empty())
            talk->send(talk->dialogue.abort().bytes);
        talk->accepted = false;
    }
    sender_.clear();
    in_message_ = false;
}

void Milters::begin_mail() {
    abort_message();
    sender_ = cat({"<", event_.address, ">"});
    recipient_.clear();
    queue_id_.clear();
    edits_.clear();
    hold_.clear();
    discards_ = whole_message_ = false;
    in_message_ = true;
}

void Milters::data(const std::string& queue_id, Done done) {
    queue_id_ = queue_id;
    stages_ = {Stage::data};
    done_ = std::move(done);
    next_stage();
}

void Milters::message(milter::Text text, Done done) {
    text_ = std::move(text);
    stages_ = {Stage::end_of_message};
    done_ = std::move(done);
    next_stage();
}

void Milters::next_stage() {
    if (stages_.empty()) return finish({});
    stage_ = stages_.back();
    stages_.pop_back();
    if (stage_ == Stage::connect) connected_ = true;
    if (stage_ == Stage::helo) greeted_ = true;
    at_ = 0;
    ask_next();
}

// --- One stage, one milter after the other ---

void Milters::ask_next() {
    while (at_ < talks_.size()) {
        Talk& talk = *talks_[at_];
        if (discards_ || talk.accepted || talk.state == Talk::State::done) {
            ++at_;
            continue;
        }
        if (talk.state == Talk::State::failed) {
            auto outcome = default_outcome(talk.server);
            if (!outcome.proceeds()) return finish(std::move(outcome));
            ++at_;
            continue;
        }
        if (stage_ == Stage::end_of_message) {
            before_ = text_;
            edits_before_ = edits_.size();
            talk.dialogue.begin_text();
        }
        if (talk.state == Talk::State::fresh) return talk.connect();
        return proceed(talk);
    }
    next_stage();
}

// Sends what is next for this milter, and goes on when there is nothing to wait for.
void Milters::proceed(Talk& talk) {
    for (;;) {
        const auto step = step_of(talk.dialogue);
        if (!step.bytes.empty()) talk.send(step.bytes);
        if (step.answered) {
            return talk.expect(stage_ == Stage::end_of_message ? talk.server.content_timeout
                                                               : talk.server.command_timeout);
        }
        if (stage_ != Stage::end_of_message || talk.dialogue.text_done()) break;
    }
    ++at_;
    ask_next();
}

Step Milters::step_of(milter::Dialogue& dialogue) {
    switch (stage_) {
        case Stage::connect:
            return dialogue.connect(
                event_.client_name == "unknown" ? cat({"[", event_.client_address, "]"})
                                                : event_.client_name,
                event_.client_address, event_.client_port, macros(dialogue, stage_));
        case Stage::helo: return dialogue.helo(event_.helo, macros(dialogue, stage_));
        case Stage::mail:
            return dialogue.mail(event_.address, event_.parameters, macros(dialogue, stage_));
        case Stage::rcpt:
            return dialogue.rcpt(event_.address, event_.parameters, macros(dialogue, stage_));
        case Stage::data: return dialogue.data(macros(dialogue, stage_));
        case Stage::end_of_header:
        case Stage::end_of_message: break;
    }
    return dialogue.text(text_, macros(dialogue, Stage::end_of_header),
                         macros(dialogue, Stage::end_of_message));
}

void Milters::on_outcome(Talk& talk, Outcome outcome) {
    using Kind = Outcome::Kind;
    if (outcome.kind == Kind::refuse || outcome.kind == Kind::discard)
        decided_by_ = talk.server.name;
    if (outcome.kind == Kind::refuse) return finish(std::move(outcome));
    if (outcome.kind == Kind::discard) discards_ = true;
    if (outcome.kind == Kind::accept) {
        const bool session = stage_ == Stage::connect || stage_ == Stage::helo;
        session ? void(talk.state = Talk::State::done) : void(talk.accepted = true);
    }
    const bool more = stage_ == Stage::end_of_message && outcome.kind == Kind::proceed &&
                      !talk.dialogue.text_done();
    if (more) return proceed(talk);
    if (stage_ == Stage::end_of_message) {
        for (auto at = edits_before_; at < edits_.size(); ++at) {
            if (edits_[at].kind != milter::EnvelopeEdit::Kind::hold) continue;
            hold_ = edits_[at].text.empty() ? "milter triggers HOLD action" : edits_[at].text;
            decided_by_ = talk.server.name;
        }
    }
    ++at_;
    ask_next();
}

void Milters::on_failure(Talk& talk, const std::string&) {
    if (stage_ == Stage::end_of_message) {  // half of its changes is none
        text_ = before_;
        edits_.resize(edits_before_);
    }
    auto outcome = default_outcome(talk.server);
    if (!outcome.proceeds()) return finish(std::move(outcome));
    ++at_;
    ask_next();
}

Outcome Milters::default_outcome(const MilterServer& server) {
    if (server.action != DefaultAction::accept) decided_by_ = server.name;
    switch (server.action) {
        case DefaultAction::accept: return {};
        case DefaultAction::reject:
            return {Outcome::Kind::refuse, 550, "5.5.0 Service unavailable"};
        case DefaultAction::tempfail: return Outcome::tempfail();
        case DefaultAction::shutdown: return Outcome::shutdown();
        case DefaultAction::quarantine:
            hold_ = cat({"milter ", server.name, " cannot be asked"});
            break;
    }
    return {};
}

void Milters::finish(Outcome outcome) {
    if (stage_ == Stage::end_of_message) {
        whole_message_ = outcome.proceeds() && !discards_;
        in_message_ = false;
    }
    if (!outcome.proceeds() && stage_ == Stage::mail) in_message_ = false;
    before_ = {};
    auto done = std::exchange(done_, nullptr);
    if (!done) return;
    loop_.post([keep = shared_from_this(), done = std::move(done), outcome = std::move(outcome)] {
        done(outcome);
    });
}

// --- Macros ---

milter::Macros Milters::macros(const milter::Dialogue& dialogue, Stage stage) const {
    milter::Macros result;
    std::vector<std::string> names;
    if (const auto* wanted = dialogue.wanted_macros(stage)) {
        for (auto word : split_words(*wanted, " ,\t")) names.emplace_back(word);
    } else if (const auto at = settings_->macros.find(stage); at != settings_->macros.end()) {
        names = at->second;
    }
    for (const auto& name : names) {
        auto value = macro(name);
        if (value.empty()) {
            const auto usual = settings_->defaults.find(name);
            if (usual != settings_->defaults.end()) value = usual->second;
        }
        if (!value.empty()) result.emplace_back(name, std::move(value));
    }
    return result;
}

std::string Milters::macro(std::string_view name) const {
    if (name.starts_with('{') && name.ends_with('}')) name = name.substr(1, name.size() - 2);
    const auto host_of = [](std::string_view address) {
        const auto at = address.rfind('@');
        return std::string(at == std::string_view::npos ? std::string_view()
                                                        : address.substr(at + 1));
    };
    const std::string_view sender = sender_.size() > 2
                                        ? std::string_view(sender_).substr(1, sender_.size() - 2)
                                        : std::string_view();
    const auto& e = event_;
    if (name == "i") return queue_id_;
    if (name == "j") return settings_->myhostname;
    if (name == "v") return settings_->version;
    if (name == "_") return cat({e.client_name, " [", e.client_address, "]"});
    if (name == "daemon_name") return settings_->daemon_name;
    if (name == "daemon_addr") return e.server_address;
    if (name == "daemon_port") return e.server_port == 0 ? "" : std::to_string(e.server_port);
    if (name == "client_addr") return e.client_address;
    if (name == "client_name") return e.client_name;
    if (name == "client_port") return std::to_string(e.client_port);
    if (name == "client_ptr") return e.reverse_name;
    if (name == "tls_version") return e.tls_protocol;
    if (name == "cipher") return e.tls_cipher;
    if (name == "cert_subject") return e.certificate_subject;
    if (name == "cert_issuer") return e.certificate_issuer;
    if (name == "cipher_bits") return e.tls_bits == 0 ? "" : std::to_string(e.tls_bits);
    if (name == "auth_type") return e.sasl_method;
    if (name == "auth_authen") return e.sasl_username;
    if (name == "auth_author") return e.sasl_sender;
    if (name == "mail_addr") return std::string(sender);
    if (name == "mail_host") return host_of(sender);
    if (name == "rcpt_addr") return recipient_;
    if (name == "rcpt_host") return host_of(recipient_);
    return {};
}

}  // namespace postern::cleanup
