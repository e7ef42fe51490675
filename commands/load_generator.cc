// The load generator, see load_generator.h. Each session is a stream, a client engine and a timer;
// the body is made once and only headers are made per message, so that the load costs less than its
// server.
#include "commands/load_generator.h"

#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "lib/base/strings.h"
#include "lib/smtp/dot_stuffer.h"

namespace postern::commands {
namespace {

constexpr std::size_t kLineLength = 80;
constexpr Millis kReconnectWait{10};

std::string stuffed(std::string_view content) {
    std::string out;
    smtp::DotStuffer stuffer;
    stuffer.add(content, out);
    stuffer.finish(out);
    return out;
}

// The body that smtp-source has always sent: four lines, or as many X as were asked for.
std::string make_body(std::size_t length) {
    std::string body;
    if (length == 0) {
        for (int i = 1; i <= 4; ++i) body += cat({"La de da de da ", std::to_string(i), ".\r\n"});
        return body;
    }
    body.reserve(length);
    while (body.size() < length) {
        const auto left = length - body.size();
        if (left <= 2) {
            body += "\r\n";
        } else {
            body += std::string(std::min(kLineLength, left) - 2, 'X') + "\r\n";
        }
    }
    return body;
}

std::string date_now() {
    const time_t now = ::time(nullptr);
    struct tm local {};
    ::localtime_r(&now, &local);
    char text[64] = {};
    static_cast<void>(::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S %z", &local));
    return text;
}

}  // namespace

// One connection after the other, until no message is left.
class LoadGenerator::Session : public loop::StreamHandler {
  public:
    explicit Session(LoadGenerator& owner) : owner_(owner), timer_(owner.loop_, [this] { go(); }) {}

    void begin() {
        if (!owner_.take_message()) return owner_.on_session_over();
        timer_.start(wait());
    }

    void on_connected() override { act(engine_->on_connected()); }
    void on_input() override {
        const auto input = stream_->input();
        const auto step = engine_->on_input(input);
        stream_->consume(input.size());
        act(step);
        if (stream_ && stream_->at_eof() && !finished_) act(engine_->on_lost());
    }
    void on_closed(const Error* error) override {
        if (finished_) return reconnect();
        if (error && !greeted_ && ++attempts_ < owner_.options_.connect_attempts) {
            return timer_.start(kReconnectWait);
        }
        if (error) owner_.on_done(false, error->what);
        reconnect();
    }

  private:
    using Step = smtp::ClientSession::Step;

    Millis wait() const {
        auto pause = owner_.options_.fixed_wait;
        if (owner_.options_.random_wait.count() > 0) {
            const auto range = static_cast<std::uint64_t>(owner_.options_.random_wait.count());
            pause = Millis(static_cast<std::int64_t>(SystemRandom::instance().next() % range));
        }
        return pause;
    }

    // Time for a message: on the connection that we have, or on a new one.
    void go() {
        if (std::exchange(restart_, false)) {
            stream_.reset();
            return begin();
        }
        if (stream_ && engine_->reusable()) return act(engine_->start(owner_.transaction()));
        stream_.reset();
        finished_ = greeted_ = false;
        auto socket = sys::start_connect(owner_.options_.to);
        if (!socket) return owner_.fail(socket.error().what);
        smtp::ClientOptions options;
        options.lmtp = owner_.options_.lmtp;
        options.helo_name = owner_.options_.hostname;
        options.pipelining = owner_.options_.pipelining;
        options.skip_quit_response = false;
        engine_ = std::make_unique<smtp::ClientSession>(
            std::move(options), smtp::PeerName{"server", owner_.options_.to.str(), 0});
        stream_ = loop::Stream::connecting(owner_.loop_, std::move(socket).value(),
                                           owner_.options_.to.str(), *this);
    }

