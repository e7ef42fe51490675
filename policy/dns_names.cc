#include "policy/dns_names.h"

#include <algorithm>

#include "lib/dns/resolver_wrappers.h"

namespace postern::policy {
namespace {

constexpr Millis kDnsWait{15'000};  // for one question; a client waits minutes for its reply

}  // namespace

dns::AnswerLookup DnsNames::ask(const std::string& name, dns::RecordType type) {
    if (!resolver_) {
        auto made = make_();
        if (!made) return std::move(made).error();
        resolver_ = std::move(*made);
    }
    auto answer = resolver_->resolve(name, type, Deadline::in(kDnsWait));
    if (filter_ == nullptr || filter_->empty()) return answer;
    return dns::filter_answer(name, type, std::move(answer),
                              [this](const std::string& record) { return filter_->find(record); });
}

Lookup<std::string> DnsNames::first(const std::string& name, dns::RecordType type) {
    if (!dns::ascii_name(name)) return NotFound{};
    auto answer = ask(name, type);
    if (answer.failed()) return std::move(answer).error();
    if (answer.not_found() || answer->records.empty()) return NotFound{};
    return answer->records.front().data;
}

// RFC 5321 5.1: an MX record, or else an address record. RFC 7505: a null MX takes no mail.
Lookup<bool> DnsNames::receives_mail(const std::string& domain) {
    if (!dns::ascii_name(domain)) return NotFound{};
    auto mx = ask(domain, dns::RecordType::mx);
    if (mx.failed()) return std::move(mx).error();
    if (mx.not_found()) return NotFound{};
    if (dns::is_null_mx(*mx)) return NotFound{};
    if (!mx->records.empty()) return true;
    for (const auto type : {dns::RecordType::a, dns::RecordType::aaaa}) {
        auto found = first(domain, type);
        if (found.failed()) return std::move(found).error();
        if (found.found()) return true;
    }
    return NotFound{};
}

Lookup<std::string> DnsNames::address(const std::string& name) {
    return first(name, dns::RecordType::a);
}

Lookup<std::string> DnsNames::text(const std::string& name) {
    return first(name, dns::RecordType::txt);
}

Lookup<std::string> DnsNames::name_of(const IpAddress& address, bool verified) {
    auto name = first(dns::reverse_name(address.str()), dns::RecordType::ptr);
    if (!name.found() || !verified) return name;
    const auto type = address.is_v4() ? dns::RecordType::a : dns::RecordType::aaaa;
    auto back = ask(*name, type);
    if (back.failed()) return std::move(back).error();
    if (back.not_found()) return NotFound{};
    const bool same = std::any_of(
        back->records.begin(), back->records.end(),
        [&](const dns::Record& record) { return IpAddress::parse(record.data) == address; });
    if (!same) return NotFound{};
    return name;
}

Lookup<std::vector<Names::Server>> DnsNames::servers(const std::string& domain, ServerKind kind) {
    if (!dns::is_valid_name(domain)) return NotFound{};
    const auto type = kind == ServerKind::mail ? dns::RecordType::mx : dns::RecordType::ns;
    auto answer = ask(domain, type);
    if (answer.failed()) return std::move(answer).error();
    if (answer.not_found() || answer->records.empty()) return NotFound{};
    std::vector<Server> all;
    if (kind == ServerKind::mail && dns::is_null_mx(*answer)) return all;
    for (auto& record : answer->records) all.push_back({std::move(record.data), record.preference});
    std::stable_sort(all.begin(), all.end(),
                     [](const Server& a, const Server& b) { return a.preference < b.preference; });
    return all;
}

Lookup<std::vector<IpAddress>> DnsNames::addresses(const std::string& name) {
    if (!dns::is_valid_name(name)) return NotFound{};
    std::vector<IpAddress> all;
    for (const auto type : {dns::RecordType::a, dns::RecordType::aaaa}) {
        const auto answer = ask(name, type);
        if (answer.failed()) return answer.error();
        if (answer.not_found()) return NotFound{};
        for (const auto& record : answer->records) {
            if (const auto address = IpAddress::parse(record.data)) all.push_back(*address);
        }
    }
    if (all.empty()) return NotFound{};
    return all;
}

}  // namespace postern::policy
