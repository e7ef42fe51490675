#include "lib/dns/resolver_wrappers.h"

#include <algorithm>

#include "lib/base/encode.h"
#include "lib/base/strings.h"

namespace postern::dns {
namespace {

std::string absolute(std::string_view name) {
    const auto ascii = ascii_name(name);
    return cat({ascii ? std::string_view(*ascii) : name, "."});
}

std::string number(unsigned value) { return std::to_string(value); }

std::string data_text(RecordType type, const Record& record) {
    switch (type) {
        case RecordType::a:
        case RecordType::aaaa: return record.data;
        case RecordType::mx: return cat({number(record.preference), " ", absolute(record.data)});
        case RecordType::srv:
            return cat({number(record.preference), " ", number(record.weight), " ",
                        number(record.port), " ", absolute(record.data)});
        case RecordType::ns:
        case RecordType::ptr: return absolute(record.data);
        case RecordType::txt: return printable(record.data);
        case RecordType::tlsa: break;
    }
    const auto byte = [&](std::size_t i) {
        return number(i < record.data.size() ? static_cast<unsigned char>(record.data[i]) : 0);
    };
    return cat(
        {byte(0), " ", byte(1), " ", byte(2), " ",
         hex_encode(
             std::string_view(record.data).substr(std::min<std::size_t>(3, record.data.size())))});
}

}  // namespace

std::string record_text(std::string_view owner, Seconds ttl, RecordType type,
                        const Record& record) {
    return cat({absolute(owner), " ", std::to_string(ttl.count()), " IN ", type_name(type), " ",
                data_text(type, record)});
}

AnswerLookup filter_answer(std::string_view name, RecordType type, AnswerLookup answer,
                           const ReplyFilter& filter) {
    if (!answer.found() || answer->records.empty()) return answer;
    const auto refuse = [&](Errc code, std::string_view why) {
        return AnswerLookup(Error{
            code, cat({"Error looking up name=", name, " type=", type_name(type), ": ", why})});
    };
    std::vector<Record> kept;
    const std::string owner =
        answer->canonical_name.empty() ? std::string(name) : answer->canonical_name;
    for (Record& record : answer->records) {
        const auto action = filter(record_text(owner, answer->ttl, type, record));
        if (action.failed()) return refuse(Errc::temporary, action.error().what);
        if (action.found() && !iequals(trim(*action), "IGNORE"))
            return refuse(Errc::temporary, cat({"Invalid DNS reply filter syntax: unknown action ",
                                                printable(*action, 60)}));
        if (action.not_found()) kept.push_back(std::move(record));
    }
    if (kept.empty()) return refuse(Errc::denied, "DNS reply filter drops all results");
    answer->records = std::move(kept);
    return answer;
}

FilteredResolver::Id FilteredResolver::resolve(std::string_view name, RecordType type,
                                               Millis timeout, Callback done) {
    return inner_.resolve(
        name, type, timeout,
        [this, name = std::string(name), type, done = std::move(done)](AnswerLookup answer) {
            done(filter_answer(name, type, std::move(answer), filter_));
        });
}

std::vector<std::string> search_domains(std::string_view resolv_conf) {
    constexpr std::size_t kMost = 6;  // as resolv.conf(5)
    std::vector<std::string> domains;
    for (const std::string_view line : split(resolv_conf, '\n')) {
        const auto words = split_words(line);
        if (words.size() < 2 || (words[0] != "search" && words[0] != "domain")) continue;
        const std::size_t end = words[0] == "domain" ? 2 : std::min(words.size(), kMost + 1);
        domains.clear();
        for (std::size_t i = 1; i < end; ++i) {
            if (is_valid_name(words[i])) domains.emplace_back(words[i]);
        }
    }
    return domains;
}

std::vector<std::string> names_to_try(std::string_view name, const SearchRules& rules) {
    std::vector<std::string> names{std::string(name)};
    if (name.empty() || name.ends_with('.')) return names;  // absolute
    const bool bare = name.find('.') == std::string_view::npos;
    std::vector<std::string> within;
    for (const std::string& domain : rules.domains) {
        if (rules.all_names || (bare && rules.bare_names && within.empty()))
            within.push_back(cat({name, ".", domain}));
    }
    // As resolv.conf(5) with ndots:1: what has a dot is tried as it is at first.
    names.insert(bare ? names.begin() : names.end(), within.begin(), within.end());
    return names;
}

SearchResolver::~SearchResolver() {
    for (const auto& [id, question] : questions_) inner_.cancel(question.asked);
}

SearchResolver::Id SearchResolver::resolve(std::string_view name, RecordType type, Millis timeout,
                                           Callback done) {
    const Id id = ++last_id_;
    questions_.emplace(id, Question{names_to_try(name, rules_), type, timeout, std::move(done), 0});
    ask(id);
    return id;
}

void SearchResolver::ask(Id id) {
    Question& question = questions_.at(id);
    const std::string name = std::move(question.names.front());
    question.names.erase(question.names.begin());
    question.asked =
        inner_.resolve(name, question.type, question.timeout, [this, id](AnswerLookup answer) {
            const auto found = questions_.find(id);
            if (answer.not_found() && !found->second.names.empty()) return ask(id);
            Callback done = std::move(found->second.done);
            questions_.erase(found);
            done(std::move(answer));
        });
}

void SearchResolver::cancel(Id id) {
    const auto found = questions_.find(id);
    if (found == questions_.end()) return;
    inner_.cancel(found->second.asked);
    questions_.erase(found);
}

}  // namespace postern::dns
