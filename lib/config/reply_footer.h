// smtpd_reject_footer and postscreen_reject_footer: what a refusal ends with, with the names of
// parameters that stand for facts of the session filled in. Inline: programs without SMTP have no
// lib/smtp to link with.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lib/smtp/reply_footer.h"

#include "lib/config/character_set.h"
#include "lib/config/expand.h"

namespace postern::config {

// `value_of` knows the session's facts by name ("client_address"); characters that `allowed` lacks
// do not reach the client. A line of the footer that cannot be expanded stays as it is.
inline std::string with_footer(
    const std::string& reply, const std::string& footer, const CharacterSet& allowed,
    const std::function<std::optional<std::string>(std::string_view name)>& value_of) {
    struct Values final : Names {
        Values(const std::function<std::optional<std::string>(std::string_view)>& values,
               const CharacterSet& characters)
            : value_of(values), allowed(characters) {}
        std::optional<std::string> raw(std::string_view name) const override {
            auto value = value_of(name);
            if (value) value = allowed.filtered(*value);
            return value;
        }
        const std::function<std::optional<std::string>(std::string_view)>& value_of;
        const CharacterSet& allowed;
    };
    const Values values(value_of, allowed);
    return smtp::add_footer(reply, footer, [&values](std::string_view line) {
        auto text = expand(line, values, Recursion::none);
        return text ? std::move(text).value() : std::string(line);
    });
}

}  // namespace postern::config
