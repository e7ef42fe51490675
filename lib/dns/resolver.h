// Resolver: DNS questions and their three-valued answers, as an interface. AsyncResolver is for
// programs on the loop, BlockingResolver for workers; both are implemented with libunbound
// (unbound_resolver.h) and, for tests, from zone text (tests/support/fake_dns.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/lookup.h"
#include "lib/base/result.h"

namespace postern::dns {

// RFC 1035 3.2.2, RFC 3596 2.1.
enum class RecordType : std::uint16_t {
    a = 1,
    ns = 2,
    ptr = 12,
    mx = 15,
    txt = 16,
    aaaa = 28,
    srv = 33,
    tlsa = 52
};
std::string_view type_name(RecordType type);  // "MX"
std::optional<RecordType> type_named(std::string_view name);

struct Record {
    // Numeric address, host name without final dot, or text; of TLSA the record as it came (RFC
    // 6698 2.1: usage, selector, matching type, data).
    std::string data;
    std::uint16_t preference = 0;        // of MX; of SRV the priority
    std::uint16_t weight = 0, port = 0;  // of SRV (RFC 2782)
};

// The name exists. records is empty when it has no record of the type that was asked for.
struct Answer {
    std::vector<Record> records;
    std::string canonical_name;  // where CNAMEs led; without final dot
    Seconds ttl{0};
    bool authenticated = false;  // DNSSEC says so
};

// found: the name exists; not_found: it does not; failed: nobody knows at present.
using AnswerLookup = Lookup<Answer>;

// RFC 7505 3: one MX record with an empty host says that the domain takes no mail; RFC 2782: one
// SRV record that it has no such service.
bool is_null_mx(const Answer& answer);

// A name that may be asked for: RFC 1035 2.3.4 sizes, letters, digits, "-" and "_".
bool is_valid_name(std::string_view name);
// That, or a name in UTF-8 which has such a form (RFC 5890 2.3.2.1): resolvers take both.
Result<std::string> ascii_name(std::string_view name);
// The name under which an address's PTR record is: 2.0.192.in-addr.arpa or ...ip6.arpa; "" when
// text is no numeric address.
std::string reverse_name(std::string_view address);

class AsyncResolver {
  public:
    using Callback = std::function<void(AnswerLookup)>;
    using Id = std::uint64_t;

    virtual ~AsyncResolver() = default;
    // Calls back exactly once and never from inside; not at all after cancel(). An Error of kind
    // timeout when there is no answer in time.
    virtual Id resolve(std::string_view name, RecordType type, Millis timeout, Callback done) = 0;
    virtual void cancel(Id id) = 0;
};

class BlockingResolver {
  public:
    virtual ~BlockingResolver() = default;
    virtual AnswerLookup resolve(std::string_view name, RecordType type,
                                 const Deadline& deadline) = 0;
};

}  // namespace postern::dns
