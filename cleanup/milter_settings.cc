// Milters of main.cf and master.cf, see milter_settings.h.
#include "cleanup/milter_settings.h"

#include <algorithm>
#include <optional>

#include "lib/base/strings.h"
#include "lib/config/value.h"
#include "lib/log/log.h"
#include "lib/net/stream.h"
#include "lib/table/source.h"

namespace postern::cleanup {
namespace {

std::optional<DefaultAction> action_of(std::string_view word) {
    constexpr std::pair<std::string_view, DefaultAction> kWords[] = {
        {"accept", DefaultAction::accept},
        {"reject", DefaultAction::reject},
        {"tempfail", DefaultAction::tempfail},
        {"quarantine", DefaultAction::quarantine},
        {"shutdown", DefaultAction::shutdown}};
    for (const auto& [name, action] : kWords)
        if (iequals(name, word)) return action;
    return std::nullopt;
}

// "6", "6,NO_HELO_CMD": the first number counts.
int protocol_of(std::string_view text) {
    for (auto word : split_words(text, ", \t")) {
        if (const auto number = parse_number<int>(word); number && *number >= 2)
            return std::min(*number, 6);
    }
    return 6;
}

// One of "default_action = accept" within braces.
Result<void> set(MilterServer& server, std::string_view setting) {
    const auto pair = split_once(setting, '=');
    const Error bad{Errc::invalid,
                    cat({"milter ", server.name, ": bad setting \"", setting, "\""})};
    if (!pair) return bad;
    const auto name = trim(pair->first), value = trim(pair->second);
    if (name == "default_action") {
        const auto action = action_of(value);
        if (!action) return bad;
        server.action = *action;
        return {};
    }
    if (name == "protocol") {
        server.protocol = protocol_of(value);
        return {};
    }
    const auto millis = config::parse_millis(value, "s");
    if (!millis) return bad;
    const Millis time{*millis};
    if (name == "connect_timeout")
        server.connect_timeout = time;
    else if (name == "command_timeout")
        server.command_timeout = time;
    else if (name == "content_timeout")
        server.content_timeout = time;
    else
        return bad;
    return {};
}

std::optional<net::Endpoint> endpoint_of(std::string_view name) {
    if (name.starts_with("inet6:")) name.remove_prefix(6);
    if (name.starts_with("inet:")) name.remove_prefix(5);
    if (name.starts_with("local:")) return net::parse_endpoint(cat({"unix:", name.substr(6)}), 0);
    return net::parse_endpoint(name, 0);
}

Result<MilterServer> server_of(const std::string& part, MilterServer server) {
    if (!part.starts_with('{')) {
        server.name = part;
    } else {
        if (!part.ends_with('}')) return Error{Errc::invalid, "milter: missing } in " + part};
        const auto inside = std::string_view(part).substr(1, part.size() - 2);
        for (auto setting : split(inside, ',')) {
            setting = trim(setting);
            if (setting.empty()) continue;
            if (server.name.empty()) {
                server.name = setting;
                continue;
            }
            TRY(set(server, setting));
        }
    }
    const auto endpoint = endpoint_of(server.name);
    if (!endpoint || (endpoint->unix_path.empty() && endpoint->port == 0))
        return Error{Errc::invalid,
                     cat({"milter \"", server.name, "\": neither inet:host:port nor unix:path"})};
    return server;
}

std::vector<std::string> macro_names(const std::vector<std::string>& words) {
    std::vector<std::string> names;
    for (const auto& word : words) {
        const bool braced = word.starts_with('{') || word.size() == 1;
        names.push_back(braced ? word : cat({"{", word, "}"}));
    }
    return names;
}

// One that is configured and cannot be: mail must not pass as if there were none.
std::shared_ptr<const MilterSettings> make(const config::Config& config, const std::string& list,
                                           std::string_view where) {
    auto settings = MilterSettings::from(config, list);
    if (!settings) {
        log::warning("", cat({where, ": ", settings.error().what}));
        MilterSettings broken;
        broken.servers.push_back({.name = "(as misconfigured)"});
        return std::make_shared<const MilterSettings>(std::move(broken));
    }
    if (settings->servers.empty()) return nullptr;
    return std::make_shared<const MilterSettings>(*std::move(settings));
}

}  // namespace

Result<sys::SocketAddress> MilterServer::address() const {
    const auto endpoint = endpoint_of(name);
    if (!endpoint) return Error{Errc::invalid, "not an address"};
    TRY_ASSIGN(const auto found, net::resolve(*endpoint));
    // "localhost" is ::1 too, where fewer listen.
    for (const auto& one : found)
        if (!one.is_inet() || one.ip().str().find(':') == std::string::npos ||
            name.starts_with("inet6:"))
            return one;
    return found.front();
}

Result<MilterSettings> MilterSettings::from(const config::Config& config, const std::string& list) {
    MilterSettings s;
    MilterServer usual;
    const auto action = action_of(config.get(param::milter_default_action));
    if (action) usual.action = *action;
    usual.connect_timeout = config.get(param::milter_connect_timeout);
    usual.command_timeout = config.get(param::milter_command_timeout);
    usual.content_timeout = config.get(param::milter_content_timeout);
    usual.protocol = protocol_of(config.get(param::milter_protocol));
    for (const auto& part : table::split_list(list)) {
        if (part == "DISABLE") return s;
        TRY_ASSIGN(auto server, server_of(part, usual));
        s.servers.push_back(std::move(server));
    }
    using milter::Stage;
    s.macros[Stage::connect] = macro_names(config.get(param::milter_connect_macros));
    s.macros[Stage::helo] = macro_names(config.get(param::milter_helo_macros));
    s.macros[Stage::mail] = macro_names(config.get(param::milter_mail_macros));
    s.macros[Stage::rcpt] = macro_names(config.get(param::milter_rcpt_macros));
    s.macros[Stage::data] = macro_names(config.get(param::milter_data_macros));
    s.macros[Stage::end_of_header] = macro_names(config.get(param::milter_end_of_header_macros));
    s.macros[Stage::end_of_message] = macro_names(config.get(param::milter_end_of_data_macros));
    for (const auto& word : config.get(param::milter_macro_defaults)) {
        if (const auto pair = split_once(word, '='))
            s.defaults[macro_names({std::string(trim(pair->first))}).front()] = trim(pair->second);
    }
    s.daemon_name = config.get(param::milter_macro_daemon_name);
    s.version = config.get(param::milter_macro_v);
    s.myhostname = config.get(param::myhostname);
    s.body_limit = config.get(param::message_size_limit);
    return s;
}

MilterCatalog::Service MilterCatalog::service_of(const config::Config& config,
                                                 const std::string& where) {
    Service service;
    service.usual = make(config, config.get(param::smtpd_milters), where);
    service.by_client = table::Maps::open(config.text("smtpd_milter_maps"));
    if (!service.by_client.empty()) service.config.emplace(config);
    return service;
}

MilterCatalog::MilterCatalog(const config::Config& config, const config::MasterFile& master)
    : other_(service_of(config, "smtpd_milters")),
      local_(make(config, config.get(param::non_smtpd_milters), "non_smtpd_milters")) {
    for (const auto& entry : master.entries()) {
        if (entry.overrides.empty()) continue;
        const auto own = config.with(entry.overrides);
        if (!own) continue;  // its smtpd does not start either, and says why
        services_.insert_or_assign(entry.name, service_of(*own, "master.cf entry " + entry.name));
    }
}

std::shared_ptr<const MilterSettings> MilterCatalog::of_client(const std::string& service,
                                                               const std::string& address) {
    constexpr std::size_t kMaxListed = 1000;  // different values
    const auto at = services_.find(service);
    Service& own = at == services_.end() ? other_ : at->second;
    if (own.by_client.empty()) return own.usual;
    const auto found = own.by_client.find(address);
    if (found.not_found()) return own.usual;
    if (found.failed()) log::warning("", cat({"smtpd_milter_maps: ", found.error().what}));
    const std::string list = found.found() ? *found : std::string();
    const auto known = own.listed.find(list);
    if (found.found() && known != own.listed.end()) return known->second;
    if (found.failed()) {
        MilterSettings broken;
        broken.servers.push_back({.name = "(as smtpd_milter_maps fails)"});
        return std::make_shared<const MilterSettings>(std::move(broken));
    }
    if (own.listed.size() >= kMaxListed) own.listed.clear();
    return own.listed[list] = make(*own.config, list, "smtpd_milter_maps");
}

}  // namespace postern::cleanup
