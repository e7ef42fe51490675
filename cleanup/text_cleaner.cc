#include "cleanup/text_cleaner.h"

#include <cstring>
#include <utility>

#include "lib/base/strings.h"
#include "lib/config/config.h"

namespace postern::cleanup {
namespace {

constexpr std::size_t kShown = 200;  // of a line, in the log

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

Result<void> CharacterRules::strip(std::string_view characters) {
    TRY_ASSIGN(strip_, config::CharacterSet::parse(characters));
    return {};
}

Result<void> CharacterRules::reject(std::string_view characters) {
    TRY_ASSIGN(reject_, config::CharacterSet::parse(characters));
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
