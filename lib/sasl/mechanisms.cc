#include "lib/sasl/mechanisms.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::sasl {
namespace {

constexpr Mechanism kServerMechanisms[] = {
    {"PLAIN", "plaintext active dictionary", true},
    {"LOGIN", "plaintext active dictionary", true},
    {"SCRAM-SHA-256-PLUS", "mutual-auth", false, true},
    {"SCRAM-SHA-256", "mutual-auth"},
    {"SCRAM-SHA-1-PLUS", "mutual-auth", false, true},
    {"SCRAM-SHA-1", "mutual-auth"},
    {"OAUTHBEARER", "plaintext", true},
    {"XOAUTH2", "plaintext", true},
    {"EXTERNAL", "", false, false, true},
};

const Mechanism* find_mechanism(std::string_view name) {
    const auto* const found =
        std::find_if(std::begin(kServerMechanisms), std::end(kServerMechanisms),
                     [name](const Mechanism& one) { return iequals(one.name, name); });
    return found == std::end(kServerMechanisms) ? nullptr : found;
}

void add_once(std::vector<const Mechanism*>& list, const Mechanism* one) {
    if (one != nullptr && std::find(list.begin(), list.end(), one) == list.end())
        list.push_back(one);
}

}  // namespace

Mechanisms::Mechanisms() : list_{find_mechanism("PLAIN"), find_mechanism("LOGIN")} {}

Mechanisms Mechanisms::parse(const std::vector<std::string>& names,
                             std::vector<std::string>& unknown) {
    Mechanisms result;
    result.list_.clear();
    for (const auto& name : names) {
        const Mechanism* const found = find_mechanism(name);
        if (found == nullptr) {
            unknown.push_back(name);
            continue;
        }
        add_once(result.list_, find_mechanism(cat({name, "-PLUS"})));
        add_once(result.list_, found);
    }
    return result;
}

std::vector<std::string_view> Mechanisms::offered(bool in_clear, const Security& security) const {
    std::vector<std::string_view> names;
    for (const Mechanism* one : list_) {
        if (one->secret_in_clear && !in_clear) continue;
        if (one->needs_binding && !security.channel_binding) continue;
        if (one->needs_certificate && !security.certificate) continue;
        names.push_back(one->name);
    }
    return names;
}

bool Mechanisms::offers(std::string_view name, bool in_clear, const Security& security) const {
    const auto names = offered(in_clear, security);
    return std::any_of(names.begin(), names.end(),
                       [name](std::string_view one) { return iequals(one, name); });
}

bool Mechanisms::has_passwords() const {
    return std::any_of(list_.begin(), list_.end(), [](const Mechanism* one) {
        return one->name == "PLAIN" || one->name == "LOGIN";
    });
}

bool Mechanisms::binds() const {
    return std::any_of(list_.begin(), list_.end(),
                       [](const Mechanism* one) { return one->needs_binding; });
}

bool Mechanisms::wants_certificates() const {
    return std::any_of(list_.begin(), list_.end(),
                       [](const Mechanism* one) { return one->needs_certificate; });
}

std::vector<std::string_view> known_mechanisms() {
    std::vector<std::string_view> names;
    for (const Mechanism& one : kServerMechanisms) names.push_back(one.name);
    return names;
}

}  // namespace postern::sasl
