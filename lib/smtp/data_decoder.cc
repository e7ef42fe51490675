// The decoder, see data_decoder.h. It walks from CR to CR with memchr and gives out the longest run
// that is content as it stands; only a dot to be removed, the end, or the edge of the input
// interrupts a run.
#include "lib/smtp/data_decoder.h"

#include <cstring>

namespace postern::smtp {
namespace {

const char* find(const char* from, const char* end, char c) {
    return static_cast<const char*>(std::memchr(from, c, static_cast<std::size_t>(end - from)));
}

}  // namespace

// A line that begins with a dot: the end, or a dot that was added.
DataDecoder::Step DataDecoder::line_start(std::string_view input) {
    if (input.size() < 2) return {};
    if (input[1] == '\r') {
        if (input.size() < 3) return {};
        if (input[2] == '\n') return {Kind::end, {}, 3};
        return {Kind::bare_cr, {}, 0};
    }
    if (input[1] == '\n') return {Kind::bare_lf, {}, 0};
    at_line_start_ = false;
    if (input[1] == '.') has_dot_lines_ = true;
    return {Kind::content, {}, 1};
}

DataDecoder::Step DataDecoder::next(std::string_view input) {
    std::size_t skipped = 0;
    if (at_line_start_ && input.starts_with('.')) {
        const Step step = line_start(input);
        if (step.kind != Kind::content) return step;
        skipped = step.consumed;
    }
    const char* const begin = input.data() + skipped;
    const char* const end = input.data() + input.size();
    const char* at = begin;
    auto run = [&](const char* to) {
        return Step{Kind::content,
                    {begin, static_cast<std::size_t>(to - begin)},
                    static_cast<std::size_t>(to - input.data())};
    };
    while (at < end) {
        if (at > begin && at_line_start_ && *at == '.') return run(at);
        const char* const cr = find(at, end, '\r');
        const char* const line_end = cr ? cr : end;
        if (find(at, line_end, '\n')) return {Kind::bare_lf, {}, 0};
        if (line_end > at) at_line_start_ = false;
        if (!cr) return run(end);
        if (cr + 1 == end) {
            // What follows the CR decides, so it stays in the input.
            if (cr == begin) return {Kind::need_more, {}, skipped};
            return run(cr);
        }
        if (cr[1] != '\n') return {Kind::bare_cr, {}, 0};
        at = cr + 2;
        at_line_start_ = true;
    }
    if (at == begin) return {Kind::need_more, {}, skipped};
    return run(end);
}

}  // namespace postern::smtp
