// The decoder, see data_decoder.h. It walks from LF to LF with memchr and gives out the longest run
// that is content as it stands; only a dot to be removed, a line end to be mended, the end, or the
// edge of the input interrupts a run.
#include "lib/smtp/data_decoder.h"

#include <cstring>

namespace postern::smtp {
namespace {

const char* find_lf(const char* from, const char* end) {
    return static_cast<const char*>(std::memchr(from, '\n', static_cast<std::size_t>(end - from)));
}

}  // namespace

// A line that begins with a dot: the end, or a dot that was added. A line of a dot only whose line
// ends are not what RFC 5321 4.1.1.4 wants is left out, as Postfix does it.
DataDecoder::Dot DataDecoder::dot_line(std::string_view input) const {
    if (input.size() < 2 || (input[1] == '\r' && input.size() < 3)) return Dot::unclear;
    if (input[1] == '\n') return lf_only_ ? Dot::end : Dot::drop_line;
    if (input[1] != '\r' || input[2] != '\n') return Dot::drop_dot;
    return after_bare_lf_ ? Dot::drop_line : Dot::end;
}

DataDecoder::Step DataDecoder::next(std::string_view input) {
    std::size_t skipped = 0;
    while (at_line_start_ && input.substr(skipped).starts_with('.')) {
        const std::string_view line = input.substr(skipped);
        const Dot dot = dot_line(line);
        const bool crlf = line.size() > 1 && line[1] == '\r';
        if (dot == Dot::unclear) return {Kind::need_more, {}, skipped};
        if (dot == Dot::end) {
            saw_bare_lf_ = saw_bare_lf_ || !crlf;
            return {Kind::end, {}, skipped + (crlf ? 3 : 2)};
        }
        if (dot == Dot::drop_dot) {
            at_line_start_ = false;
            if (line[1] == '.') has_dot_lines_ = true;
            skipped += 1;
            break;
        }
        skipped += crlf ? 3 : 2;
        after_bare_lf_ = !crlf;
        saw_bare_lf_ = saw_bare_lf_ || !crlf;
        lf_only_ = lf_only_ && !crlf;
    }
    const char* const begin = input.data() + skipped;
    const char* const end = input.data() + input.size();
    const char* at = begin;
    const auto run = [&](const char* to) {
        const auto size = static_cast<std::size_t>(to - begin);
        return Step{size == 0 ? Kind::need_more : Kind::content, {begin, size}, skipped + size};
    };
    while (at < end) {
        if (at > begin && at_line_start_ && *at == '.') return run(at);
        const char* const lf = find_lf(at, end);
        if (lf == nullptr) {
            // What follows a CR decides what it is, so it stays in the input.
            const char* const to = end[-1] == '\r' ? end - 1 : end;
            if (to > at) at_line_start_ = false;
            return run(to);
        }
        if (lf == at || lf[-1] != '\r') {
            if (lf > at) at_line_start_ = false;
            if (lf > begin) return run(lf);
            at_line_start_ = after_bare_lf_ = saw_bare_lf_ = true;
            return {Kind::content, "\r\n", skipped + 1};
        }
        at = lf + 1;
        at_line_start_ = true;
        after_bare_lf_ = lf_only_ = false;
    }
    return run(end);
}

}  // namespace postern::smtp
