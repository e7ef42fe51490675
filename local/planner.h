// Planner: what does a recipient of local or virtual stand for? Follows aliases(5) or the virtual
// mailbox tables. Pure but for tables and :include: files; runs in a process of its own as
// mail_owner, because those files may belong to users.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/strings.h"
#include "lib/table/address_class.h"
#include "lib/table/maps.h"

#include "local/messages.h"
#include "local/options.h"

namespace postern::local {

class Planner {
  public:
    explicit Planner(const Options& options);

    Plan plan(std::string_view address);

  private:
    // An address, or a "|command" or "/file" with where it was written.
    struct Member {
        std::string text;
        Origin origin = Origin::alias;
        std::uint32_t table = 0, owner = 0;
    };
    struct Alias {
        std::string name;  // the key that was found
        std::vector<Member> members;
    };
    struct Found {
        std::string value;
        std::uint32_t table = 0;
    };
    Lookup<Found> find_in_tables(const std::string& key);
    Plan plan_local(std::string_view address);
    Plan plan_virtual(std::string_view address);
    Lookup<Alias> find_alias(const std::string& local);
    Result<void> include(const std::string& path, std::vector<Member>& members, int depth);
    // `from`: where these were written; their texts are in `texts`.
    Result<void> flatten(const std::vector<std::string>& texts, const Member& from,
                         std::vector<Member>& members, int depth);
    // The local part, when the member is an address of this host; nothing for others.
    Result<std::optional<std::string>> local_name(const std::string& member);
    Plan forward(const Alias& alias, const std::set<std::string, ILess>& visited,
                 const std::string& user, const std::string& owner);
    Result<std::string> owner_of(const std::string& alias);
    Plan to_user(const std::string& local, const std::string& owner) const;
    Plan with_mailbox(Plan plan);

    const Options& options_;
    table::DomainClasses classes_;
    std::vector<table::Maps>
        aliases_;  // one each: a command's rights are those of its table's owner
    table::Maps commands_, transports_, fallbacks_;  // mailbox_command_maps and so on
    table::Maps mailboxes_, uids_, gids_;
};

}  // namespace postern::local
