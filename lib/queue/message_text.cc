#include "lib/queue/message_text.h"

#include <algorithm>

#include "lib/base/date_time.h"
#include "lib/base/strings.h"

namespace postern::queue {
namespace {

constexpr std::size_t kPiece = 128 * 1024;
constexpr std::size_t kMaxHeader = 256 * 1024;

template <class F>
Result<void> each_piece(sys::Fs& fs, const MessageText& text, const F& take) {
    for (std::uint64_t done = 0; done < text.size;) {
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, text.size - done));
        TRY_ASSIGN(std::string piece, fs.read_at(text.fd, text.offset + done, count));
        if (piece.empty())
            return Error{Errc::corrupt, "queue file: shorter than the message in it"};
        done += piece.size();
        TRY(take(piece));
    }
    return {};
}

}  // namespace

std::string mailbox_headers(const std::string& sender, const std::string& original,
                            const std::string& address) {
    std::string out = cat({"Return-Path: <", sender, ">\n"});
    if (!original.empty()) out += cat({"X-Original-To: ", original, "\n"});
    if (!address.empty()) out += cat({"Delivered-To: ", address, "\n"});
    return out;
}

Result<void> copy_as_is(sys::Fs& fs, const MessageText& text, const Sink& write) {
    return each_piece(fs, text, [&](const std::string& piece) { return write(piece); });
}

Result<void> copy_with_lf(sys::Fs& fs, const MessageText& text, const Sink& write) {
    bool held_cr = false;  // the piece before ended with CR
    char last = '\n';
    TRY(each_piece(fs, text, [&](const std::string& piece) -> Result<void> {
        std::string out;
        out.reserve(piece.size() + 1);
        if (held_cr && piece.front() != '\n') out += '\r';
        std::size_t at = 0;
        while (at < piece.size()) {
            const auto cr = piece.find('\r', at);
            if (cr == std::string::npos) {
                out.append(piece, at);
                break;
            }
            out.append(piece, at, cr - at);
            const bool line_end = cr + 1 < piece.size() && piece[cr + 1] == '\n';
            if (!line_end && cr + 1 < piece.size()) out += '\r';
            at = cr + 1;
        }
        held_cr = piece.back() == '\r';
        if (!out.empty()) last = out.back();
        return write(out);
    }));
    if (held_cr) last = '\r';
    if (held_cr) TRY(write("\r"));
    if (last != '\n') TRY(write("\n"));
    return {};
}

namespace {

// Cuts the pieces into lines. An overlong line is passed on before its end has come.
class LineCopier {
  public:
    LineCopier(const LineStyle& style, const Sink& write) : style_(style), write_(write) {}

    Result<void> add(std::string_view piece) {
        std::string joined = std::move(rest_) + std::string(piece);
        std::string_view left = joined;
        std::string out;
        for (auto end = left.find('\n'); end != std::string_view::npos; end = left.find('\n')) {
            std::string_view line = left.substr(0, end);
            if (line.ends_with('\r')) line.remove_suffix(1);
            put(out, line);
            out += style_.end;
            at_line_start_ = true;
            left.remove_prefix(end + 1);
        }
        if (left.size() > kPiece) {
            const std::size_t keep = left.back() == '\r' ? 1 : 0;  // perhaps half a line end
            put(out, left.substr(0, left.size() - keep));
            left.remove_prefix(left.size() - keep);
        }
        rest_ = left;
        return out.empty() ? Result<void>() : write_(out);
    }

    Result<void> finish() {
        if (rest_.empty() && at_line_start_) return {};
        std::string out;
        put(out, rest_);
        return write_(out += style_.end);
    }

  private:
    void put(std::string& out, std::string_view line) {
        if (at_line_start_ && style_.quote_from && line.starts_with("From ")) out += '>';
        if (at_line_start_ && style_.stuff_dots && line.starts_with('.')) out += '.';
        out += line;
        at_line_start_ = false;
    }

    const LineStyle& style_;
    const Sink& write_;
    std::string rest_;  // of a line whose end has not come
    bool at_line_start_ = true;
};

}  // namespace

Result<void> copy_lines(sys::Fs& fs, const MessageText& text, const LineStyle& style,
                        const Sink& write) {
    LineCopier lines(style, write);
    TRY(each_piece(fs, text, [&](const std::string& piece) { return lines.add(piece); }));
    return lines.finish();
}

std::string from_line(std::string_view sender, WallTime now) {
    return cat({"From ", sender.empty() ? "MAILER-DAEMON" : sender, "  ",
                format_local_time(now, "%a %b %e %H:%M:%S %Y")});
}

Result<bool> delivered_before(sys::Fs& fs, const MessageText& text, std::string_view address) {
    constexpr std::string_view kName = "delivered-to:";
    std::string header;
    MessageText top = text;
    top.size = std::min<std::uint64_t>(text.size, kMaxHeader);
    bool complete = false;
    TRY(each_piece(fs, top, [&](const std::string& piece) -> Result<void> {
        if (complete) return {};
        const auto from = header.size() < 3 ? 0 : header.size() - 3;
        header += piece;
        const auto end = header.find("\r\n\r\n", from);
        complete = end != std::string::npos;
        if (complete) header.resize(end);
        return {};
    }));
    for (const auto line : split(header, '\n')) {
        if (istarts_with(line, kName) && iequals(trim(line.substr(kName.size())), address))
            return true;
    }
    return false;
}

}  // namespace postern::queue