    void act(Step step) {
        for (;;) {
            if (engine_->has_output()) stream_->write(engine_->take_output());
            switch (step) {
                case Step::ready:
                    greeted_ = true;
                    step = engine_->start(owner_.transaction());
                    continue;
                case Step::send_body:
                    stream_->write(owner_.content_for(stream_->fd()));
                    step = engine_->on_body_sent();
                    continue;
                case Step::finished: return finished();
                case Step::failed:
                    owner_.on_done(false, engine_->failure().verdict.text);
                    return close();
                case Step::close: return close();
                case Step::start_tls:
                case Step::wait: return stream_->flush();
            }
        }
    }

    void finished() {
        bool good = true;
        std::string text;
        for (const auto& outcome : engine_->outcomes()) {
            if (outcome.verdict.accepted()) continue;
            good = false;
            text = outcome.verdict.text;
        }
        owner_.on_done(good, text);
        if (!engine_->reusable()) return close();
        if (owner_.options_.keep_connection && owner_.take_message()) return timer_.start(wait());
        act(engine_->quit());
    }

    void close() {
        finished_ = true;
        stream_->close_after_flush();
    }

    // The stream is over; the next message gets a new one.
    void reconnect() {
        restart_ = true;
        timer_.start(Millis{0});
    }

    LoadGenerator& owner_;
    loop::Timer timer_;
    std::unique_ptr<smtp::ClientSession> engine_;
    std::unique_ptr<loop::Stream> stream_;
    int attempts_ = 0;
    bool greeted_ = false;
    bool finished_ = false;
    bool restart_ = false;  // the timer ends the old connection
};

LoadGenerator::LoadGenerator(loop::Loop& loop, LoadOptions options,
                             std::function<void(std::size_t)> progress)
    : loop_(loop),
      options_(std::move(options)),
      progress_(std::move(progress)),
      left_(options_.messages) {
    body_ = stuffed(options_.content.empty() ? make_body(options_.length) : options_.content);
}

LoadGenerator::~LoadGenerator() = default;

Result<void> LoadGenerator::run() {
    for (std::size_t i = 0; i < options_.sessions; ++i)
        sessions_.push_back(std::make_unique<Session>(*this));
    running_ = sessions_.size();
    for (auto& session : sessions_) session->begin();
    if (running_ > 0) loop_.run();
    if (!failure_.empty()) return Error{Errc::temporary, failure_};
    return {};
}

bool LoadGenerator::take_message() {
    if (left_ == 0 || !failure_.empty()) return false;
    --left_;
    return true;
}

smtp::ClientTransaction LoadGenerator::transaction() {
    smtp::ClientTransaction transaction;
    transaction.sender = options_.sender;
    for (std::size_t i = 0; i < options_.recipients; ++i) {
        std::string number;
        if (options_.number_recipients) {
            number = std::to_string(recipient_number_++);
        } else if (options_.recipients > 1) {
            number = std::to_string(i + 1);
        }
        transaction.recipients.push_back({number + options_.recipient, {}, {}});
    }
    return transaction;
}

std::string LoadGenerator::content_for(int fd) {
    if (!options_.headers || !options_.content.empty()) return body_;
    char id[64] = {};
    static_cast<void>(::snprintf(id, sizeof id, "%04x.%04x.%04zx",
                                 static_cast<unsigned>(::getpid()), static_cast<unsigned>(fd),
                                 message_number_++));
    std::string content =
        cat({"From: <", options_.sender, ">\r\nTo: <", options_.recipient,
             ">\r\nDate: ", date_now(), "\r\nMessage-Id: <", id, "@", options_.hostname, ">\r\n"});
    if (!options_.subject.empty()) content += cat({"Subject: ", options_.subject, "\r\n"});
    return content + "\r\n" + body_;
}

void LoadGenerator::on_done(bool good, std::string_view text) {
    if (good) {
        ++sent_;
        if (progress_) progress_(sent_);
    } else {
        ++refused_;
        if (!options_.go_on) fail(std::string(text));
    }
}

void LoadGenerator::on_session_over() {
    if (--running_ == 0) loop_.stop();
}

void LoadGenerator::fail(std::string text) {
    if (failure_.empty()) failure_ = text.empty() ? "connection lost" : std::move(text);
    loop_.stop();
}

}  // namespace postern::commands
