// Resolvers around another resolver: one that leaves out what a filter does not like, one that
// tries names within the system's domains.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dns/resolver.h"

namespace postern::dns {

// A record as Postfix's DNS reply filters see it: "x.test. 60 IN MX 10 mx.x.test.".
std::string record_text(std::string_view owner, Seconds ttl, RecordType type, const Record& record);

// found: what to do with a record ("IGNORE"); not_found: it stays.
using ReplyFilter = std::function<Lookup<std::string>(const std::string& record)>;

// Removes what the filter has "IGNORE" for. Errc::denied when it leaves nothing of an answer: that
// is no "there are none". Another word, or a filter that fails, makes the answer a failure.
AnswerLookup filter_answer(std::string_view name, RecordType type, AnswerLookup answer,
                           const ReplyFilter& filter);

class FilteredResolver final : public AsyncResolver {
  public:
    FilteredResolver(AsyncResolver& inner, ReplyFilter filter)
        : inner_(inner), filter_(std::move(filter)) {}

    Id resolve(std::string_view name, RecordType type, Millis timeout, Callback done) override;
    void cancel(Id id) override { inner_.cancel(id); }

  private:
    AsyncResolver& inner_;
    ReplyFilter filter_;
};

// What the resolver's options res_defnames and res_dnsrch say.
struct SearchRules {
    std::vector<std::string> domains;  // of resolv.conf
    bool bare_names = false;           // a name without a dot: within the first of them
    bool all_names = false;            // a name that does not exist: within each of them
};
// "search a.test b.test" or "domain a.test" of resolv.conf: the last one counts.
std::vector<std::string> search_domains(std::string_view resolv_conf);
// What to ask for, in order.
std::vector<std::string> names_to_try(std::string_view name, const SearchRules& rules);

class SearchResolver final : public AsyncResolver {
  public:
    SearchResolver(AsyncResolver& inner, SearchRules rules)
        : inner_(inner), rules_(std::move(rules)) {}
    ~SearchResolver() override;

    Id resolve(std::string_view name, RecordType type, Millis timeout, Callback done) override;
    void cancel(Id id) override;

  private:
    struct Question {
        std::vector<std::string> names;  // still to try
        RecordType type;
        Millis timeout;
        Callback done;
        Id asked;
    };
    void ask(Id id);

    AsyncResolver& inner_;
    SearchRules rules_;
    std::map<Id, Question> questions_;
    Id last_id_ = 0;
};

}  // namespace postern::dns
