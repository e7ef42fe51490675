#include "lib/config/policy_service.h"

#include "lib/base/strings.h"

#include "lib/config/value.h"

namespace postern::config {
namespace {

Error bad_attribute(std::string_view word, std::string_view what) {
    return Error{Errc::invalid, cat({"\"", printable(word, 100), "\": ", what})};
}

// "unix:private/spf", "inet:host:port"; as elsewhere the word inet may be left out.
bool is_server(std::string_view address) {
    if (address.starts_with("unix:")) return address.size() > 5;
    if (address.starts_with("inet:")) address.remove_prefix(5);
    const auto colon = address.rfind(':');
    return colon != address.npos && colon != 0 && colon + 1 < address.size();
}

std::optional<Millis>* time_named(PolicyService& service, std::string_view name) {
    if (name == "timeout") return &service.timeout;
    if (name == "retry_delay") return &service.retry_delay;
    if (name == "max_idle") return &service.max_idle;
    if (name == "max_ttl") return &service.max_ttl;
    return nullptr;
}

Result<void> set_attribute(PolicyService& service, std::string_view word) {
    const auto parts = split_once(word, '=');
    if (!parts) return bad_attribute(word, "expected name=value");
    const std::string_view name = trim(parts->first), value = trim(parts->second);
    if (auto* time = time_named(service, name)) {
        const auto millis = parse_millis(value, "s");
        if (!millis) return bad_attribute(word, "expected a time, like 10s");
        *time = Millis(*millis);
    } else if (name == "try_limit" || name == "request_limit") {
        const auto count = parse_number<std::size_t>(value);
        const bool tries = name == "try_limit";
        if (!count || (tries && *count == 0))
            return bad_attribute(word, tries ? "expected a number from 1" : "expected a number");
        (tries ? service.try_limit : service.request_limit) = *count;
    } else if (name == "default_action") {
        service.default_action = value;
    } else if (name == "policy_context") {
        service.context = value;
    } else {
        return bad_attribute(
            word,
            "unknown attribute: expected timeout, retry_delay, max_idle, max_ttl, try_limit, "
            "request_limit, default_action or policy_context");
    }
    return {};
}

}  // namespace

Result<PolicyService> PolicyService::parse(std::string_view text) {
    PolicyService service;
    std::vector<std::string> words{std::string(text)};
    if (text.starts_with('{')) {
        if (!text.ends_with('}')) return Error{Errc::invalid, "missing '}'"};
        words = split_list(text.substr(1, text.size() - 2));  // which takes off inner braces
    }
    if (words.empty()) return Error{Errc::invalid, "no server given"};
    service.address = words[0];
    if (!is_server(service.address))
        return Error{Errc::invalid, cat({"bad server \"", printable(service.address, 100),
                                         "\": expected inet:host:port or unix:path"})};
    for (std::size_t i = 1; i < words.size(); ++i) TRY(set_attribute(service, words[i]));
    return service;
}

}  // namespace postern::config
