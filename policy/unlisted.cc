#include "policy/unlisted.h"

#include "lib/base/strings.h"
#include "lib/table/address_lookup.h"

namespace postern::policy {

using table::DomainClass;
using table::Maps;

ListedAddresses::ListedAddresses(const Options& options, table::DomainClasses& classes,
                                 UserDirectory* users)
    : options_(options),
      classes_(classes),
      users_(users),
      local_(Maps::open(options.local_recipient_maps)),
      virtual_alias_(Maps::open(options.virtual_alias_maps)),
      virtual_mailbox_(Maps::open(options.virtual_mailbox_maps)),
      relay_(Maps::open(options.relay_recipient_maps)),
      relocated_(Maps::open(options.relocated_maps)),
      canonical_(Maps::open(options.canonical_maps)),
      sender_canonical_(Maps::open(options.sender_canonical_maps)),
      recipient_canonical_(Maps::open(options.recipient_canonical_maps)) {}

Result<bool> ListedAddresses::in(Maps& maps, const std::string& address, bool local) {
    if (maps.empty()) return false;
    auto found =
        table::find_first(maps, table::rewrite_keys(address, options_.recipient_delimiter, local));
    if (found.failed()) return std::move(found).error();
    return found.found();
}

// An address that is rewritten to another one is known; the other one is looked at by cleanup.
Result<bool> ListedAddresses::rewritten(const std::string& address, bool local, Whose whose) {
    auto& by_role = whose == Whose::sender ? sender_canonical_ : recipient_canonical_;
    for (auto* maps : {&by_role, &canonical_, &virtual_alias_}) {
        TRY_ASSIGN(const bool found, in(*maps, address, local));
        if (found) return true;
    }
    return false;
}

// Who has moved is said in the refusal, as route would say it in a bounce.
Result<std::optional<ListedAddresses::Unknown>> ListedAddresses::relocated(
    const std::string& address, bool local) {
    if (relocated_.empty()) return std::optional<Unknown>();
    auto found = table::find_first(
        relocated_, table::rewrite_keys(address, options_.recipient_delimiter, local));
    if (found.failed()) return std::move(found).error();
    if (found.not_found()) return std::optional<Unknown>();
    return std::optional(
        Unknown{550, cat({"User has moved to ", printable(found->value, 400)}), "5.1.6"});
}

// postmaster is accepted always (RFC 5321 4.5.1), double-bounce is our own.
Result<bool> ListedAddresses::local_user(const std::string& address) {
    const auto parts = table::split_address(address);
    if (iequals(parts.local, "postmaster") || iequals(parts.local, "double-bounce")) return true;
    TRY_ASSIGN(const bool found, in(local_, address, true));
    if (found || users_ == nullptr) return found;
    const auto split = table::split_extension(parts.local, options_.recipient_delimiter);
    for (const auto& name : {parts.local, split ? split->user : std::string()}) {
        if (name.empty()) continue;
        auto known = users_->known(to_lower(name));
        if (known.failed()) return std::move(known).error();
        if (known.found()) return true;
    }
    return false;
}

Result<std::optional<ListedAddresses::Unknown>> ListedAddresses::check(const std::string& address,
                                                                       Whose whose) {
    using Answer = std::optional<Unknown>;
    const auto unknown = [&](int code, std::string_view table) {
        return Answer(Unknown{code,
                              options_.show_user_unknown_table_name
                                  ? cat({"User unknown in ", table, " table"})
                                  : "User unknown",
                              {}});
    };
    const auto parts = table::split_address(address);
    TRY_ASSIGN(const DomainClass domain_class, classes_.classify(parts.domain));
    const bool local = domain_class == DomainClass::local;
    TRY_ASSIGN(const bool known_elsewhere, rewritten(address, local, whose));
    if (known_elsewhere) return Answer{};
    if (whose == Whose::recipient) {
        TRY_ASSIGN(Answer moved, relocated(address, local));
        if (moved) return moved;
    }
    switch (domain_class) {
        case DomainClass::local: {
            if (local_.empty() && !options_.mail_users_listed) return Answer{};
            TRY_ASSIGN(const bool known, local_user(address));
            if (known) return Answer{};
            return unknown(options_.unknown_local_recipient_reject_code, "local recipient");
        }
        case DomainClass::virtual_alias:
            return unknown(options_.unknown_virtual_alias_reject_code, "virtual alias");
        case DomainClass::virtual_mailbox: {
            if (virtual_mailbox_.empty()) return Answer{};
            TRY_ASSIGN(const bool known, in(virtual_mailbox_, address, false));
            if (known) return Answer{};
            return unknown(options_.unknown_virtual_mailbox_reject_code, "virtual mailbox");
        }
        case DomainClass::relay: {
            if (relay_.empty()) return Answer{};
            TRY_ASSIGN(const bool known, in(relay_, address, false));
            if (known) return Answer{};
            return unknown(options_.unknown_relay_recipient_reject_code, "relay recipient");
        }
        case DomainClass::other: break;
    }
    return Answer{};
}

// Addresses that become others are for the mailbox of those.
std::optional<ipc::QuotaAnswer> ListedAddresses::full(const std::string& address,
                                                      std::uint64_t size) {
    if (users_ == nullptr || !options_.quota_at_recipient) return std::nullopt;
    const auto domain_class = classes_.classify(table::split_address(address).domain);
    if (!domain_class) return std::nullopt;
    const bool local = *domain_class == DomainClass::local;
    if (!local && *domain_class != DomainClass::virtual_mailbox) return std::nullopt;
    const std::string& agent = local ? options_.local_agent : options_.virtual_agent;
    const auto elsewhere = rewritten(address, local, Whose::recipient);
    if (agent.empty() || !elsewhere || *elsewhere) return std::nullopt;
    auto answer = users_->room(agent, address, size);
    if (answer.outcome == ipc::Outcome::accept) return std::nullopt;
    return answer;
}

}  // namespace postern::policy
