#include "local/user_facts.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/config/expand.h"
#include "lib/table/address_list.h"
#include "lib/table/address_lookup.h"

namespace postern::local {
namespace {

std::string filtered(std::string_view value, std::string_view allowed) {
    std::string out(value);
    std::replace_if(
        out.begin(), out.end(), [&](char c) { return allowed.find(c) == std::string_view::npos; },
        '_');
    return out;
}

class FactNames final : public config::Names {
  public:
    FactNames(const UserFacts& facts, std::string_view allowed)
        : facts_(facts), allowed_(allowed) {}
    std::optional<std::string> raw(std::string_view name) const override {
        const auto* value = find(name);
        if (value == nullptr || value->empty()) return std::nullopt;
        return filtered(*value, allowed_);
    }

  private:
    const std::string* find(std::string_view name) const {
        const std::pair<std::string_view, const std::string*> all[] = {
            {"user", &facts_.user},           {"home", &facts_.home},
            {"shell", &facts_.shell},         {"recipient", &facts_.recipient},
            {"local", &facts_.local},         {"domain", &facts_.domain},
            {"extension", &facts_.extension}, {"recipient_delimiter", &facts_.delimiter}};
        for (const auto& [known, value] : all) {
            if (known == name) return value;
        }
        return nullptr;
    }
    const UserFacts& facts_;
    std::string_view allowed_;
};

// The names that stand plainly in the text: $name ${name} $(name), not ${name?...}.
std::vector<std::string> plain_names(std::string_view text) {
    std::vector<std::string> names;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '$' || at + 1 == text.size()) continue;
        if (text[++at] == '$') continue;
        const bool bracket = text[at] == '{' || text[at] == '(';
        std::size_t from = at + (bracket ? 1 : 0), to = from;
        while (to < text.size() && (is_alnum(text[to]) || text[to] == '_')) ++to;
        const bool closed = !bracket || (to < text.size() && (text[to] == '}' || text[to] == ')'));
        if (to > from && closed) names.emplace_back(text.substr(from, to - from));
    }
    return names;
}

}  // namespace

UserFacts facts_of(const Target& target, const std::string& delimiters) {
    UserFacts facts{target.user, target.home, target.shell, target.address, {}, {}, {}, {}};
    auto parts = table::split_address(target.address);
    facts.local = table::unquote_local(parts.local);
    facts.domain = std::move(parts.domain);
    if (const auto split = table::split_extension(facts.local, delimiters); split) {
        facts.delimiter = split->extension.substr(0, 1);
        facts.extension = split->extension.substr(1);
    }
    return facts;
}

std::optional<std::string> expand_facts(std::string_view text, const UserFacts& facts,
                                        std::string_view allowed) {
    const FactNames names(facts, allowed);
    for (const auto& name : plain_names(text)) {
        if (!names.raw(name)) return std::nullopt;
    }
    auto expanded = config::expand(text, names, config::Recursion::none);
    if (!expanded) return std::nullopt;
    return std::move(*expanded);
}

std::vector<std::string> forward_candidates(std::string_view forward_path, const UserFacts& facts,
                                            std::string_view allowed) {
    // An extension is a part of a file's name, never a way to another folder.
    UserFacts safe = facts;
    if (safe.extension.find('/') != std::string::npos) safe.extension.clear();
    if (safe.local.find('/') != std::string::npos) {
        safe.local.clear();
        safe.recipient.clear();
    }
    std::vector<std::string> paths;
    for (const auto word : split_words(forward_path, ", \t\r\n")) {
        auto path = expand_facts(word, safe, allowed);
        if (path && path->starts_with('/')) paths.push_back(std::move(*path));
    }
    return paths;
}

std::vector<std::string> command_environment(const UserFacts& facts,
                                             const ipc::DeliverRequest& request,
                                             const ipc::DeliverRecipient& recipient,
                                             std::string_view allowed) {
    std::vector<std::string> out;
    const auto add = [&](std::string_view name, std::string_view value, bool filter) {
        if (!value.empty())
            out.push_back(cat({name, "=", filter ? filtered(value, allowed) : std::string(value)}));
    };
    if (!facts.user.empty()) {
        add("HOME", facts.home, false);
        add("LOGNAME", facts.user, false);
        add("USER", facts.user, false);
        add("SHELL", facts.shell.empty() ? std::string_view("/bin/sh") : facts.shell, false);
    }
    add("LOCAL", facts.local, true);
    add("DOMAIN", facts.domain, true);
    add("EXTENSION", facts.extension, true);
    add("RECIPIENT", facts.recipient, true);
    add("ORIGINAL_RECIPIENT", recipient.original.empty() ? recipient.address : recipient.original,
        true);
    out.push_back("SENDER=" + filtered(request.sender, allowed));  // empty for notifications
    add("CLIENT_ADDRESS", request.client_address, true);
    add("CLIENT_HOSTNAME", request.client_name, true);
    add("CLIENT_HELO", request.helo, true);
    add("CLIENT_PROTOCOL", request.protocol, true);
    add("SASL_USERNAME", request.sasl_username, true);
    add("ENVID", request.envid, true);
    return out;
}

}  // namespace postern::local
