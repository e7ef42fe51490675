// TextCleaner: the first thing that happens to a message's text: single characters that must not be
// in it. A CR or LF that stands alone becomes a blank (cleanup_replace_stray_cr_lf), characters of
// message_strip_characters go, those of message_reject_characters refuse the message. Line ends, CR
// LF, stay whatever the lists say. Pure: bytes in, in any portions, bytes out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/config/character_set.h"

namespace postern::config {
class Config;
}

namespace postern::cleanup {

// What main.cf wants of characters.
class CharacterRules {
  public:
    // Errc::invalid names the parameter.
    static Result<CharacterRules> from(const config::Config& config);
    bool replace_stray = true;  // cleanup_replace_stray_cr_lf
    // Characters as main.cf has them, with \a \b \f \n \r \t \v \\ and \ooo. Errc::invalid for
    // another escape.
    Result<void> strip(std::string_view characters);
    Result<void> reject(std::string_view characters);

    bool any_listed() const { return !strip_.empty() || !reject_.empty(); }
    bool strips(char c) const { return strip_.has(c); }
    bool rejects(char c) const { return reject_.has(c); }

  private:
    config::CharacterSet strip_, reject_;
};

class TextCleaner {
  public:
    // Borrows the rules. `may_reject`: mail from outside, which message_reject_characters is for.
    TextCleaner(const CharacterRules& rules, bool may_reject)
        : rules_(rules), may_reject_(may_reject) {}

    // The next bytes, clean; valid until the next call. A CR at the end waits for what follows.
    std::string_view clean(std::string_view bytes);
    // The text ends here: what still waited.
    std::string_view finish();
    // The beginning of the first line that has a character of message_reject_characters, up to a
    // NUL.
    const std::optional<std::string>& rejected() const { return rejected_; }

  private:
    bool is_clean(std::string_view bytes) const;
    void take(char c);

    const CharacterRules& rules_;
    bool may_reject_;
    bool waiting_cr_ = false;
    std::string line_;  // the beginning of the present one, where some characters are rejected
    std::string out_;
    std::optional<std::string> rejected_;
};

}  // namespace postern::cleanup
