// smtp-sink: takes SMTP or LMTP mail and throws it away, with the flags of Postfix's program of
// this name: to measure and to mistreat mail clients. One process, one loop. See man/smtp-sink.1.
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/loop/listener.h"
#include "lib/loop/stream.h"
#include "lib/sys/fs.h"
#include "lib/sys/socket.h"
#include "lib/sys/users.h"

#include "commands/sink_session.h"

namespace {

using postern::cat;
using postern::Errc;
using postern::Error;
using postern::Fd;
using postern::IpAddress;
using postern::Millis;
using postern::Result;
using postern::commands::SinkCounters;
using postern::commands::SinkOptions;
using postern::commands::SinkSession;
using postern::sys::SocketAddress;

struct Command {
    SinkOptions sink;
    std::string endpoint;
    int backlog = 100;
    std::size_t max_sessions = 256;   // -m
    std::uint64_t stop_sessions = 0;  // -n
    std::uint64_t stop_messages = 0;  // -M
    Millis timeout{100'000};          // -t
    int window = 0;                   // -T
    bool show_count = false;          // -c
    std::string dump_template;        // -d: a file per message
    std::string mbox_template;        // -D: appended
    std::string start_string;         // -S
    std::string user, root;           // -u, -R
    bool only_v4 = false, only_v6 = false;
};

const char kUsage[] =
    "usage: smtp-sink [-468acCeEFLNpPUv] [-A abort_delay] [-b soft_bounce_reply] [-B "
    "hard_bounce_reply]\n"
    "    [-d dump_template] [-D dump_template] [-f commands] [-h hostname] [-H read_delay] [-m "
    "max_sessions]\n"
    "    [-M stop_messages] [-n stop_sessions] [-q commands] [-Q commands] [-r commands] [-R "
    "root]\n"
    "    [-s commands] [-S start_string] [-t timeout] [-T window] [-u user] [-w delay]\n"
    "    [-W command:delay[:odds]] [inet:][host]:port|unix:path backlog\n";

// ---- the server ---------------------------------------------------------------------------------

class Sink {
  public:
    Sink(postern::loop::Loop& loop, const Command& command) : loop_(loop), command_(command) {}

    Result<void> listen();
    // May be called when privileges are gone.
    void start();

  private:
    class Client;

    void accept(Fd socket, const SocketAddress& peer);
    void ended(Client* client);
    void look_whether_enough();
    void count();
    void dump(const SinkSession& session, const std::string& address);

    postern::loop::Loop& loop_;
    const Command& command_;
    SinkCounters counters_;
    Fd socket_;
    std::unique_ptr<postern::loop::Listener> listener_;
    std::unordered_map<Client*, std::unique_ptr<Client>> clients_;
    std::uint64_t dumped_ = 0;
};

class Sink::Client final : public postern::loop::StreamHandler {
  public:
    Client(Sink& sink, Fd socket, const SocketAddress& peer)
        : sink_(sink),
          address_(peer.is_inet() ? peer.ip().str() : "unix"),
          session_(sink.command_.sink, sink.counters_, postern::SystemRandom::instance()),
          stream_(std::make_unique<postern::loop::Stream>(sink.loop_, std::move(socket), *this)),
          idle_(sink.loop_, [this] { end(); }),
          delay_(sink.loop_, [this] { after_delay(); }) {
        session_.on_connect();
        settle();
        if (stream_) stream_->flush();
    }

  private:
    void on_input() override {
        work();
        if (stream_ && stream_->at_eof() && stream_->input().empty() && !waiting_) end();
    }
    void on_closed(const Error*) override { end(); }

    void work() {
        while (stream_ && !waiting_ && !stream_->input().empty()) {
            stream_->consume(session_.on_input(stream_->input()));
            settle();
        }
    }

    // Does what the engine asks for.
    void settle() {
        if (!session_.log.empty()) postern::log::info("", std::exchange(session_.log, {}));
        if (std::exchange(session_.has_message, false)) sink_.dump(session_, address_);
        if (session_.wait > Millis{0}) {
            waiting_ = true;
            stream_->pause_reading();
            return delay_.start(std::exchange(session_.wait, Millis{0}));
        }
        proceed();
    }

