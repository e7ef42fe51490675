// FakeDns: a name space from zone text, for tests. As a resolver it answers from memory; as a
// server (FakeDnsServer) it answers real queries on a loopback UDP port, so that the libunbound
// resolvers can be tested without a network.
//
// Zone text, one record a line:   NAME TYPE DATA...      x.test MX 10 mx.x.test
//   NAME FAIL      every question about that name fails (SERVFAIL)
//   NAME CNAME T   as usual; names that end a CNAME chain answer with their own records
//   NAME NULLMX    a null MX record (RFC 7505)
//   NAME SECURE    answers about that name are signed (not by the server)
//   NAME TLSA 3 1 1 HEX
//   NAME SRV 10 5 587 mx.x.test
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/fd.h"
#include "lib/dns/resolver.h"
#include "lib/loop/loop.h"

namespace postern::tests {

class FakeDns final : public dns::BlockingResolver {
  public:
    explicit FakeDns(std::string_view zone);

    dns::AnswerLookup lookup(std::string_view name, dns::RecordType type) const;
    dns::AnswerLookup resolve(std::string_view name, dns::RecordType type,
                              const Deadline&) override {
        asked.push_back(std::string(name) + " " + std::string(dns::type_name(type)));
        return lookup(name, type);
    }

    std::vector<std::string> asked;  // "x.test MX", in order

  private:
    struct Line {
        std::string type;
        dns::Record record;
    };
    std::multimap<std::string, Line> lines_;
};

// The same on a loop: answers come on a later turn.
class FakeAsyncDns final : public dns::AsyncResolver {
  public:
    FakeAsyncDns(loop::Loop& loop, std::string_view text) : zone(text), loop_(loop) {}
    ~FakeAsyncDns() override { *alive_ = false; }

    Id resolve(std::string_view name, dns::RecordType type, Millis timeout, Callback done) override;
    void cancel(Id id) override { pending_.erase(id); }

    FakeDns zone;

  private:
    loop::Loop& loop_;
    std::map<Id, Callback> pending_;
    Id last_id_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class FakeDnsServer {
  public:
    FakeDnsServer(loop::Loop& loop, std::string_view zone);

    std::string address() const;  // "127.0.0.1@PORT", as lib/dns takes forwarders
    int queries() const { return queries_; }

  private:
    void answer_one();

    FakeDns zone_;
    Fd socket_;
    std::unique_ptr<loop::Watch> watch_;
    int queries_ = 0;
};

}  // namespace postern::tests
