// Rules by client, see client_rules.h.
#include "policy/client_rules.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/table/address_lookup.h"
#include "lib/table/address_options.h"

namespace postern::policy {
namespace {

constexpr std::size_t kMaxUsual = 900;  // with room for AUTH in kMaxText

table::MatchList client_list(const config::Config& config, std::string_view parameter) {
    return table::MatchList::parse(config.text(parameter), table::parents_of(config, parameter));
}

// local_header_rewrite_clients: "permit_mynetworks, check_address_map hash:/x, hash:/y".
std::string rewriting_tables(const config::Config& config) {
    std::vector<std::string> tables;
    for (const auto& word : config.get(param::local_header_rewrite_clients))
        if (word.find(':') != std::string::npos) tables.push_back(word);
    return join(tables, ", ");
}

table::MatchList rewriting_networks(const config::Config& config) {
    for (const auto& word : config.get(param::local_header_rewrite_clients))
        if (iequals(word, "permit_mynetworks")) return client_list(config, "mynetworks");
    return {};
}

}  // namespace

ClientRules::ClientRules(const config::Config& config)
    : exceptions_(client_list(config, "smtpd_client_event_limit_exceptions")),
      xclient_(client_list(config, "smtpd_authorized_xclient_hosts")),
      xforward_(client_list(config, "smtpd_authorized_xforward_hosts")),
      debug_(client_list(config, "debug_peer_list")),
      without_auth_(client_list(config, "smtpd_sasl_exceptions_networks")),
      omitting_cr_(client_list(config, "smtpd_forbid_bare_newline_exclusions")),
      verp_(client_list(config, "smtpd_authorized_verp_clients")),
      rewriting_networks_(rewriting_networks(config)),
      rewriting_(table::Maps::open(rewriting_tables(config))),
      usual_hidden_(config.text("smtpd_discard_ehlo_keywords")),
      hidden_keywords_(table::Maps::open(config.text("smtpd_discard_ehlo_keyword_address_maps"))),
      commands_(table::Maps::open(config.text("smtpd_command_filter"), table::Fold::keep)),
      footers_(table::Maps::open(config.text("smtpd_reject_footer_maps"), table::Fold::keep)) {}

bool ClientRules::is_in(table::MatchList& list, const ipc::ClientQuestion& client, bool& failed) {
    if (list.empty()) return false;
    const auto address = IpAddress::parse(client.address);
    auto found = address ? list.matches_client(address->unmapped(), client.name)
                         : list.matches_name(client.address);
    if (found) return *found;
    log::warning("", found.error().what);
    failed = true;
    return false;
}

bool ClientRules::look_up(table::Maps& maps, const ipc::ClientQuestion& client, std::string& value,
                          std::size_t max, bool& failed) {
    if (maps.empty()) return false;
    auto found = maps.find(client.address);
    if (found.failed()) {
        log::warning("", found.error().what);
        failed = true;
    }
    if (!found.found()) return false;
    value = found->substr(0, max);
    return true;
}

bool ClientRules::rewrites_headers(const ipc::ClientQuestion& client, bool& failed) {
    if (is_in(rewriting_networks_, client, failed)) return true;
    if (rewriting_.empty()) return false;
    for (const auto& key : table::client_address_keys(client.address)) {
        const auto found = rewriting_.find(key.key, key.kind);
        if (found.found()) return true;
        if (!found.failed()) continue;
        log::warning("", found.error().what);
        failed = true;
        return false;
    }
    return false;
}

ipc::ClientTraits ClientRules::about(const ipc::ClientQuestion& question) {
    ipc::ClientTraits traits;
    traits.unlimited = is_in(exceptions_, question, traits.failed);
    traits.may_xclient = is_in(xclient_, question, traits.failed);
    traits.may_xforward = is_in(xforward_, question, traits.failed);
    traits.may_omit_cr = is_in(omitting_cr_, question, traits.failed);
    traits.may_verp = is_in(verp_, question, traits.failed);
    traits.debug = is_in(debug_, question, traits.failed);
    traits.rewrites_headers = rewrites_headers(question, traits.failed);
    traits.hides_keywords =
        look_up(hidden_keywords_, question, traits.hidden_keywords, ipc::kMaxText, traits.failed);
    if (is_in(without_auth_, question, traits.failed)) {
        if (!traits.hides_keywords) traits.hidden_keywords = usual_hidden_.substr(0, kMaxUsual);
        traits.hides_keywords = true;
        traits.hidden_keywords = cat({"AUTH ", traits.hidden_keywords}).substr(0, ipc::kMaxText);
    }
    return traits;
}

ipc::MapAnswer ClientRules::find(const ipc::MapQuestion& question) {
    auto& maps = question.map == ipc::LineMap::command_filter ? commands_ : footers_;
    auto found = maps.find(question.key);
    ipc::MapAnswer answer;
    answer.found = found.found();
    answer.failed = found.failed();
    if (found.failed()) log::warning("", found.error().what);
    if (found.found()) answer.value = found->substr(0, ipc::kMaxPath);
    return answer;
}

}  // namespace postern::policy
