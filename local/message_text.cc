#include "local/message_text.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::local {
namespace {

constexpr std::size_t kPiece = 128 * 1024;
constexpr std::size_t kMaxHeader = 256 * 1024;

template <class F>
Result<void> each_piece(sys::Fs& fs, const Text& text, const F& take) {
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
    out += cat({"Delivered-To: ", address, "\n"});
    return out;
}

Result<void> copy_as_is(sys::Fs& fs, const Text& text, const Sink& write) {
    return each_piece(fs, text, [&](const std::string& piece) { return write(piece); });
}

Result<void> copy_with_lf(sys::Fs& fs, const Text& text, const Sink& write) {
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

Result<bool> delivered_before(sys::Fs& fs, const Text& text, std::string_view address) {
    constexpr std::string_view kName = "delivered-to:";
    std::string header;
    Text top = text;
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

}  // namespace postern::local
