#include "lib/table/maps.h"

#include "lib/base/strings.h"
#include "lib/config/process_wide.h"
#include "lib/log/log.h"
#include "lib/table/registry.h"
#include "lib/table/source.h"

namespace postern::table {
namespace {

constexpr Millis kRetryAfter{1000};

}  // namespace

struct Maps::Member {
    std::string spec;
    Fold fold = Fold::lower;
    std::unique_ptr<Table> table;  // null until it could be opened
    Error why;
    Deadline retry = Deadline::in(Millis{0});

    void reopen() {
        retry = Deadline::in(kRetryAfter);
        auto opened = open_table(spec, fold);
        if (opened) {
            table = std::move(opened).value();
            for (const auto& warning : table->warnings()) log::warning("", warning);
        } else {
            why = Error{Errc::temporary, cat({spec, " is unavailable. ", opened.error().what})};
            config::tell_table_failure(why);
        }
    }
};

Maps::Maps() = default;
Maps::Maps(Maps&&) noexcept = default;
Maps& Maps::operator=(Maps&&) noexcept = default;
Maps::~Maps() = default;

bool Maps::empty() const { return members_.empty(); }

Maps Maps::open(std::string_view list, Fold fold) {
    Maps maps;
    for (auto& spec : split_list(list)) {
        Member member;
        member.spec = std::move(spec);
        member.fold = fold;
        member.reopen();
        maps.members_.push_back(std::move(member));
    }
    return maps;
}

Maps Maps::of(std::vector<std::unique_ptr<Table>> tables) {
    Maps maps;
    for (auto& table : tables) {
        Member member;
        member.table = std::move(table);
        maps.members_.push_back(std::move(member));
    }
    return maps;
}

Lookup<std::string> Maps::find(std::string_view key, KeyKind kind) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
        Member& member = members_[i];
        if (!member.table && member.retry.passed()) member.reopen();
        if (!member.table) return member.why;
        if (kind == KeyKind::part && member.table->patterns()) continue;
        auto found = member.table->lookup(key);
        // Postfix takes an empty result for a mistake in the table; so do we, by deferring.
        if (found.found() && found->empty()) {
            return Error{Errc::temporary, cat({member.spec, ": empty result for \"", key, "\""})};
        }
        matched_ = i;
        if (!found.not_found()) return found;
    }
    return NotFound{};
}

std::string Maps::matched() const {
    if (matched_ >= members_.size()) return {};
    const Member& member = members_[matched_];
    const int line = member.table ? member.table->matched_line() : 0;
    return line == 0 ? member.spec : cat({member.spec, " line ", std::to_string(line)});
}

std::vector<Error> Maps::problems() {
    std::vector<Error> all;
    for (const auto& member : members_) {
        if (!member.table) all.push_back(member.why);
    }
    return all;
}

}  // namespace postern::table
