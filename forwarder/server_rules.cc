// Tables about servers, see server_rules.h.
#include "forwarder/server_rules.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::forwarder {

ServerRules::ServerRules(std::string_view discard_maps, std::string_view reply_filter,
                         std::string_view pix_maps)
    : discarded_(table::Maps::open(discard_maps)),
      replies_(table::Maps::open(reply_filter, table::Fold::keep)),
      pix_(table::Maps::open(pix_maps)) {}

smtp::PixWorkarounds parse_pix_workarounds(std::string_view words, std::string_view where) {
    smtp::PixWorkarounds workarounds;
    for (const auto word : split_words(words, ", \t\r\n")) {
        if (iequals(word, "disable_esmtp")) {
            workarounds.disable_esmtp = true;
        } else if (iequals(word, "delay_dotcrlf")) {
            workarounds.delay_dotcrlf = true;
        } else {
            log::warning("", cat({where, ": unknown PIX workaround \"", printable(word, 60),
                                  "\": disable_esmtp and delay_dotcrlf are known"}));
        }
    }
    return workarounds;
}

std::string pix_names(const smtp::PixWorkarounds& workarounds) {
    std::vector<std::string> names;
    if (workarounds.disable_esmtp) names.emplace_back("disable_esmtp");
    if (workarounds.delay_dotcrlf) names.emplace_back("delay_dotcrlf");
    return join(names, " ");
}

// A table that fails is none: the worst is a message that waits at such a firewall.
std::optional<smtp::PixWorkarounds> ServerRules::pix_workarounds(const std::string& address) {
    if (pix_.empty()) return std::nullopt;
    const auto found = pix_.find(address);
    if (found.failed()) log::warning("", found.error().what);
    if (!found.found()) return std::nullopt;
    return parse_pix_workarounds(*found, cat({"PIX workarounds of ", address}));
}

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
