#include "lib/smtp/dot_stuffer.h"

#include <algorithm>

namespace postern::smtp {

void DotStuffer::add(std::string_view piece, std::string& out) {
    if (piece.empty()) return;
    if (limit_ == 0 || fits(piece)) {
        add_fitting(piece, out);
    } else {
        add_breaking(piece, out);
    }
    before_last_ = piece.size() > 1 ? piece[piece.size() - 2] : last_;
    last_ = piece.back();
}

// No line becomes too long within this piece; then the column moves to its end.
bool DotStuffer::fits(std::string_view piece) {
    std::size_t column = column_;
    std::size_t at = 0;
    for (std::size_t end = piece.find('\n'); end != std::string_view::npos;
         end = piece.find('\n', at)) {
        // The CR is counted too: what is judged too long by one byte goes the slow way, which is
        // exact.
        if (column + end - at > limit_ + 1) return false;
        column = 0;
        at = end + 1;
    }
    column += piece.size() - at;
    if (column > limit_) return false;
    column_ = column;
    return true;
}

void DotStuffer::add_fitting(std::string_view piece, std::string& out) {
    std::size_t done = 0;
    if (look_) {
        if (last_ == '\n' && piece[0] == '.') out += '.';
        for (std::size_t at = piece.find("\n."); at != std::string_view::npos;
             at = piece.find("\n.", at + 2)) {
            out.append(piece, done, at + 1 - done);
            out += '.';
            done = at + 1;
        }
    }
    out.append(piece, done);
}

void DotStuffer::add_breaking(std::string_view piece, std::string& out) {
    bool line_start = last_ == '\n';
    while (!piece.empty()) {
        if (line_start && piece[0] == '.') out += '.';
        std::size_t end = piece.find('\n');
        line_start = end != std::string_view::npos;
        std::string_view line = piece.substr(0, line_start ? end + 1 : end);
        piece.remove_prefix(line.size());
        // A CR that may be the beginning of CRLF is not broken off.
        std::size_t text = line.size() - (line.ends_with("\r\n")               ? 2
                                          : line_start || line.ends_with('\r') ? 1
                                                                               : 0);
        while (column_ + text > limit_) {
            std::size_t part = limit_ - std::min(limit_, column_);
            out.append(line.substr(0, part));
            out += "\r\n ";
            line.remove_prefix(part);
            text -= part;
            column_ = 1;
        }
        out.append(line);
        column_ = line_start ? 0 : column_ + text;
    }
}

void DotStuffer::finish(std::string& out) {
    bool line_ended = before_last_ == '\r' && last_ == '\n';
    out += line_ended ? ".\r\n" : "\r\n.\r\n";
}

}  // namespace postern::smtp
