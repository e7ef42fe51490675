#include "peername/name_finder.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::peername {
namespace {

using ipc::NameStatus;

ipc::NameAnswer nothing(NameStatus status) {
    ipc::NameAnswer answer;
    answer.reverse_status = answer.name_status = status;
    return answer;
}

NameStatus status_of(const dns::AnswerLookup& lookup) {
    return lookup.failed() ? NameStatus::temporary : NameStatus::none;
}

// The first PTR record, when it is a name at all: some hold addresses or worse.
std::string first_name(const dns::Answer& answer) {
    if (answer.records.empty()) return {};
    const std::string& name = answer.records.front().data;
    if (!dns::is_valid_name(name) || name.size() > ipc::kMaxName || IpAddress::parse(name))
        return {};
    return name;
}

bool leads_to(const dns::Answer& answer, const IpAddress& address) {
    return std::any_of(answer.records.begin(), answer.records.end(),
                       [&](const dns::Record& record) {
                           const auto one = IpAddress::parse(record.data);
                           return one && *one == address;
                       });
}

}  // namespace

void NameFinder::find(const std::string& text, Done done) {
    auto parsed = IpAddress::parse(text);
    if (!parsed) return done(nothing(NameStatus::none));
    const IpAddress address = parsed->unmapped();
    if (const auto name = hosts_.name_of(address)) {
        return done({*name, *name, NameStatus::found, NameStatus::found, {}});
    }
    resolver_.resolve(dns::reverse_name(address.str()), dns::RecordType::ptr, limit_,
                      [this, address, done = std::move(done)](dns::AnswerLookup found) mutable {
                          const std::string name =
                              found.found() ? first_name(*found) : std::string();
                          if (name.empty()) return done(nothing(status_of(found)));
                          auto answer = nothing(NameStatus::none);
                          answer.reverse_name = name;
                          answer.reverse_status = NameStatus::found;
                          confirm(address, std::move(answer), std::move(done));
                      });
}

void NameFinder::confirm(const IpAddress& address, ipc::NameAnswer answer, Done done) {
    const auto type = address.is_v4() ? dns::RecordType::a : dns::RecordType::aaaa;
    const std::string name = answer.reverse_name;
    resolver_.resolve(name, type, limit_,
                      [address, answer = std::move(answer),
                       done = std::move(done)](dns::AnswerLookup found) mutable {
                          if (found.found() && leads_to(*found, address)) {
                              answer.name = answer.reverse_name;
                              answer.name_status = NameStatus::found;
                              return done(std::move(answer));
                          }
                          answer.name_status = status_of(found);
                          answer.warning =
                              cat({"hostname ", printable(answer.reverse_name, ipc::kMaxName),
                                   " does not resolve to address ", address.str()});
                          if (found.failed())
                              answer.warning += ": " + printable(found.error().what, 200);
                          if (found.not_found()) answer.warning += ": Name or service not known";
                          done(std::move(answer));
                      });
}

}  // namespace postern::peername
