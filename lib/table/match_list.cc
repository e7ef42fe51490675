#include "lib/table/match_list.h"

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/table/address_lookup.h"
#include "lib/table/source.h"

namespace postern::table {
namespace {

constexpr int kMaxFiles = 10;  // a file that names itself would never end

// A word is "type:table" when the part before the first ':' looks like a type. IPv6 addresses and
// networks do not: they are in brackets or parse as numbers.
bool names_table(std::string_view word) {
    const auto parts = split_once(word, ':');
    if (!parts || parts->first.empty() || word.front() == '[') return false;
    return !IpAddress::parse(word) && !IpNetwork::parse(word);
}

}  // namespace

struct MatchList::Member {
    std::string word;
    bool negated = false;
    std::optional<IpNetwork> network;
    std::optional<Maps> table;
    std::optional<Error> broken;
};

MatchList::MatchList() = default;
MatchList::MatchList(MatchList&&) noexcept = default;
MatchList& MatchList::operator=(MatchList&&) noexcept = default;
MatchList::~MatchList() = default;

bool MatchList::empty() const { return members_.empty(); }

MatchList MatchList::parse(std::string_view text, Parents parents) {
    MatchList list;
    list.parents_ = parents;
    for (const auto& word : split_list(text)) list.add(word, false, 0);
    return list;
}

void MatchList::add(std::string_view word, bool negated, int depth) {
    while (!word.empty() && word.front() == '!') {
        negated = !negated;
        word.remove_prefix(1);
    }
    if (word.empty()) return;
    if (word.front() == '/') return add_file(std::string(word), negated, depth);
    Member member;
    member.word = word;
    member.negated = negated;
    if (names_table(word)) {
        member.table = Maps::open(word);
    } else {
        member.network = IpNetwork::parse(word);
    }
    members_.push_back(std::move(member));
}

void MatchList::add_file(const std::string& path, bool negated, int depth) {
    auto text = depth < kMaxFiles
                    ? read_file(path)
                    : Result<std::string>(Error{Errc::invalid, path + ": nested too deeply"});
    if (!text) {
        Member member;
        member.word = path;
        member.broken = std::move(text).error();
        members_.push_back(std::move(member));
        return;
    }
    for (const auto& line : logical_lines(*text)) {
        for (const auto& word : split_list(line.text)) add(word, negated, depth + 1);
    }
}

std::vector<std::string> MatchList::words() const {
    std::vector<std::string> all;
    for (const auto& member : members_) {
        if (!member.table && !member.broken)
            all.push_back((member.negated ? "!" : "") + member.word);
    }
    return all;
}

Result<bool> MatchList::matches_name(std::string_view name) {
    auto keys = domain_keys(name, parents_ == Parents::plain);
    if (parents_ == Parents::none) keys.resize(1);
    for (auto& member : members_) {
        if (member.broken) return *member.broken;
        bool hit = false;
        if (member.table) {
            auto found = find_first(*member.table, keys);
            if (found.failed()) return std::move(found).error();
            hit = found.found();
        } else if (member.word.front() == '.' && parents_ != Parents::none) {
            hit = ends_with_folded(name, member.word) && name.size() > member.word.size();
        } else {
            hit = same_folded(name, member.word) ||
                  (parents_ == Parents::plain && ends_with_folded(name, "." + member.word));
        }
        if (hit) return !member.negated;
    }
    return false;
}

Result<bool> MatchList::matches_client(const IpAddress& address, std::string_view name) {
    const std::string text = address.str();
    for (auto& member : members_) {
        if (member.broken) return *member.broken;
        bool hit = false;
        if (member.table) {
            auto found = member.table->find(text);
            if (found.failed()) return std::move(found).error();
            hit = found.found();
        } else if (member.network) {
            hit = member.network->contains(address);
        } else if (!name.empty() && name != "unknown") {
            hit = same_folded(name, member.word) ||
                  (member.word.front() == '.' && ends_with_folded(name, member.word)) ||
                  (parents_ == Parents::plain && ends_with_folded(name, "." + member.word));
        }
        if (hit) return !member.negated;
    }
    return false;
}

}  // namespace postern::table
