#include "lib/smtp/dot_stuffer.h"

namespace postern::smtp {

void DotStuffer::add(std::string_view piece, std::string& out) {
    if (piece.empty()) return;
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
    before_last_ = piece.size() > 1 ? piece[piece.size() - 2] : last_;
    last_ = piece.back();
}

void DotStuffer::finish(std::string& out) {
    bool line_ended = before_last_ == '\r' && last_ == '\n';
    out += line_ended ? ".\r\n" : "\r\n.\r\n";
}

}  // namespace postern::smtp
