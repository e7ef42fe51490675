#include "local/planner.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "lib/log/log.h"
#include "lib/sys/fs.h"
#include "lib/table/address_list.h"
#include "lib/table/address_lookup.h"
#include "lib/table/source.h"

#include "local/user_facts.h"

namespace postern::local {
namespace {

constexpr int kMaxIncludeDepth = 10;
constexpr std::size_t kMaxIncludeSize = 1 << 20;
constexpr int kMaxAliases = 100;  // a: b, b: c, … to follow for one recipient

Plan give_up(PlanKind kind, std::string_view status, std::string_view text) {
    Plan plan;
    plan.kind = kind;
    plan.status = status;
    plan.text = text;
    return plan;
}

// The reason goes to our log; the sender hears only that it is our fault.
Plan unavailable(const Error& error, std::string_view text) {
    log::warning("", error.what);
    return give_up(PlanKind::defer, "4.3.0", text);
}

Plan misconfigured(std::string_view warning) {
    log::warning("", warning);
    return give_up(PlanKind::defer, "4.3.5", "mail system configuration error");
}

bool is_order(const std::string& member) { return member.front() == '|' || member.front() == '/'; }

// "\user": the user's own mailbox, whatever aliases say of him.
bool is_escaped(const std::string& member) { return member.front() == '\\'; }

}  // namespace

Planner::Planner(const Options& options)
    : options_(options),
      classes_(options.classes),
      commands_(
          table::Maps::open(options.is_virtual ? std::string() : options.mailbox_command_maps)),
      transports_(
          table::Maps::open(options.is_virtual ? std::string() : options.mailbox_transport_maps)),
      fallbacks_(
          table::Maps::open(options.is_virtual ? std::string() : options.fallback_transport_maps)),
      mailboxes_(
          table::Maps::open(options.is_virtual ? options.virtual_mailbox_maps : std::string())),
      uids_(table::Maps::open(options.is_virtual ? options.virtual_uid_maps : std::string())),
      gids_(table::Maps::open(options.is_virtual ? options.virtual_gid_maps : std::string())) {
    if (options.is_virtual) return;
    for (const auto& spec : table::split_list(options.alias_maps))
        aliases_.push_back(table::Maps::open(spec));
}

Plan Planner::plan(std::string_view address) {
    return options_.is_virtual ? plan_virtual(address) : with_mailbox(plan_local(address));
}

// What main.cf says of this user's mailbox, by name, and of a user that there is not.
Plan Planner::with_mailbox(Plan plan) {
    if (plan.user.empty()) return plan;
    plan.transport = options_.mailbox_transport;
    plan.fallback = options_.fallback_transport;
    for (auto& [maps, value] :
         {std::pair{&commands_, &plan.command}, std::pair{&transports_, &plan.transport},
          std::pair{&fallbacks_, &plan.fallback}}) {
        auto found = maps->find(plan.user);
        if (found.failed()) return unavailable(found.error(), "mailbox lookup table unavailable");
        if (found.found()) *value = std::move(*found);
    }
    if (!options_.luser_relay.empty()) {
        Target target;
        target.address = plan.address;
        target.user = plan.user;
        const auto facts = facts_of(target, options_.recipient_delimiter);
        auto address = expand_facts(options_.luser_relay, facts, options_.runner.forward_filter);
        if (address) plan.luser = table::complete_address(*address, options_.completion);
    }
    return plan;
}

Lookup<Planner::Found> Planner::find_in_tables(const std::string& key) {
    for (std::size_t i = 0; i < aliases_.size(); ++i) {
        auto found = aliases_[i].find(key);
        if (found.failed()) return std::move(found).error();
        if (found.found()) return Found{std::move(*found), static_cast<std::uint32_t>(i)};
    }
    return NotFound{};
}

// With the extension first, then without.
Lookup<Planner::Alias> Planner::find_alias(const std::string& local) {
    const auto split = table::split_extension(local, options_.recipient_delimiter);
    for (const auto& name : {local, split ? split->user : std::string()}) {
        if (name.empty()) continue;
        auto found = find_in_tables(name);
        if (found.failed()) return std::move(found).error();
        if (found.not_found()) continue;
        Alias alias{to_lower(name), {}};
        const Member from{{}, Origin::alias, found->table, 0};
        if (auto done = flatten(table::split_addresses(found->value), from, alias.members, 0);
            !done) {
            return std::move(done).error();
        }
        return alias;
    }
    return NotFound{};
}

Result<void> Planner::flatten(const std::vector<std::string>& texts, const Member& from,
                              std::vector<Member>& members, int depth) {
    for (const auto& one : texts) {
        if (istarts_with(one, ":include:")) {
            TRY(include(std::string(trim(std::string_view(one).substr(9))), members, depth + 1));
        } else {
            members.push_back(from);
            members.back().text = one;
        }
        if (members.size() > Plan::kMaxForwards) {
            return Error{Errc::temporary, "alias has more than 1000 members"};
        }
    }
    return {};
}

// Owner and text are taken from the same open file.
Result<void> Planner::include(const std::string& path, std::vector<Member>& members, int depth) {
    if (depth > kMaxIncludeDepth)
        return Error{Errc::temporary, cat({"include file ", path, ": nested too deeply"})};
    auto& fs = sys::RealFs::instance();
    TRY_ASSIGN(const Fd file, fs.open(path, O_RDONLY | O_NONBLOCK, 0));
    TRY_ASSIGN(const auto info, fs.info(file.get()));
    if (info.kind != sys::FileInfo::Kind::regular || info.size > kMaxIncludeSize)
        return Error{Errc::temporary, cat({"include file ", path, ": not a file of at most 1 MB"})};
    TRY_ASSIGN(const std::string text, fs.read_at(file.get(), 0, kMaxIncludeSize));
    const Member from{{}, Origin::include, 0, static_cast<std::uint32_t>(info.uid)};
    for (const auto& line : table::logical_lines(text)) {
        TRY(flatten(table::split_addresses(line.text), from, members, depth));
    }
    return {};
}

// The backslash of an escaped one is no part of the name.
Result<std::optional<std::string>> Planner::local_name(const std::string& member) {
    using Answer = std::optional<std::string>;
    const bool escaped = is_escaped(member);
    const auto parts = table::split_address(std::string_view(member).substr(escaped ? 1 : 0));
    if (!parts.domain.empty()) {
        TRY_ASSIGN(const bool local, classes_.is_local(parts.domain));
        if (!local) return Answer{};
    } else {
        // "user" stands for user@myorigin, which need not be this host.
        TRY_ASSIGN(const bool local, classes_.is_local(options_.completion.myorigin));
        if (!local && !escaped) return Answer{};
    }
    return Answer(to_lower(table::unquote_local(parts.local)));
}

Result<std::string> Planner::owner_of(const std::string& alias) {
    if (!options_.owner_request_special || istarts_with(alias, "owner-")) return std::string();
    const std::string name = "owner-" + alias;
    auto found = find_in_tables(name);
    if (found.failed()) return std::move(found).error();
    if (found.not_found()) return std::string();
    const auto members = table::split_addresses(found->value);
    const bool expand = options_.expand_owner_alias && members.size() == 1;
    return table::complete_address(expand ? members.front() : name, options_.completion);
}

Plan Planner::to_user(const std::string& local, const std::string& owner) const {
    Plan plan;
    plan.kind = PlanKind::user;
    const auto split = table::split_extension(local, options_.recipient_delimiter);
    plan.user = to_lower(split ? split->user : local);
    plan.owner = owner;
    return plan;
}

// Several members, or addresses elsewhere: they get a message of their own in the queue, so that
// each is retried by itself. A member that is the alias again means its own mailbox.
Plan Planner::forward(const Alias& alias, const std::set<std::string, ILess>& visited,
                      const std::string& user, const std::string& owner) {
    Plan plan;
    plan.kind = PlanKind::forward;
    plan.owner = owner;
    std::size_t bytes = 0;
    for (const auto& one : alias.members) {
        const std::string& member = one.text;
        if (is_order(member)) {
            plan.orders.push_back({member, one.origin, one.table, one.owner});
            bytes += member.size();
            continue;
        }
        auto name = local_name(member);
        if (!name) return unavailable(name.error(), "alias database unavailable");
        const bool escaped = is_escaped(member);
        if (*name && (escaped || visited.contains(**name))) {
            plan.user = escaped ? to_user(**name, {}).user : user;
            continue;
        }
        plan.forwards.push_back(table::complete_address(member, options_.completion));
        bytes += plan.forwards.back().size();
    }
    if (bytes > Plan::kForwardBudget || plan.orders.size() > Plan::kMaxOrders)
        return misconfigured(cat({"alias ", alias.name, ": too many members"}));
    if (plan.forwards.empty() && plan.orders.empty()) return to_user(plan.user, owner);
    return plan;
}

Plan Planner::plan_local(std::string_view address) {
    std::string local = to_lower(table::unquote_local(table::split_address(address).local));
    std::string owner, final_address(address);
    std::set<std::string, ILess> visited;
    std::vector<std::string> followed;
    for (int hops = 0;; ++hops) {
        if (hops > kMaxAliases)
            return misconfigured(cat({"aliases nested too deeply for ", address}));
        auto alias = find_alias(local);
        if (alias.failed()) return unavailable(alias.error(), "alias database unavailable");
        if (alias.not_found()) break;
        if (followed.size() < Plan::kMaxFollowed) followed.push_back(alias->name);
        if (!visited.insert(alias->name).second) break;  // a: b, b: a ends at the mailbox of a
        auto new_owner = owner_of(alias->name);
        if (!new_owner) return unavailable(new_owner.error(), "alias database unavailable");
        if (!new_owner->empty() || options_.reset_owner_alias) owner = *new_owner;
        if (alias->members.empty())
            return misconfigured(cat({"alias ", alias->name, " has no members"}));
        const auto& only = alias->members.front().text;
        auto name =
            is_order(only) ? Result<std::optional<std::string>>(std::nullopt) : local_name(only);
        if (!name) return unavailable(name.error(), "alias database unavailable");
        if (alias->members.size() > 1 || !*name) {
            const std::string user = to_user(local, {}).user;
            Plan plan = forward(*alias, visited, user, owner);
            plan.address = plan.user.empty()
                               ? std::string(address)
                               : table::complete_address(plan.user, options_.completion);
            plan.followed = std::move(followed);
            return plan;
        }
        local = **name;
        final_address = table::complete_address(local, options_.completion);
        if (is_escaped(only)) break;
    }
    Plan plan = to_user(local, owner);
    plan.address = final_address;
    plan.followed = std::move(followed);
    return plan;
}

Plan Planner::plan_virtual(std::string_view address) {
    const auto keys = table::mailbox_keys(address, options_.recipient_delimiter);
    auto path = table::find_first(mailboxes_, keys);
    if (path.failed()) return unavailable(path.error(), "mailbox lookup table unavailable");
    if (path.not_found()) {
        return give_up(PlanKind::refuse, "5.1.1",
                       cat({"unknown user: \"", to_lower(address), "\""}));
    }
    Plan plan;
    plan.kind = PlanKind::mailbox;
    plan.path = path->value;
    plan.address = address;
    for (const auto& [maps, name, number] : {std::tuple{&uids_, "virtual_uid_maps", &plan.uid},
                                             std::tuple{&gids_, "virtual_gid_maps", &plan.gid}}) {
        auto found = table::find_first(*maps, keys);
        if (found.failed()) return unavailable(found.error(), "mailbox lookup table unavailable");
        if (found.not_found())
            return misconfigured(cat({"recipient ", address, ": not found in ", name}));
        const auto id = parse_number<std::uint32_t>(found->value);
        if (!id)
            return misconfigured(
                cat({"recipient ", address, ": bad number in ", name, ": ", found->value}));
        *number = *id;
    }
    if (plan.uid < options_.virtual_minimum_uid) {
        return misconfigured(cat({"recipient ", address, ": uid ", std::to_string(plan.uid),
                                  " is below virtual_minimum_uid"}));
    }
    return plan;
}

}  // namespace postern::local
