#include "lib/table/server_table.h"

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/config/process_wide.h"

namespace postern::table {
namespace {

constexpr Millis kPatience{30'000};  // for connecting and one question
constexpr std::size_t kMaxTcpLine = 4096;

int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    const char low = to_lower(c);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

class TcpTable final : public ServerTable {
  public:
    explicit TcpTable(std::string address) : ServerTable(std::move(address)) {}

  private:
    Lookup<std::string> ask(Stream& stream, std::string_view key,
                            const Deadline& deadline) override {
        TRY(stream.send(cat({"get ", tcp_encode(key), "\n"}), deadline));
        TRY_ASSIGN(const std::string line, stream.read_until('\n', kMaxTcpLine, deadline));
        const std::string_view reply = trim_right(line);
        const auto parts = split_once(reply, ' ');
        const std::string_view code = parts ? parts->first : reply;
        if (code == "500") return NotFound{};
        TRY_ASSIGN(const std::string text, tcp_decode(parts ? parts->second : ""));
        if (code == "200") return text;
        return Error{Errc::temporary, cat({"tcp table: the server said: ", printable(reply, 200)})};
    }
};

class SocketmapTable final : public ServerTable {
  public:
    SocketmapTable(std::string address, std::string name)
        : ServerTable(std::move(address)), name_(std::move(name)) {}

  private:
    Lookup<std::string> ask(Stream& stream, std::string_view key,
                            const Deadline& deadline) override {
        const std::string question = cat({name_, " ", key});
        TRY(stream.send(cat({std::to_string(question.size()), ":", question, ","}), deadline));
        TRY_ASSIGN(const std::string length, stream.read_until(':', 10, deadline));
        const auto size = parse_number<std::size_t>(length);
        if (!size || *size > config::process_wide().socketmap_reply_limit) return bad(length);
        TRY_ASSIGN(const std::string reply, stream.read_exactly(*size + 1, deadline));
        if (reply.back() != ',') return bad(reply);
        const std::string_view text = std::string_view(reply).substr(0, *size);
        const auto parts = split_once(text, ' ');
        const std::string_view status = parts ? parts->first : text;
        if (status == "OK") return std::string(parts ? parts->second : "");
        if (status == "NOTFOUND") return NotFound{};
        return Error{status == "PERM" ? Errc::permanent : Errc::temporary,
                     cat({"socketmap ", name_, ": the server said: ", printable(text, 200)})};
    }

    Error bad(std::string_view what) const {
        return {Errc::invalid, cat({"socketmap ", name_, ": bad answer: ", printable(what, 60)})};
    }

    std::string name_;
};

}  // namespace

std::string tcp_encode(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > 32 && byte < 127 && c != '%') {
            out += c;
        } else {
            constexpr char kDigits[] = "0123456789ABCDEF";
            out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
        }
    }
    return out;
}

Result<std::string> tcp_decode(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            out += text[at];
            continue;
        }
        const int high = at + 2 < text.size() ? hex_digit(text[at + 1]) : -1;
        const int low = at + 2 < text.size() ? hex_digit(text[at + 2]) : -1;
        if (high < 0 || low < 0)
            return Error{Errc::invalid, cat({"tcp table: bad encoding: ", printable(text, 100)})};
        out += static_cast<char>(high << 4 | low);
        at += 2;
    }
    return out;
}

Lookup<std::string> ServerTable::lookup(std::string_view key) {
    if (key.empty() || key.size() > kMaxKeySize) return NotFound{};
    const auto deadline = Deadline::in(kPatience);
    const bool kept = stream_.has_value();
    for (int attempt = kept ? 0 : 1; attempt < 2; ++attempt) {
        if (!stream_) {
            auto connected = Stream::connect(address_, deadline);
            if (!connected) return std::move(connected).error();
            stream_ = std::move(*connected);
        }
        auto answer = ask(*stream_, key, deadline);
        if (!answer.failed()) return answer;
        const Errc code = std::as_const(answer).error().code;
        const bool lost = code == Errc::closed || code == Errc::timeout || code == Errc::invalid ||
                          std::as_const(answer).error().sys != 0;
        if (lost) stream_.reset();
        if (attempt == 1 || code != Errc::closed) return answer;
    }
    return NotFound{};  // not reached
}

Result<std::unique_ptr<Table>> open_tcp(std::string_view name) {
    if (name.find(':') == name.npos)
        return Error{Errc::invalid, cat({"tcp:", name, ": expected tcp:host:port"})};
    return std::unique_ptr<Table>(std::make_unique<TcpTable>(std::string(name)));
}

Result<std::unique_ptr<Table>> open_socketmap(std::string_view name) {
    const std::size_t colon = name.rfind(':');
    const bool known = name.starts_with("inet:") || name.starts_with("unix:");
    if (!known || colon == name.npos || colon < 5 || colon + 1 == name.size()) {
        return Error{Errc::invalid,
                     cat({"socketmap:", name,
                          ": expected socketmap:inet:host:port:name or socketmap:unix:path:name"})};
    }
    return std::unique_ptr<Table>(std::make_unique<SocketmapTable>(
        std::string(name.substr(0, colon)), std::string(name.substr(colon + 1))));
}

}  // namespace postern::table