    void proceed() {
        if (!session_.output.empty()) stream_->write(std::exchange(session_.output, {}));
        sink_.look_whether_enough();
        if (session_.aborting) return reset();
        if (session_.closing) return stream_->close_after_flush();
        // Restarting a timer costs more than all else here: the limit is kept coarsely.
        auto now = sink_.loop_.clock().steady();
        if (now - timer_started_ < sink_.command_.timeout / 4) return;
        timer_started_ = now;
        idle_.start(sink_.command_.timeout + sink_.command_.timeout / 4);
    }

    void after_delay() {
        waiting_ = false;
        stream_->resume_reading();
        proceed();
        if (!stream_) return;
        stream_->flush();
        on_input();
        if (stream_) stream_->flush();
    }

    // RFC 9293 3.10.4: a close with zero linger sends a reset.
    void reset() {
        linger now{1, 0};
        ::setsockopt(stream_->fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        end();
    }

    void end() {
        stream_.reset();
        idle_.stop();
        delay_.stop();
        if (!std::exchange(over_, true)) sink_.loop_.post([this] { sink_.ended(this); });
    }

    Sink& sink_;
    const std::string address_;
    SinkSession session_;
    std::unique_ptr<postern::loop::Stream> stream_;
    postern::loop::Timer idle_;
    postern::loop::Timer delay_;
    postern::SteadyTime timer_started_{};
    bool waiting_ = false;
    bool over_ = false;
};

// [inet:][host]:port with a numeric host, "localhost" or none; unix:path.
Result<SocketAddress> parse_endpoint(const Command& command) {
    std::string text = command.endpoint;
    if (text.starts_with("unix:")) return SocketAddress::unix_path(text.substr(5));
    if (text.starts_with("inet:")) text.erase(0, 5);
    std::size_t colon = text.rfind(':');
    std::string host = colon == text.npos ? "" : text.substr(0, colon);
    std::string port = colon == text.npos ? text : text.substr(colon + 1);
    if (host.starts_with("[") && host.ends_with("]")) host = host.substr(1, host.size() - 2);
    if (host == "localhost") host = command.only_v6 ? "::1" : "127.0.0.1";
    if (host.empty()) host = command.only_v6 ? "::" : "0.0.0.0";
    auto address = IpAddress::parse(host);
    auto number = port == "smtp" ? 25 : postern::parse_number<std::uint16_t>(port);
    if (!address || !number) return Error{Errc::invalid, cat({command.endpoint, ": bad address"})};
    return SocketAddress::inet(*address, *number);
}

Result<void> Sink::listen() {
    TRY_ASSIGN(SocketAddress at, parse_endpoint(command_));
    TRY_ASSIGN(socket_, postern::sys::listen_on(at, command_.backlog));
    if (command_.window > 0) {
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &command_.window,
                     sizeof command_.window);
    }
    SocketAddress bound = postern::sys::local_address(socket_.get());
    // Port 0: somebody wants to know which one it became.
    if (bound.is_inet() && at.port() == 0) {
        std::printf("%s\n", bound.str().c_str());
        std::fflush(stdout);
    }
    return {};
}

void Sink::start() {
    listener_ = std::make_unique<postern::loop::Listener>(
        loop_, socket_.get(),
        [this](Fd socket, const SocketAddress& peer) { accept(std::move(socket), peer); });
}

void Sink::accept(Fd socket, const SocketAddress& peer) {
    auto client = std::make_unique<Client>(*this, std::move(socket), peer);
    Client* key = client.get();
    clients_[key] = std::move(client);
    if (clients_.size() >= command_.max_sessions) listener_->pause();
    count();
}

void Sink::ended(Client* client) {
    clients_.erase(client);
    listener_->resume();
    count();
    if (command_.stop_sessions > 0 && counters_.sessions >= command_.stop_sessions &&
        clients_.empty()) {
        loop_.stop();
    }
}

// Not at the end of a session: clients keep connections for a while, and whoever measures waits for
// us. Posted, so that the reply to the last message goes out first.
void Sink::look_whether_enough() {
    if (command_.stop_messages == 0 || counters_.messages < command_.stop_messages) return;
    loop_.post([this] { loop_.stop(); });
}

void Sink::count() {
    if (!command_.show_count) return;
    std::printf("sess=%llu quit=%llu mesg=%llu\r",
                static_cast<unsigned long long>(counters_.sessions),
                static_cast<unsigned long long>(counters_.quits),
                static_cast<unsigned long long>(counters_.messages));
    std::fflush(stdout);
}

// ---- dump files ---------------------------------------------------------------------------------

std::string expand_time(const std::string& pattern) {
    std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::localtime_r(&now, &parts);
    char text[1024];
    std::size_t size = std::strftime(text, sizeof text, pattern.c_str(), &parts);
    return {text, size};
}

// The content as a file has it: LF, dots unstuffed, without the end.
std::string unwrap(std::string_view content) {
    std::string out;
    while (!content.empty()) {
        std::size_t end = content.find("\r\n");
        std::string_view line = content.substr(0, end);
        content.remove_prefix(end == std::string_view::npos ? content.size() : end + 2);
        if (line == "." && content.empty()) break;
        if (line.starts_with(".")) line.remove_prefix(1);
        out += line;
        out += '\n';
    }
    return out;
}

void Sink::dump(const SinkSession& session, const std::string& address) {
    const auto& message = session.message;
    std::string number =
        postern::to_upper(cat({std::to_string(::getpid()), ".", std::to_string(++dumped_)}));
    std::string date = expand_time("%a, %d %b %Y %H:%M:%S %z (%Z)");
    std::string text = cat({"X-Client-Addr: ",
                            address,
                            "\nX-Client-Proto: ",
                            message.protocol,
                            "\nX-Helo-Args: ",
                            message.helo,
                            "\nX-Mail-Args: ",
                            message.mail_arguments,
                            "\n",
                            message.recipients,
                            "Received: from ",
                            message.helo,
                            " ([",
                            address,
                            "])\n\tby ",
                            command_.sink.hostname,
                            " (smtp-sink) with ",
                            message.protocol,
                            " id ",
                            number,
                            ";\n\t",
                            date,
                            "\n",
                            unwrap(message.content)});
    bool single = !command_.dump_template.empty();
    std::string path = expand_time(single ? command_.dump_template : command_.mbox_template);
    if (single) path += number;
    std::string out = single ? command_.start_string + text
                             : cat({"From ", "smtp-sink ", expand_time("%a %b %e %H:%M:%S %Y"),
                                    "\n", command_.start_string, text, "\n"});
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "ae"),
                                                         std::fclose);
    if (!file || std::fwrite(out.data(), 1, out.size(), file.get()) != out.size()) {
        postern::log::warning("", cat({path, ": cannot write"}));
    }
}

