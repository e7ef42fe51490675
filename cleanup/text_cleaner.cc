#include "cleanup/text_cleaner.h"

#include <cstring>
#include <utility>

#include "lib/base/strings.h"
#include "lib/config/config.h"

namespace postern::cleanup {
namespace {

constexpr std::size_t kShown = 200;  // of a line, in the log

// One character of a list; the escapes are Postfix's. Nothing when it is none.
std::optional<char> take_character(std::string_view& text) {
    const char first = text.front();
    text.remove_prefix(1);
    if (first != '\\') return first;
    std::size_t digits = 0;
    int code = 0;
    while (digits < 3 && digits < text.size() && text[digits] >= '0' && text[digits] <= '7')
        code = code * 8 + (text[digits++] - '0');
    if (digits > 0 && code < 256) {
        text.remove_prefix(digits);
        return static_cast<char>(code);
    }
    constexpr std::string_view kNames = "abfnrtv\\", kMeant = "\a\b\f\n\r\t\v\\";
    const auto which = text.empty() ? kNames.npos : kNames.find(text.front());
    if (which == kNames.npos) return std::nullopt;
    text.remove_prefix(1);
    return kMeant[which];
}

}  // namespace

Result<CharacterRules> CharacterRules::from(const config::Config& config) {
    CharacterRules rules;
    rules.replace_stray = config.get(param::cleanup_replace_stray_cr_lf);
    if (auto taken = rules.strip(config.get(param::message_strip_characters)); !taken)
        return std::move(taken).error().within("message_strip_characters");
    if (auto taken = rules.reject(config.get(param::message_reject_characters)); !taken)
        return std::move(taken).error().within("message_reject_characters");
    return rules;
}

Result<void> CharacterRules::strip(std::string_view characters) { return add(characters, kStrip); }

Result<void> CharacterRules::reject(std::string_view characters) {
    return add(characters, kReject);
}

Result<void> CharacterRules::add(std::string_view characters, unsigned char fate) {
    while (!characters.empty()) {
        const auto c = take_character(characters);
        if (!c)
            return Error{Errc::invalid, cat({"\"\\", characters.substr(0, 1),
                                             "\" is no character: \\a \\b \\f \\n \\r \\t \\v \\\\ "
                                             "and \\000 to \\377 are"})};
        fates_[static_cast<unsigned char>(*c)] |= fate;
        listed_ = true;
    }
    return {};
}

// Whether bytes pass as they are, which nearly all do.
bool TextCleaner::is_clean(std::string_view bytes) const {
    if (waiting_cr_ || rules_.any_listed()) return false;
    if (!rules_.replace_stray) return true;
    const char* const end = bytes.data() + bytes.size();
    std::size_t pairs = 0;
    const auto next = [end](const char* at, char c) {
        return static_cast<const char*>(std::memchr(at, c, static_cast<std::size_t>(end - at)));
    };
    for (const char* at = bytes.data(); at < end; ++pairs) {
        const char* const cr = next(at, '\r');
        const char* const lf = next(at, '\n');
        if (cr == nullptr && lf == nullptr) return true;
        if (cr == nullptr || lf != cr + 1) return false;
        at = lf + 1;
    }
    return true;
}

std::string_view TextCleaner::clean(std::string_view bytes) {
    if (is_clean(bytes)) return bytes;
    out_.clear();
    for (const char c : bytes) take(c);
    return out_;
}

std::string_view TextCleaner::finish() {
    out_.clear();
    if (waiting_cr_) out_ += rules_.replace_stray ? ' ' : '\r';
    waiting_cr_ = false;
    return out_;
}

void TextCleaner::take(char c) {
    const bool after_cr = std::exchange(waiting_cr_, false);
    if (after_cr && c == '\n') {
        out_ += "\r\n";
        line_.clear();
        return;
    }
    const auto put = [this](char one) {
        if (may_reject_ && rules_.rejects(one) && !rejected_)
            rejected_ = one == '\0' ? line_ : line_ + one;
        if (may_reject_ && !rejected_ && rules_.any_listed() && line_.size() < kShown) line_ += one;
        if (!rules_.strips(one)) out_ += one;
    };
    if (after_cr) put(rules_.replace_stray ? ' ' : '\r');
    if (c == '\r')
        waiting_cr_ = true;
    else
        put(c == '\n' && rules_.replace_stray ? ' ' : c);
}

}  // namespace postern::cleanup
