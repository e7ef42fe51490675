// DnsNames: what the DNS says, for the restrictions that want to know. Blocking: policy is a
// worker.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/dns/resolver.h"

#include "policy/engine.h"

namespace postern::policy {

class DnsNames final : public Names {
  public:
    // The resolver is made at the first question: most configurations never ask one.
    using Maker = std::function<Result<std::unique_ptr<dns::BlockingResolver>>()>;
    explicit DnsNames(Maker make) : make_(std::move(make)) {}

    void filter_by(table::Maps& filter) override { filter_ = &filter; }
    Lookup<bool> receives_mail(const std::string& domain) override;
    Lookup<std::string> address(const std::string& name) override;
    Lookup<std::string> text(const std::string& name) override;
    Lookup<std::string> name_of(const IpAddress& address, bool verified) override;
    Lookup<std::vector<Server>> servers(const std::string& domain, ServerKind kind) override;
    Lookup<std::vector<IpAddress>> addresses(const std::string& name) override;

  private:
    dns::AnswerLookup ask(const std::string& name, dns::RecordType type);
    Lookup<std::string> first(const std::string& name, dns::RecordType type);

    Maker make_;
    table::Maps* filter_ = nullptr;
    std::unique_ptr<dns::BlockingResolver> resolver_;
};

}  // namespace postern::policy