// ---- the command line ---------------------------------------------------------------------------

postern::commands::CommandNames names(std::string_view text) {
    postern::commands::CommandNames set;
    for (auto word : postern::split_words(text, " \t\r\n,")) set.emplace(word);
    return set;
}

template <class T>
Result<T> number(std::string_view text) {
    auto value = postern::parse_number<T>(text);
    if (!value) return Error{Errc::invalid, cat({text, ": not a number"})};
    return *value;
}

Result<Millis> seconds(std::string_view text) {
    TRY_ASSIGN(unsigned value, number<unsigned>(text));
    return Millis{value * 1000ULL};
}

// -W command:delay[:odds]
Result<void> take_delay(SinkOptions& sink, std::string_view text) {
    auto parts = postern::split(text, ':');
    if (parts.size() < 2 || parts.size() > 3)
        return Error{Errc::invalid, cat({text, ": bad delay"})};
    SinkOptions::Delay delay;
    TRY_ASSIGN(delay.time, seconds(parts[1]));
    if (parts.size() == 3) {
        TRY_ASSIGN(delay.odds, number<unsigned>(parts[2]));
    }
    sink.delays[std::string(parts[0])] = delay;
    return {};
}

bool take_flag(Command& command, int option) {
    SinkOptions& sink = command.sink;
    switch (option) {
        case '4': command.only_v4 = true; return true;
        case '6': command.only_v6 = true; return true;
        case '8': sink.eight_bit_mime = false; return true;
        case 'a': sink.auth = false; return true;
        case 'c': command.show_count = true; return true;
        case 'C': sink.xclient = false; return true;
        case 'e': sink.esmtp = false; return true;
        case 'E': sink.enhanced_status = false; return true;
        case 'F': sink.xforward = false; return true;
        case 'L': sink.lmtp = true; return true;
        case 'N': sink.dsn = false; return true;
        case 'p': sink.pipelining = false; return true;
        case 'P': sink.pix_greeting = true; return true;
        case 'U': sink.smtputf8 = false; return true;
        case 'v': postern::log::set_debug(true); return true;
        default: return false;
    }
}

