#include "route/rewriter.h"

#include <algorithm>
#include <set>

#include "lib/base/strings.h"
#include "lib/content/address_map.h"
#include "lib/log/log.h"
#include "lib/mail/field_addresses.h"
#include "lib/table/address_list.h"
#include "lib/table/source.h"

namespace postern::route {
namespace {

constexpr int kCanonicalRounds = 10;  // a -> b -> c … in canonical maps

bool lists(std::string_view parameter, std::string_view word) {
    const auto words = table::split_list(parameter);
    return std::find(words.begin(), words.end(), word) != words.end();
}

Error too_much(std::string_view what, std::string_view address) {
    return Error{Errc::temporary, cat({"unreasonable virtual_alias_maps map ", what, " for ",
                                       address, " -- message not accepted, try again later"})};
}

}  // namespace

Rewriter::Rewriter(const Options& options, table::DomainClasses& classes)
    : options_(options),
      classes_(classes),
      canonical_(table::Maps::open(options.canonical_maps)),
      sender_canonical_(table::Maps::open(options.sender_canonical_maps)),
      recipient_canonical_(table::Maps::open(options.recipient_canonical_maps)),
      virtual_alias_(table::Maps::open(options.virtual_alias_maps)),
      sender_bcc_(table::Maps::open(options.sender_bcc_maps)),
      recipient_bcc_(table::Maps::open(options.recipient_bcc_maps)),
      propagate_canonical_(lists(options.propagate_unmatched_extensions, "canonical")),
      propagate_virtual_(lists(options.propagate_unmatched_extensions, "virtual")),
      masquerade_exceptions_(
          table::MatchList::parse(options.masquerade_exceptions, table::Parents::none)) {
    for (const auto& domain : table::split_list(options.masquerade_domains))
        masquerade_domains_.push_back(to_lower(domain));
    constexpr std::string_view kClasses[] = {"envelope_sender", "envelope_recipient",
                                             "header_sender", "header_recipient"};
    for (std::size_t role = 0; role < std::size(kClasses); ++role) {
        const auto on = [&](const std::string& which) { return lists(which, kClasses[role]); };
        by_sender_maps_[role] = !sender_canonical_.empty() && on(options.sender_canonical_classes);
        by_recipient_maps_[role] =
            !recipient_canonical_.empty() && on(options.recipient_canonical_classes);
        by_maps_[role] = !canonical_.empty() && on(options.canonical_classes);
        masked_[role] = !masquerade_domains_.empty() && on(options.masquerade_classes);
    }
}

std::string Rewriter::complete(std::string_view address) const {
    return table::complete_address(address, options_.completion);
}

Result<bool> Rewriter::is_own_domain(const std::string& domain) {
    if (iequals(domain, options_.completion.myorigin)) return true;
    return classes_.is_local(domain);
}

Lookup<std::vector<std::string>> Rewriter::look_up(table::Maps& maps, const std::string& address,
                                                   bool propagate) {
    const auto own = is_own_domain(table::split_address(address).domain);
    if (!own) return own.error();
    return content::map_address(
        maps, address, {options_.recipient_delimiter, options_.completion, propagate, *own});
}

Result<std::string> Rewriter::map_one(table::Maps& maps, std::string address) {
    for (int round = 0; round < kCanonicalRounds; ++round) {
        auto found = look_up(maps, address, propagate_canonical_);
        if (found.failed()) return std::move(found).error();
        if (found.not_found()) return address;
        if (found->size() > 1)
            log::warning("", cat({"canonical map: multi-valued entry for ", address}));
        if (iequals(found->front(), address)) return std::move(found->front());
        address = std::move(found->front());
    }
    return Error{Errc::temporary, cat({"canonical map: nesting too deep for ", address})};
}

Result<std::string> Rewriter::canonical(std::string_view given, Role role) {
    if (given.empty()) return std::string();
    const auto at = static_cast<std::size_t>(role);
    // Of header fields cleanup has completed them, by the rules for the client.
    const bool in_header = role == Role::header_sender || role == Role::header_recipient;
    std::string address = in_header ? std::string(given) : complete(given);
    if (by_sender_maps_[at]) {
        TRY_ASSIGN(address, map_one(sender_canonical_, std::move(address)));
    }
    if (by_recipient_maps_[at]) {
        TRY_ASSIGN(address, map_one(recipient_canonical_, std::move(address)));
    }
    if (by_maps_[at]) {
        TRY_ASSIGN(address, map_one(canonical_, std::move(address)));
    }
    return masked_[at] ? masquerade(std::move(address)) : address;
}

// user@host.example.com -> user@example.com. The first of the domains that fits decides; with '!'
// it says that nothing is to happen.
Result<std::string> Rewriter::masquerade(std::string address) {
    const auto at = address.rfind('@');
    if (at == std::string::npos) return address;
    const std::string domain = to_lower(std::string_view(address).substr(at + 1));
    const auto excepted = masquerade_exceptions_.matches_name(address.substr(0, at));
    if (!excepted) return excepted.error();
    if (*excepted) return address;
    for (std::string_view parent : masquerade_domains_) {
        bool cut = true;
        for (; parent.starts_with('!'); parent.remove_prefix(1)) cut = !cut;
        if (parent == domain) break;
        const bool below = domain.size() > parent.size() && domain.ends_with(parent) &&
                           domain[domain.size() - parent.size() - 1] == '.';
        if (!below) continue;
        if (cut) address.replace(at + 1, std::string::npos, parent);
        break;
    }
    return address;
}

// Expands all[at] until it maps to nothing or to itself; further results join `all` and get their
// turn. As in Postfix, an address may expand into itself once.
Result<std::vector<std::string>> Rewriter::members(std::string address) {
    std::vector<std::string> all{std::move(address)};
    if (virtual_alias_.empty()) return all;
    std::set<std::string, ILess> kept;
    for (std::size_t at = 0; at < all.size(); ++at) {
        for (std::size_t depth = 0; !kept.contains(all[at]); ++depth) {
            if (depth >= options_.virtual_alias_recursion_limit)
                return too_much("nesting", all[at]);
            auto found = look_up(virtual_alias_, all[at], propagate_virtual_);
            if (found.failed()) return std::move(found).error();
            if (found.not_found()) break;
            const std::string from = all[at];
            for (auto& to : *found) {
                if (to.size() > options_.virtual_alias_address_length_limit) {
                    return too_much("expansion length", from);
                }
                if (iequals(to, from)) kept.insert(from);
            }
            if (all.size() + found->size() - 1 > options_.virtual_alias_expansion_limit) {
                return too_much("expansion size", from);
            }
            all[at] = std::move(found->front());
            all.insert(all.end(), found->begin() + 1, found->end());
        }
    }
    return all;
}

Result<std::vector<std::string>> Rewriter::copies(std::string_view address, Role role) {
    table::Maps& maps = role == Role::sender ? sender_bcc_ : recipient_bcc_;
    if (maps.empty() || address.empty()) return std::vector<std::string>();
    auto found = look_up(maps, std::string(address), false);
    if (found.failed()) return std::move(found).error();
    if (found.not_found()) return std::vector<std::string>();
    if (found->size() > 1)
        return Error{Errc::temporary, cat({"multiple BCC addresses for ", address})};
    return std::move(*found);
}

}  // namespace postern::route
