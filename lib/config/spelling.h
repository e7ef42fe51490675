// What somebody may have meant who misspelled a word.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace postern::config {

// The word that is nearest to this one, if one is near: an edit for every six characters, at least
// one. Nothing for a word that is there as it stands.
std::optional<std::string_view> nearest_word(std::string_view word,
                                             std::span<const std::string_view> known);

}  // namespace postern::config
