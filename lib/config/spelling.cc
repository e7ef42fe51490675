#include "lib/config/spelling.h"

#include <algorithm>
#include <vector>

namespace postern::config {
namespace {

// Edits between two words, at most limit + 1.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
    if (a.size() > b.size()) std::swap(a, b);
    if (b.size() - a.size() > limit) return limit + 1;
    std::vector<std::size_t> row(a.size() + 1);
    for (std::size_t i = 0; i <= a.size(); i++) row[i] = i;
    for (std::size_t j = 1; j <= b.size(); j++) {
        std::size_t diagonal = row[0]++;
        for (std::size_t i = 1; i <= a.size(); i++) {
            std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[i];
            row[i] = std::min({row[i] + 1, row[i - 1] + 1, change});
        }
    }
    return row[a.size()];
}

}  // namespace

std::optional<std::string_view> nearest_word(std::string_view word,
                                             std::span<const std::string_view> known) {
    std::size_t limit = std::max<std::size_t>(1, word.size() / 6);
    std::optional<std::string_view> best;
    for (const std::string_view candidate : known) {
        const std::size_t distance = edit_distance(word, candidate, limit);
        if (distance > limit || distance == 0) continue;
        best = candidate;
        limit = distance - 1;
        if (limit == 0) break;
    }
    return best;
}

}  // namespace postern::config
