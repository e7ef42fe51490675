// Tables about servers, see server_rules.h.
#include "forwarder/server_rules.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::forwarder {

ServerRules::ServerRules(std::string_view discard_maps, std::string_view reply_filter)
    : discarded_(table::Maps::open(discard_maps)),
      replies_(table::Maps::open(reply_filter, table::Fold::keep)) {}

std::optional<std::vector<std::string>> ServerRules::ignored_extensions(
    const std::string& address) {
    if (discarded_.empty()) return std::nullopt;
    const auto found = discarded_.find(address);
    if (found.failed()) log::warning("", found.error().what);
    if (!found.found()) return std::nullopt;
    std::vector<std::string> words;
    for (const auto word : split_words(*found, ", \t\r\n")) words.emplace_back(word);
    return words;
}

std::optional<std::string> ServerRules::filtered(std::string_view line, std::string_view server) {
    auto found = replies_.find(line);
    if (found.failed()) {
        log::warning("", found.error().what);
        return "421 4.3.0 local data error in the filter of replies";
    }
    if (!found.found()) return std::nullopt;
    log::info("", cat({server, ": replacing server reply \"", printable(line), "\" with \"",
                       printable(*found), "\""}));
    return std::move(*found);
}

}  // namespace postern::forwarder