bool take_text(Command& command, int option, const char* text) {
    SinkOptions& sink = command.sink;
    switch (option) {
        case 'b': sink.soft_reply = text; return true;
        case 'B': sink.hard_reply = text; return true;
        case 'd': command.dump_template = text; return true;
        case 'D': command.mbox_template = text; return true;
        case 'f': sink.soft_reject = names(text); return true;
        case 'h': sink.hostname = text; return true;
        case 'q': sink.disconnect = names(text); return true;
        case 'Q': sink.refuse_and_close = names(text); return true;
        case 'r': sink.hard_reject = names(text); return true;
        case 'R': command.root = text; return true;
        case 's': sink.log = names(text); return true;
        case 'S': command.start_string = text; return true;
        case 'u': command.user = text; return true;
        default: return false;
    }
}

Result<void> take_number(Command& command, int option, const char* text) {
    SinkOptions& sink = command.sink;
    switch (option) {
        case 'A': {
            TRY_ASSIGN(sink.delays["DATA"].time, seconds(text));
            sink.abort_after_data = true;
            return {};
        }
        case 'H': {
            TRY_ASSIGN(sink.read_delay, seconds(text));
            return {};
        }
        case 'm': {
            TRY_ASSIGN(command.max_sessions, number<std::size_t>(text));
            return {};
        }
        case 'M': {
            TRY_ASSIGN(command.stop_messages, number<std::uint64_t>(text));
            return {};
        }
        case 'n': {
            TRY_ASSIGN(command.stop_sessions, number<std::uint64_t>(text));
            return {};
        }
        case 't': {
            TRY_ASSIGN(command.timeout, seconds(text));
            return {};
        }
        case 'T': {
            TRY_ASSIGN(command.window, number<int>(text));
            return {};
        }
        case 'w': {
            TRY_ASSIGN(sink.delays["DATA"].time, seconds(text));
            return {};
        }
        case 'W': return take_delay(sink, text);
        default: return Error{Errc::invalid, kUsage};
    }
}

Result<Command> parse_command(int argc, char** argv) {
    Command command;
    char host[256] = {};
    if (::gethostname(host, sizeof host - 1) == 0 && host[0]) command.sink.hostname = host;
    constexpr char kOptions[] = "468aA:b:B:cCd:D:eEf:Fh:H:Lm:M:n:NpPq:Q:r:R:s:S:t:T:u:Uvw:W:";
    for (int option; (option = ::getopt(argc, argv, kOptions)) != -1;) {
        if (option == '?') return Error{Errc::invalid, kUsage};
        if (take_flag(command, option) || take_text(command, option, optarg)) continue;
        TRY(take_number(command, option, optarg));
    }
    if (argc - optind < 1 || argc - optind > 2) return Error{Errc::invalid, kUsage};
    command.endpoint = argv[optind];
    if (argc - optind == 2) {
        TRY_ASSIGN(command.backlog, number<int>(argv[optind + 1]));
    }
    command.sink.keep_content = !command.dump_template.empty() || !command.mbox_template.empty();
    return command;
}

Result<void> drop_privileges(const Command& command) {
    std::optional<postern::sys::User> user;
    if (!command.user.empty()) {
        auto found = postern::sys::find_user(command.user);
        if (!found.found()) return Error{Errc::not_found, cat({"unknown user: ", command.user})};
        user = *found;
    }
    if (!command.root.empty() && (::chroot(command.root.c_str()) != 0 || ::chdir("/") != 0)) {
        return Error{Errc::denied, cat({"cannot make ", command.root, " the root directory"})};
    }
    if (user) return postern::sys::become_user(user->uid, user->gid);
    return {};
}

int fail(const Error& error) {
    bool usage = error.what == kUsage;
    std::fprintf(stderr, "%s%s%s", usage ? "" : "smtp-sink: fatal: ", error.what.c_str(),
                 usage ? "" : "\n");
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    postern::log::open_stderr({.tag = "smtp-sink"});
    auto command = parse_command(argc, argv);
    if (!command) return fail(command.error());
    postern::loop::Loop loop;
    Sink sink(loop, *command);
    if (auto listening = sink.listen(); !listening) return fail(listening.error());
    if (auto dropped = drop_privileges(*command); !dropped) return fail(dropped.error());
    sink.start();
    loop.run();
    return 0;
}
