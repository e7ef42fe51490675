#include "lib/pop3/session.h"

#include "lib/base/strings.h"

namespace postern::pop3 {
namespace {

using Then = Action::Then;

Action say(std::string_view text, Then then = Then::go_on) {
    return {cat({text, "\r\n"}), then, 0, {}};
}

std::string number(std::uint64_t n) { return std::to_string(n); }

}  // namespace

Action Session::on_line(std::string_view line) {
    const Command command = Command::parse(line);
    if (command.verb == "STAT") return stat();
    if (command.verb == "LIST") return list(command);
    if (command.verb == "UIDL") return uidl(command);
    if (command.verb == "RETR") return retr(command);
    if (command.verb == "TOP") return top(command);
    if (command.verb == "DELE") return dele(command);
    if (command.verb == "RSET") return rset();
    if (command.verb == "NOOP") return say("+OK");
    if (command.verb == "CAPA")
        return {
            cat({"+OK\r\n", capability_lines(capabilities_), "IMPLEMENTATION Postern\r\n.\r\n"}),
            Then::go_on,
            0,
            {}};
    if (command.verb == "QUIT") return {{}, Then::update, 0, {}};
    return error("-ERR Unknown command: " + printable(command.verb, 32));
}

Action Session::on_line_too_long() { return error("-ERR Input line too long."); }

Action Session::error(std::string_view text) {
    if (++bad_commands_ >= kMaxBadCommands) return say("-ERR Too many bad commands.", Then::close);
    return say(text);
}

Action Session::on_update(bool done) const {
    // RFC 1939 6: -ERR when some messages could not be removed.
    if (!done) return say("-ERR [SYS/TEMP] Some messages were not removed.", Then::close);
    for (const bool deleted : deleted_)
        if (deleted) return say("+OK Logging out, messages deleted.", Then::close);
    return say("+OK Logging out.", Then::close);
}

std::optional<std::size_t> Session::message(const Command& command, Action& failed) {
    const auto wanted = command.number(0);
    if (!wanted)
        failed = error(cat({"-ERR Invalid message number: ",
                            command.words.empty() ? "" : printable(command.words[0], 32)}));
    else if (*wanted == 0 || *wanted > sizes_.size())
        failed = error("-ERR There's no message " + number(*wanted) + ".");
    else if (deleted_[*wanted - 1])
        failed = error("-ERR Message is deleted.");
    else
        return *wanted - 1;
    return std::nullopt;
}

template <class Line>
std::string Session::listing(Line line) const {
    std::string out;
    for (std::size_t i = 0; i < sizes_.size(); ++i)
        if (!deleted_[i]) out += cat({number(i + 1), " ", line(i), "\r\n"});
    return out + ".\r\n";
}

Action Session::stat() const {
    std::uint64_t count = 0;
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
        if (deleted_[i]) continue;
        ++count;
        size += sizes_[i];
    }
    return say(cat({"+OK ", number(count), " ", number(size)}));
}

Action Session::list(const Command& command) {
    const auto size_of = [this](std::size_t i) { return number(sizes_[i]); };
    if (command.words.empty())
        return {cat({"+OK scan listing follows\r\n", listing(size_of)}), Then::go_on, 0, {}};
    Action failed;
    const auto index = message(command, failed);
    if (!index) return failed;
    return say(cat({"+OK ", number(*index + 1), " ", size_of(*index)}));
}

Action Session::uidl(const Command& command) {
    if (command.words.empty()) return {cat({"+OK\r\n", listing(unique_id_)}), Then::go_on, 0, {}};
    Action failed;
    const auto index = message(command, failed);
    if (!index) return failed;
    return say(cat({"+OK ", number(*index + 1), " ", unique_id_(*index)}));
}

Action Session::retr(const Command& command) {
    Action failed;
    const auto index = message(command, failed);
    if (!index) return failed;
    return {cat({"+OK ", number(sizes_[*index]), " octets\r\n"}), Then::send_message, *index, {}};
}

Action Session::top(const Command& command) {
    Action failed;
    const auto index = message(command, failed);
    if (!index) return failed;
    const auto lines =
        command.words.size() > 1 ? parse_number<std::uint64_t>(command.words[1]) : std::nullopt;
    if (!lines) return error("-ERR Line count missing or invalid.");
    return {"+OK\r\n", Then::send_message, *index, *lines};
}

Action Session::dele(const Command& command) {
    Action failed;
    const auto index = message(command, failed);
    if (!index) return failed;
    deleted_[*index] = true;
    return say("+OK Marked to be deleted.");
}

Action Session::rset() {
    deleted_.assign(deleted_.size(), false);
    return say("+OK");
}

void MessageEncoder::end_line() {
    if (!in_body_) {
        if (line_empty_) {
            in_body_ = true;
            satisfied_ = lines_ && *lines_ == 0;
        }
    } else if (lines_ && --*lines_ == 0) {
        satisfied_ = true;
    }
    line_start_ = true;
    line_empty_ = true;
}

void MessageEncoder::encode(std::string_view piece, std::string& out) {
    while (!piece.empty() && !satisfied_) {
        // A CR at the end of the last piece: part of a line end, or a lone one.
        if (pending_cr_ && piece.front() != '\n') {
            out += '\r';
            line_empty_ = false;
            line_start_ = false;
        }
        pending_cr_ = false;
        const auto lf = piece.find('\n');
        std::string_view line = piece.substr(0, lf);
        const bool cr = !line.empty() && line.back() == '\r';
        if (cr) line.remove_suffix(1);
        // RFC 1939 3: a line that begins with the termination octet has it doubled.
        if (line_start_ && !line.empty() && line.front() == '.') out += '.';
        out += line;
        line_empty_ = line_empty_ && line.empty();
        if (!line.empty()) line_start_ = false;
        if (lf == std::string_view::npos) {
            pending_cr_ = cr;
            return;
        }
        out += "\r\n";
        piece.remove_prefix(lf + 1);
        end_line();
    }
}

void MessageEncoder::finish(std::string& out) {
    if (pending_cr_ || !line_empty_) out += "\r\n";
    out += ".\r\n";
}

}  // namespace postern::pop3
