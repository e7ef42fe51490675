#include "forwarder/transcript.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::forwarder {
namespace {

constexpr std::size_t kMostKept = 16 << 10;
constexpr std::size_t kMostOfLine = 512;

}  // namespace

void Transcript::add(std::string_view prefix, std::string_view line) {
    text_ += cat({prefix, printable(line, kMostOfLine), "\r\n"});
    if (text_.size() <= kMostKept) return;
    text_.erase(0, text_.find('\n', kMostKept / 2) + 1);
    cut_ = true;
}

void Transcript::received(std::string_view bytes) {
    partial_ += bytes;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = partial_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
        const std::string_view line =
            trim_right(std::string_view(partial_).substr(begin, end - begin));
        if (!line.starts_with("334")) in_auth_ = false;  // RFC 4954 4: the server asks for more
        add(" In:  ", line);
    }
    partial_.erase(0, begin);
    if (partial_.size() > kMostKept) partial_.clear();  // no line of a reply
}

void Transcript::sent(std::string_view commands) {
    while (!commands.empty()) {
        const std::size_t end = std::min(commands.find('\n'), commands.size() - 1);
        const std::string_view line = trim_right(commands.substr(0, end + 1));
        commands.remove_prefix(end + 1);
        if (in_auth_) {
            add(" Out: ", "[not shown]");
        } else if (istarts_with(line, "AUTH ")) {
            const auto words = split_words(line, " ");
            add(" Out: ", words.size() > 2 ? cat({words[0], " ", words[1], " [not shown]"})
                                           : std::string(line));
            in_auth_ = true;
        } else {
            add(" Out: ", line);
        }
    }
}

std::string Transcript::text() const {
    return cat({cut_ ? " (what came before is left out)\r\n" : "", text_});
}

}  // namespace postern::forwarder
