#include "postscreen/access.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/table/address_lookup.h"

namespace postern::postscreen {

Access::Access(const Options& options)
    : options_(options),
      networks_(table::MatchList::parse(options.mynetworks)),
      interfaces_(table::MatchList::parse(options.allowlist_interfaces)),
      hidden_(table::Maps::open(options.hidden_keyword_maps)),
      reply_map_(table::Maps::open(options.reply_map)),
      commands_(table::Maps::open(options.command_filter, table::Fold::keep)),
      footers_(table::Maps::open(options.reject_footer_maps, table::Fold::keep)) {
    for (auto* maps : {&commands_, &footers_})
        for (const Error& problem : maps->problems()) log::warning("", problem.what);
    for (const auto& word : options.access_list) {
        Rule rule;
        rule.networks = iequals(word, "permit_mynetworks");
        if (!rule.networks && word.find(':') == std::string::npos) {
            log::warning("",
                         cat({"parameter postscreen_access_list: unknown word \"", word, "\""}));
            continue;
        }
        if (!rule.networks) rule.table = table::Maps::open(word);
        for (const Error& problem : rule.table.problems()) log::warning("", problem.what);
        rules_.push_back(std::move(rule));
    }
}

Access::Word Access::about(const IpAddress& client) {
    for (Rule& rule : rules_) {
        if (rule.networks) {
            const auto inside = networks_.matches_client(client);
            if (!inside) log::warning("", inside.error().what);
            if (inside && *inside) return Word::permit;
            continue;
        }
        for (const auto& key : table::client_address_keys(client.str())) {
            const auto found = rule.table.find(key.key, key.kind);
            if (found.failed()) {
                log::warning("", cat({"postscreen_access_list: ", found.error().what}));
                break;
            }
            if (!found.found()) continue;
            if (iequals(*found, "permit")) return Word::permit;
            if (iequals(*found, "reject")) return Word::reject;
            if (iequals(*found, "dunno")) return Word::dunno;
            log::warning("", cat({"postscreen_access_list: unknown command: ",
                                  printable(*found, 100), " for ", client.str()}));
            break;
        }
    }
    return Word::dunno;
}

bool Access::lets_pass(const IpAddress& server) {
    const auto member = interfaces_.matches_client(server);
    if (member) return *member;
    log::warning("", cat({"postscreen_allowlist_interfaces: ", member.error().what}));
    return true;
}

std::vector<std::string> Access::hidden_keywords(const std::string& client) {
    const auto found = hidden_.find(client);
    if (found.failed()) log::warning("", found.error().what);
    if (!found.found()) return options_.hidden_keywords;
    std::vector<std::string> out;
    for (const auto word : split_words(*found, ", \t\r\n")) out.push_back(to_upper(word));
    return out;
}

std::optional<std::string> Access::replacement(std::string_view command) {
    if (commands_.empty()) return std::nullopt;
    const auto found = commands_.find(trim_left(command));
    if (found.failed()) log::warning("", cat({"postscreen_command_filter: ", found.error().what}));
    return found.found() ? std::optional(*found) : std::nullopt;
}

std::string Access::footer(const std::string& reply) {
    if (footers_.empty()) return options_.reject_footer;
    const auto found = footers_.find(reply);
    if (found.failed())
        log::warning("", cat({"postscreen_reject_footer_maps: ", found.error().what}));
    return found.found() ? *found : options_.reject_footer;
}

std::string Access::list_name(const std::string& domain) {
    const auto found = reply_map_.find(domain);
    if (found.failed()) log::warning("", found.error().what);
    return found.found() ? *found : domain;
}

}  // namespace postern::postscreen
